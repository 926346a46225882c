//! Message trace: each send, and each handling of a message, is recorded in the trace topic, which this example reads afterwards. Against a real cluster
//! `mqadmin queryMsgTraceById -i <id>` and the dashboard find the same records.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use std::time::Duration;

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::consumer::{ConsumeFromWhere, PushConsumer};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "TraceExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    option.set_group_name("trace_producer").set_enable_trace(true);
    let trace_topic = option.trace_topic().unwrap_or_default().to_owned();
    let producer = Producer::new(option);
    producer.start().await?;
    let message = Message::new(TOPIC, "hello").with_tags("TagA").with_keys("order-1");
    let sent = producer.send(message).await?;
    println!("sent    {}", sent.msg_id);
    // Records go out every five seconds, and at the shutdown.
    producer.shutdown().await?;

    let (handled, mut seen) = mpsc::channel(64);
    let consumer = PushConsumer::builder("trace_consumer")
        .name_server_addr(&name_server)
        .subscribe(TOPIC, "*")
        .listener(move |message, _| {
            let _ = handled.try_send(message.msg_id().to_owned());
            async {}
        })
        .option(|option| {
            option.set_enable_trace(true).set_consume_from_where(ConsumeFromWhere::First);
        })
        .start()
        .await?;
    while timeout(Duration::from_secs(60), seen.recv()).await?.ok_or("no message")? != sent.msg_id {}
    consumer.shutdown().await?;

    let reader = Producer::builder("trace_reader").name_server_addr(&name_server).start().await?;
    let admin = MQAdmin::connect(&name_server).await?;
    for queue in reader.fetch_publish_message_queues(&trace_topic).await? {
        let end = admin.pull(&queue, 0, 1).await?.max_offset;
        for message in admin.pull(&queue, (end - 32).max(0), 32).await?.messages {
            let message = message?;
            let text = String::from_utf8_lossy(message.body());
            for record in text.split_terminator('\u{2}').filter(|record| record.contains(&sent.msg_id)) {
                println!("traced  {}", record.replace('\u{1}', " | "));
            }
        }
    }
    reader.shutdown().await?;
    Ok(())
}
