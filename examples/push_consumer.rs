//! Consumes messages: one that fails comes again, and one that never succeeds becomes a dead letter with its reason.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example push_consumer`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumerEvent};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "PushConsumerExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;

    let producer = client.producer("push_example_producer").start().await?;
    for amount in ["12", "70", "seven", "30"] {
        producer.send(Message::new(TOPIC, amount).with_tags("Amount")).await?;
    }

    let (amounts, mut handled) = mpsc::channel(16);
    let consumer = client
        .push_consumer("push_example_consumer")
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_max_reconsume_times(0);
        })
        .subscribe(TOPIC, "Amount || Refund")
        .listener(move |message, _| {
            let amounts = amounts.clone();
            async move {
                // What cannot be read is an error, and comes again; here it may come only once.
                let amount: u32 = std::str::from_utf8(message.body())?.parse()?;
                amounts.send(amount).await?;
                Ok::<_, ConsumeFailure>(())
            }
        })
        .build()?;
    let mut events = consumer.events();
    consumer.start().await?;
    println!("consuming {} queues", consumer.assignment().len());

    let mut sum = 0;
    for _ in 0..3 {
        sum += timeout(Duration::from_secs(30), handled.recv()).await?.unwrap_or_default();
    }
    println!("handled amounts of {sum}");
    let dead = async {
        loop {
            if let Some(ConsumerEvent::DeadLettered { message, reason, .. }) = events.next().await {
                return format!("{message}: {reason}");
            }
        }
    };
    println!("dead letter: {}", timeout(Duration::from_secs(30), dead).await?);

    let report = consumer.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    client.shutdown().await?;
    println!("shut down in {:?}", report.took);
    Ok(())
}
