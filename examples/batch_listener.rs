//! Handles several messages of a queue at a time. The listener says how far it came: the messages behind that come again.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example batch_listener`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{BatchOutcome, ConsumeFailure, ConsumeFromWhere};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "BatchListenerExample";

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

    // A batch is stored in one queue.
    let producer = client.producer("batch_listener_producer").start().await?;
    producer.send_batch((0..100).map(|row| Message::new(TOPIC, format!("row {row}")))).await?;

    let (stored, mut rows) = mpsc::channel(128);
    let consumer = client
        .push_consumer("batch_listener_consumer")
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_consume_message_batch_max_size(32);
        })
        .subscribe(TOPIC, "*")
        .batch_listener(move |messages, context| {
            let stored = stored.clone();
            async move {
                println!("{} rows of {}", messages.len(), context.queue);
                for (index, message) in messages.iter().enumerate() {
                    // Row 70 fails at its first delivery: the rows before it are done.
                    if &message.body()[..] == b"row 70" && message.reconsume_times() == 0 {
                        return Ok(BatchOutcome::UpTo(index));
                    }
                    stored.send(String::from_utf8_lossy(message.body()).into_owned()).await?;
                }
                Ok::<_, ConsumeFailure>(BatchOutcome::default())
            }
        })
        .start()
        .await?;

    for _ in 0..100 {
        timeout(Duration::from_secs(60), rows.recv()).await?;
    }
    println!("100 rows stored, {} came again", consumer.get_stats()?.send_back_count);

    let report = consumer.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    client.shutdown().await?;
    Ok(())
}
