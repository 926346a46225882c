//! Hooks. Of a producer: the first sees every attempt to send, the second may forbid it, the third sees every request. Of a
//! consumer: the first sees each message before and after it is handled, the second leaves messages out.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::consumer::{ConsumeFromWhere, PushConsumer};
use rocketmq::hook::{
    CheckForbiddenHook, ConsumeMessageContext, ConsumeMessageHook, ConsumeMessageOutcome,
    FilterMessageContext, FilterMessageHook, RpcHook, SendMessageContext, SendMessageHook,
    SendMessageOutcome,
};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq::remoting::RemotingCommand;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "HooksExample";

struct Log;

impl SendMessageHook for Log {
    fn send_message_before(&self, context: &mut SendMessageContext<'_>) {
        println!("before   {} to {}", context.msg_id, context.queue);
    }

    fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>) {
        let stored = outcome.result.is_ok();
        println!("after    {} stored: {stored}, took {:?}", context.msg_id, outcome.took);
    }
}

struct NoSecrets;

impl CheckForbiddenHook for NoSecrets {
    fn check_forbidden(&self, context: &SendMessageContext<'_>) -> Result<(), String> {
        match context.message.tags() {
            Some("secret") => Err("secrets stay at home".to_owned()),
            _ => Ok(()),
        }
    }
}

struct Mark;

impl RpcHook for Mark {
    fn before_request(&self, _address: &str, request: &mut RemotingCommand) {
        request.ext_fields.insert("callerVersion", "7");
    }
}

/// Tells of each handled message, and the example of the first.
struct Handled(mpsc::Sender<String>);

impl ConsumeMessageHook for Handled {
    fn consume_message_before(&self, context: &mut ConsumeMessageContext<'_>) {
        println!("begin    {} of {}", context.messages[0].msg_id(), context.queue);
    }

    fn consume_message_after(
        &self,
        context: &ConsumeMessageContext<'_>,
        outcome: &ConsumeMessageOutcome<'_>,
    ) {
        let message = &context.messages[0];
        println!("end      {} {:?}, took {:?}", message.msg_id(), outcome.status, outcome.took);
        let _ = self.0.try_send(String::from_utf8_lossy(message.body()).into_owned());
    }
}

struct NoTests;

impl FilterMessageHook for NoTests {
    fn filter_message(&self, context: &FilterMessageContext<'_>) -> bool {
        context.message.tags() != Some("test")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let name_server = option.name_server_addr().unwrap_or_default().to_owned();
    option.set_group_name("hooks_producer");
    option.add_send_message_hook(Arc::new(Log)).add_check_forbidden_hook(Arc::new(NoSecrets));
    option.add_rpc_hook(Arc::new(Mark));
    let producer = Producer::new(option);
    producer.start().await?;

    producer.send(Message::new(TOPIC, "open")).await?;
    match producer.send(Message::new(TOPIC, "hush").with_tags("secret")).await {
        Ok(_) => return Err("the hook forbids this".into()),
        Err(error) => println!("refused  {error}"),
    }
    producer.send(Message::new(TOPIC, "a test").with_tags("test")).await?;

    let (handled, mut seen) = mpsc::channel(64);
    let consumer = PushConsumer::builder("hooks_consumer")
        .name_server_addr(name_server)
        .subscribe(TOPIC, "*")
        .listener(|_, _| async {})
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First);
            option.add_consume_message_hook(Arc::new(Handled(handled)));
            option.add_filter_message_hook(Arc::new(NoTests));
        })
        .start()
        .await?;
    // Another run against the same cluster goes on behind the messages of this run.
    while timeout(Duration::from_secs(60), seen.recv()).await?.ok_or("no message")? != "open" {}
    println!("left out {}", consumer.get_stats()?.filtered_count);
    consumer.shutdown().await?;
    producer.shutdown().await?;
    Ok(())
}
