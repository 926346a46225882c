//! The ways to send: awaited, with a callback, one way, to one queue, in order by a key, with options of one call.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::{Producer, SendOptions};
use rocketmq::selector::SelectMessageQueueByHash;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("modes_producer");
    let producer = Producer::new(option);
    producer.start().await?;
    let message = |body: &str| Message::new("TopicTest", body.to_owned());

    // Reliable: retried on other brokers, one deadline over all.
    let sent = producer.send(message("awaited")).await?;
    println!("send          {} at {}", sent.message_queue, sent.queue_offset);

    // Returns once the message is admitted: back-pressure waits here.
    let (outcome, received) = oneshot::channel();
    producer.send_async(message("with a callback"), move |sent| drop(outcome.send(sent))).await?;
    let sent = received.await??;
    println!("send_async    {} at {}", sent.message_queue, sent.queue_offset);

    // Returns once the message is written; its fate stays unknown.
    producer.send_oneway(message("one way")).await?;
    println!("send_oneway   written");

    // One queue; retries stay on it.
    let queues = producer.fetch_publish_message_queues("TopicTest").await?;
    let sent = producer.send_to(message("to the first queue"), &queues[0]).await?;
    println!("send_to       {} at {}", sent.message_queue, sent.queue_offset);

    // Messages with an equal key go to one queue, so that they can be consumed in order.
    for step in ["created", "paid", "shipped"] {
        let sent = producer.send_with_selector(message(step), SelectMessageQueueByHash, "order-42").await?;
        println!("in order      {step} in {} at {}", sent.message_queue, sent.queue_offset);
    }

    // Half a second for this send, and no second attempt.
    let options = SendOptions::new().timeout(500).retry_times(0);
    let sent = producer.send_with(message("urgent"), options).await?;
    println!("send_with     {} at {}", sent.message_queue, sent.queue_offset);

    producer.shutdown().await?;
    Ok(())
}
