//! Requests that wait for their replies. The replier is an ordinary consumer: its listener makes a reply from the request and
//! sends it, with a producer of the same client.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example request_reply`.

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::ConsumeFailure;
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::reply_message;
use rocketmq_namesrv_mock::MockCluster;

const TOPIC: &str = "RequestTopic";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    // The service that asks, and the service that replies.
    let (asking, replying) = (MQClient::new(option.clone()), MQClient::new(option));
    asking.start().await?;
    replying.start().await?;
    let asker = asking.producer("asking_example").start().await?;

    // Nobody replies to this request yet. It is stored all the same.
    let unanswered = asker.request(Message::new(TOPIC, "is anybody there?"), 500).await;
    let Err(MQClientError::NoReply { request, .. }) = unanswered else {
        return Err(format!("unexpected: {unanswered:?}").into());
    };
    println!("no reply in time; the request is in {} at {}", request.message_queue, request.queue_offset);

    let replier = replying.producer("replying_example").start().await?;
    let consumer = replying
        .push_consumer("replying_example")
        .subscribe(TOPIC, "*")
        .listener(move |request, _| {
            let replier = replier.clone();
            async move {
                println!("a request: {}", String::from_utf8_lossy(request.body()));
                // An error here means that the message is no request: it does not say whom to reply to.
                let reply = reply_message(&request, "time to sleep")?;
                if let Err(error) = replier.send(reply).await {
                    // The asker has left. A later reply would not find it either, so the request is done.
                    println!("nobody waits for this reply: {error}");
                }
                Ok::<_, ConsumeFailure>(())
            }
        })
        .start()
        .await?;

    for _ in 0..3 {
        let reply = asker.request(Message::new(TOPIC, "what time is it?"), 10_000).await?;
        println!("the reply: {}", String::from_utf8_lossy(reply.body()));
        assert_eq!(reply.body(), "time to sleep");
    }
    consumer.shutdown().await?;
    replying.shutdown().await?;
    asking.shutdown().await?;
    Ok(())
}
