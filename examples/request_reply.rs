//! A request that waits for its reply. Here the replier reads the request from its queue, like a consumer would.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example request_reply`.

use std::time::Duration;

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, MessageExt, MessageQueue};
use rocketmq::producer::{Producer, reply_message};
use rocketmq_namesrv_mock::MockCluster;

const TOPIC: &str = "RequestTopic";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    option.set_group_name("request_reply_example");
    let producer = Producer::new(option);
    producer.start().await?;

    // No consumer replies to this request.
    let unanswered = producer.request(Message::new(TOPIC, "is anybody there?"), 500).await;
    let Err(MQClientError::NoReply { request, .. }) = unanswered else {
        return Err(format!("unexpected: {unanswered:?}").into());
    };
    println!("no reply in time; the request is in {} at {}", request.message_queue, request.queue_offset);

    // Requests go to all queues in turn: ask until the queue that is read here gets one.
    let queue = request.message_queue.clone();
    let mut replying = tokio::task::JoinSet::new();
    replying.spawn(reply_to_the_next(name_server, queue, request.queue_offset + 1));
    let answer = loop {
        match producer.request(Message::new(TOPIC, "what time is it?"), 1000).await {
            Ok(answer) => break answer,
            Err(MQClientError::NoReply { .. }) => println!("that one went to another queue"),
            Err(error) => return Err(error.into()),
        }
    };
    println!("the reply: {}", String::from_utf8_lossy(answer.body()));
    while let Some(replied) = replying.join_next().await {
        replied?.map_err(|error| error.to_string())?;
    }
    producer.shutdown().await?;
    Ok(())
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn reply_to_the_next(name_server: String, queue: MessageQueue, offset: i64) -> Result<(), BoxError> {
    let admin = MQAdmin::connect(name_server.as_str()).await?;
    let producer = Producer::builder("replying_example").name_server_addr(name_server).start().await?;
    let request: MessageExt = loop {
        match admin.pull(&queue, offset, 1).await?.messages.into_iter().next() {
            Some(record) => break record?,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    println!("a request: {}", String::from_utf8_lossy(request.body()));
    producer.send(reply_message(&request, "time to sleep")?).await?;
    producer.shutdown().await?;
    Ok(())
}
