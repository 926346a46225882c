//! Sends signed requests to a cluster with ACL, and shows what happens with a wrong key.
//!
//! With no argument it starts a mock cluster with ACL in this process. With `NAMESRV_ADDR` set it does the same against
//! that cluster, with the key pair in `ACCESS_KEY` and `SECRET_KEY`:
//! `NAMESRV_ADDR=127.0.0.1:9876 ACCESS_KEY=me SECRET_KEY=… cargo run --example acl`.

use std::error::Error;

use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, SendResult};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut option = ProducerOption::from_env()?;
    option.set_group_name("acl_producer");
    let access_key = std::env::var("ACCESS_KEY").unwrap_or_else(|_| "example-user".to_owned());
    let secret_key = std::env::var("SECRET_KEY").unwrap_or_else(|_| "example-secret".to_owned());
    let mock = match option.name_server_addr() {
        Some(_) => None,
        None => Some(MockCluster::builder().acl(&access_key, &secret_key).start().await?),
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }

    option.set_credentials(&access_key, &secret_key);
    let sent = send(option.clone()).await?;
    println!("with the right key: {} {}", sent.send_status, sent.msg_id);

    option.set_credentials(&access_key, "not-the-secret");
    match send(option).await {
        Ok(sent) => println!("with a wrong key: {}: this cluster has no ACL", sent.send_status),
        Err(error) => {
            println!("with a wrong key: {error}");
            println!("response code {:?}, the message is {}", error.response_code(), error.outcome());
        }
    }
    Ok(())
}

async fn send(option: ProducerOption) -> Result<SendResult, MQClientError> {
    let producer = Producer::new(option);
    producer.start().await?;
    let sent = producer.send(Message::new("TopicTest", "signed")).await;
    producer.shutdown().await?;
    sent
}
