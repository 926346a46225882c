//! Compression of bodies: from a size on, if it makes the body smaller, once for all attempts.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{CompressionType, ProducerOption};
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
    option.set_group_name("compression_producer").set_compress_msg_body_over_threshold(1024);

    let text = "a line of text that says the same again and again\n".repeat(1000);
    for compress_type in [CompressionType::Zlib, CompressionType::Lz4] {
        option.set_compress_type(compress_type);
        let producer = Producer::new(option.clone());
        producer.start().await?;
        let sent = producer.send(Message::new("TopicTest", text.clone())).await?;
        let stored = admin.view_message(&sent.offset_msg_id).await?;
        assert_eq!(stored.body(), text.as_bytes());
        println!("{compress_type:?}: {} bytes are stored as a record of {}", text.len(), stored.store_size());
        producer.shutdown().await?;
    }

    // The size limit applies to the compressed body: these zeros pass the limit of 4 MiB.
    let producer = Producer::new(option);
    producer.start().await?;
    let sent = producer.send(Message::new("TopicTest", vec![0; 5 << 20])).await?;
    println!("5 MiB of zeros: {}", sent.send_status);
    producer.shutdown().await?;
    Ok(())
}
