//! What becomes of messages that fail: they come again after a delay, and go to the group's dead letter topic, with the
//! reason, when the listener says so or when they have failed too often.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example retry_and_dead_letter`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFromWhere, ConsumeOutcome, ConsumerEvent};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::time::timeout;

const TOPIC: &str = "RetryExample";
const GROUP: &str = "retry_example_consumer";

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

    let producer = client.producer("retry_example_producer").start().await?;
    for body in ["fine", "fails once", "never works", "nonsense"] {
        producer.send(Message::new(TOPIC, body)).await?;
    }

    let consumer = client
        .push_consumer(GROUP)
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_max_reconsume_times(1);
        })
        .subscribe(TOPIC, "*")
        .listener(|message, context| async move {
            let body = String::from_utf8_lossy(message.body()).into_owned();
            let last = if context.is_last_attempt() { ", the last" } else { "" };
            println!("{body}: delivery {}{last}", context.reconsume_times + 1);
            match (&*body, context.reconsume_times) {
                // Again after 1 s. Without a level the broker begins with 10 s.
                ("fails once" | "never works", 0) => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                // An error means later as well; the last one is the reason of the dead letter.
                ("never works", _) => Err("the warehouse is closed".into()),
                ("nonsense", _) => Ok(ConsumeOutcome::DeadLetter { reason: "not an order".to_owned() }),
                _ => Ok(ConsumeOutcome::Success),
            }
        })
        .build()?;
    let mut events = consumer.events();
    consumer.start().await?;

    let mut dead = 0;
    while dead < 2 {
        let event = timeout(Duration::from_secs(60), events.next()).await?.ok_or("the consumer has ended")?;
        if let ConsumerEvent::DeadLettered { .. } = event {
            println!("{event}");
            dead += 1;
        }
    }

    // Dead letters are messages like others: an operator reads them, or a consumer that subscribes to their topic.
    let admin = client.admin();
    for queue in admin.message_queues(&format!("%DLQ%{GROUP}")).await? {
        for letter in admin.pull(&queue, admin.min_offset(&queue).await?, 32).await?.messages {
            let letter = letter?;
            let reason = letter.property("DLQ_REASON").unwrap_or("?");
            println!("{queue}: {:?} of {:?}: {reason}", letter.body(), letter.property("RETRY_TOPIC"));
        }
    }

    let report = consumer.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    client.shutdown().await?;
    Ok(())
}
