//! Consumes messages as a stream: each is acknowledged, put off, or made a dead letter by its reader.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example stream`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::ConsumeFromWhere;
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::time::timeout;

const TOPIC: &str = "StreamExample";
const LONG: Duration = Duration::from_secs(30);

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

    let producer = client.producer("stream_example_producer").start().await?;
    for amount in ["12", "70", "seven", "30"] {
        producer.send(Message::new(TOPIC, amount)).await?;
    }

    let consumer = client
        .push_consumer("stream_example_consumer")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .build()?;
    let mut messages = consumer.messages()?;
    consumer.start().await?;

    let mut sum = 0;
    for _ in 0..5 {
        let Some(delivery) = timeout(LONG, messages.next()).await? else { break };
        let delivery = delivery?;
        match std::str::from_utf8(delivery.body())?.parse::<u32>() {
            // The message comes again a second later.
            Ok(70) if delivery.reconsume_times() == 0 => delivery.retry_later(Some(1)),
            Ok(amount) => {
                sum += amount;
                delivery.ack();
            }
            Err(error) => delivery.dead_letter(error.to_string()).await?,
        }
    }
    println!("amounts of {sum}");

    let report = consumer.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    assert!(messages.next().await.is_none(), "the stream ends with its consumer");
    client.shutdown().await?;
    println!("shut down in {:?}", report.took);
    Ok(())
}
