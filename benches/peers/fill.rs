//! Fills a topic of any broker with messages, in batches.

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};
use rocketmq::model::Message;
use rocketmq::producer::Producer;

use crate::load::TOPIC;

const AT_A_TIME: usize = 32;

/// Creates the topic and stores `messages` messages in it. Each batch goes to the next queue.
pub(crate) async fn run(name_server: &str, queues: u32, messages: usize, bytes: usize) {
    let admin = MQAdmin::connect(name_server).await.expect("a NameServer");
    let (config, brokers) = (TopicConfig::new(TOPIC, queues), Brokers::cluster("DefaultCluster"));
    admin.create_topic(&config, &brokers).await.expect("a cluster").into_complete().expect("a legal topic");
    let producer = Producer::builder("fill").name_server_addr(name_server).start().await;
    let producer = producer.expect("a started producer");
    let body = bytes::Bytes::from(vec![b'x'; bytes]);
    for _ in 0..messages / AT_A_TIME {
        let batch = (0..AT_A_TIME).map(|_| Message::new(TOPIC, body.clone()));
        producer.send_batch(batch).await.expect("the broker stores it");
    }
    producer.shutdown().await.expect("it was started");
}
