//! Administration by the owner of a producer: creates a topic, finds messages and offsets, and deletes the topic again.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example admin`.

use rocketmq::admin::{BoundaryType, Brokers, MQAdmin, TopicConfig};
use rocketmq::conf::AdminOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = AdminOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let admin = MQAdmin::with_option(&option).await?;

    let clusters = admin.cluster_info().await?.cluster_addr_table;
    for (cluster, brokers) in &clusters {
        println!("cluster   {cluster}: {}", brokers.join(", "));
    }
    let Some(cluster) = clusters.into_keys().next() else { return Err("there is no cluster".into()) };

    // A name of its own: the example must not touch other topics.
    let topic = format!("AdminExample_{}", std::process::id());
    let created = admin.create_topic(&TopicConfig::new(&topic, 2), &Brokers::cluster(&cluster)).await?;
    for (broker, error) in &created.failed {
        println!("no topic  on {broker}: {error}");
    }

    let name_server = option.name_server_addr().unwrap_or_default();
    let producer = Producer::builder("admin_example").name_server_addr(name_server).start().await?;
    let sent = producer.send(Message::new(&topic, "hello").with_keys("order-1")).await?;
    println!("sent      {} to {}", sent.msg_id, sent.message_queue);

    for (broker, on_broker) in admin.describe_topic(&topic).await?.done {
        for (queue, stats) in on_broker.queues {
            let (id, min, max) = (queue.queue_id(), stats.min_offset, stats.max_offset);
            println!("queue     {id} on {broker}: offsets {min}..{max}");
        }
    }
    if let Some(stored) = admin.message(&topic, &sent.offset_msg_id).await? {
        let time = stored.store_timestamp();
        let offset = admin.search_offset(&sent.message_queue, time, BoundaryType::Lower).await?;
        println!("at {time} the queue was at offset {offset}");
        assert_eq!(offset, sent.queue_offset);
    }

    producer.shutdown().await?;
    let deleted = admin.delete_topic(&topic, &cluster).await?;
    println!("deleted   from {} servers, {} failed", deleted.done.len(), deleted.failed.len());
    Ok(())
}
