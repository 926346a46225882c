//! Routes and the choice of a queue: the queues of a topic, and avoiding slow brokers.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use std::collections::BTreeMap;

use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = match option.name_server_addr() {
        None => Some(MockCluster::builder().brokers(2).name_servers(2).start().await?),
        Some(_) => None,
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    println!("NameServers {}", option.name_server_addr().unwrap_or_default());
    option.set_group_name("routes_producer");
    // The producer looks up the route of this topic at its start.
    option.set_topics(vec!["TopicTest".to_owned()]);
    // Avoid brokers that fail or take longer than 550 ms; a detector finds out when they are back.
    option.set_send_latency_fault_enable(true).set_start_detector_enable(true);
    let producer = Producer::new(option);
    producer.start().await?;

    // The first send to a missing topic creates it, with the queues listed here.
    for queue in producer.fetch_publish_message_queues("TopicTest").await? {
        println!("  {queue}");
    }
    let mut counts = BTreeMap::new();
    for index in 0..16 {
        let sent = producer.send(Message::new("TopicTest", format!("message {index}"))).await?;
        *counts.entry(sent.message_queue).or_insert(0) += 1;
    }
    for (queue, count) in counts {
        println!("{count} messages to {queue}");
    }
    producer.shutdown().await?;
    Ok(())
}
