//! Several messages in one request: a batch, a long list split into batches, and single sends that the producer
//! gathers.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use rocketmq::conf::ProducerOption;
use rocketmq::model::{Message, MessageBatch};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tokio::task::JoinSet;

/// Bytes of one batch; a broker accepts up to 4 MiB.
const LIMIT: usize = 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("batch_producer");
    let producer = Producer::new(option.clone());
    producer.start().await?;

    // One topic, one queue; either all are stored or none.
    let orders = (1..=3).map(|order| Message::new("TopicTest", format!("order {order}")).with_tags("TagA"));
    let sent = producer.send_batch(orders).await?;
    println!("one batch   {} at {} and up", sent.message_queue, sent.queue_offset);

    // A list that is too long for one request.
    let list = (0..40).map(|index| Message::new("TopicTest", vec![index; 100_000]));
    for batch in MessageBatch::try_from_iter(list)?.split(LIMIT)? {
        let count = batch.message_count();
        let sent = producer.send_batch(batch.into_messages()).await?;
        println!("split       {count} messages in {} at {}", sent.message_queue, sent.queue_offset);
    }
    producer.shutdown().await?;

    // Single sends from many tasks: the producer gathers sends within 10 ms into a batch, and each sender gets the
    // result of its own message.
    option.set_auto_batch(true).set_batch_max_delay_ms(10);
    let producer = Producer::new(option);
    producer.start().await?;
    let mut sends = JoinSet::new();
    for index in 0..1000 {
        let producer = producer.clone();
        sends.spawn(async move { producer.send(Message::new("TopicTest", format!("event {index}"))).await });
    }
    let mut last = None;
    while let Some(sent) = sends.join_next().await {
        last = Some(sent??);
    }
    if let Some(sent) = last {
        println!("gathered    1000 messages, one of them {} at {}", sent.msg_id, sent.queue_offset);
    }
    producer.shutdown().await?;
    Ok(())
}
