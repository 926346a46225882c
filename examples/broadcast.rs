//! Tells each instance of a service of each message: here two instances that drop entries of their caches.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example broadcast`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{MessageModel, PushConsumer};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "BroadcastExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    let client = MQClient::new(option);
    client.start().await?;
    let producer = client.producer("broadcast_example_producer").start().await?;
    producer.send(Message::new(TOPIC, "makes the topic")).await?;

    let offsets = std::env::temp_dir().join(format!("broadcast-example-{}", std::process::id()));
    let mut instances = Vec::new();
    for name in ["instance-1", "instance-2"] {
        let (dropped, entries) = mpsc::channel(16);
        let consumer = PushConsumer::builder("broadcast_example_consumer")
            .name_server_addr(&name_server)
            .option(|option| {
                // The name is part of the path of the file, and must be the same after a restart.
                option.set_message_model(MessageModel::Broadcasting).set_instance_name(name);
                option.set_local_offset_store_dir(offsets.to_string_lossy());
                // A message that fails is tried twice more here; no broker takes it back.
                option.set_max_reconsume_times(2);
            })
            .subscribe(TOPIC, "Changed")
            .listener(move |message, _| {
                let dropped = dropped.clone();
                async move {
                    let _ = dropped.send(String::from_utf8_lossy(message.body()).into_owned()).await;
                }
            })
            .start()
            .await?;
        instances.push((name, consumer, entries));
    }

    for entry in ["price-7", "price-12"] {
        producer.send(Message::new(TOPIC, entry).with_tags("Changed")).await?;
    }
    for (name, consumer, mut entries) in instances {
        for _ in 0..2 {
            let entry = timeout(Duration::from_secs(30), entries.recv()).await?.unwrap_or_default();
            println!("{name} drops {entry}");
        }
        // The file is written once more: the next start goes on behind these messages.
        let report = consumer.shutdown().await?;
        assert!(report.is_clean(), "{report:?}");
    }
    client.shutdown().await?;
    std::fs::remove_dir_all(offsets)?;
    Ok(())
}
