//! Sends a message, reads it back from the broker by its offset message id, and checks it byte for byte.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example quickstart`.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    println!("NameServer {name_server}{}", if mock.is_some() { " (a mock in this process)" } else { "" });

    option.set_group_name("quickstart_producer");
    let producer = Producer::new(option);
    producer.start().await?;

    let body = "hello, RocketMQ: \u{1F680}\u{0} and a zero byte";
    let message = Message::new("TopicTest", body).with_tags("TagA").with_keys("order-1 order-2");
    let sent = producer.send(message).await?;
    println!("sent      {} {}", sent.send_status, sent.msg_id);
    println!("queue     {} offset {}", sent.message_queue, sent.queue_offset);
    println!("stored    {}", sent.offset_msg_id);

    let admin = MQAdmin::connect(name_server).await?;
    let stored = admin.view_message(&sent.offset_msg_id).await?;
    assert_eq!(&stored.body()[..], body.as_bytes(), "the body came back byte for byte");
    assert_eq!((stored.tags(), stored.keys()), (Some("TagA"), Some("order-1 order-2")));
    assert_eq!(stored.msg_id(), sent.msg_id);
    println!("read back {} bytes, the same as were sent", stored.body().len());

    let left = producer.shutdown().await?;
    println!("shut down with {} unfinished sends", left.unfinished_sends);
    Ok(())
}
