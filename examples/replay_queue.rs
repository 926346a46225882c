//! Reads the queues of a topic again from a point in time, beside all consumer groups: none notices, and nothing is committed.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example replay_queue`.

use std::time::Duration;

use rocketmq::admin::{MQAdmin, PullStatus, QueuePosition};
use rocketmq::conf::AdminOption;
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

const TOPIC: &str = "ReplayExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = AdminOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    let producer = Producer::builder("replay_example").name_server_addr(name_server).start().await?;
    let admin = MQAdmin::with_option(&option).await?;
    let first = producer.send(Message::new(TOPIC, "payment 0")).await?;
    // The time by the clock of the broker: what is stored from now on is read again.
    let since = match admin.message(TOPIC, &first.offset_msg_id).await? {
        Some(message) => message.store_timestamp() + 1,
        None => return Err("the message is gone".into()),
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    for number in 1..=8 {
        let tag = if number % 2 == 0 { "refund" } else { "charge" };
        producer.send(Message::new(TOPIC, format!("payment {number}")).with_tags(tag)).await?;
    }

    // From the time to the end that each queue has now.
    let (from, until) = (QueuePosition::Time(since), Some(QueuePosition::End));
    for queue in admin.message_queues(TOPIC).await? {
        let mut messages = admin.read_queue(&queue, from, until);
        while let Some(item) = messages.next().await {
            match item {
                Ok(message) => {
                    let (body, offset) = (String::from_utf8_lossy(message.body()), message.queue_offset());
                    println!("replay    queue {} offset {offset}: {body}", queue.queue_id());
                }
                // The broker deleted them; the next item is the first message that is left.
                Err(error @ MQClientError::MessagesDeleted { .. }) => println!("gap       {error}"),
                Err(error) => return Err(error.into()),
            }
        }
    }

    // Only some tags. Without an end, the stream waits for messages to come.
    let queue = &first.message_queue;
    let mut refunds = admin.read_queue_matching(queue, "refund", QueuePosition::End, None);
    let next = tokio::time::timeout(Duration::from_secs(10), refunds.next());
    let refund = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        producer.send_to(Message::new(TOPIC, "payment 9").with_tags("refund"), queue).await
    };
    let (sent, next) = tokio::join!(refund, next);
    sent?;
    if let Some(message) = next? {
        println!("tail      {}", String::from_utf8_lossy(message?.body()));
    }

    // A single request, for a tool that keeps its own positions.
    let pulled = admin.pull(queue, 0, 2).await?;
    if pulled.status == PullStatus::Found {
        println!("pull      {} messages, go on at {}", pulled.messages.len(), pulled.next_begin_offset);
    }
    producer.shutdown().await?;
    Ok(())
}
