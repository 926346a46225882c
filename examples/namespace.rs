//! A namespace keeps the topics and groups of several tenants of one cluster apart.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let admin = MQAdmin::connect(option.name_server_addr().unwrap_or_default()).await?;
    option.set_group_name("namespace_producer");
    for tenant in ["MQ_INST_red", "MQ_INST_blue"] {
        let producer = Producer::new(option.clone().set_namespace(tenant).clone());
        producer.start().await?;
        let sent = producer.send(Message::new("TopicTest", format!("of {tenant}"))).await?;
        let stored = admin.view_message(&sent.offset_msg_id).await?;
        println!("{} is {} on the brokers", sent.message_queue.topic(), stored.topic());
        producer.shutdown().await?;
    }
    Ok(())
}
