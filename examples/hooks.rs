//! Hooks: the first sees every attempt to send, the second may forbid it, the third sees every request.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use std::error::Error;
use std::sync::Arc;

use rocketmq::conf::ProducerOption;
use rocketmq::hook::{CheckForbiddenHook, RpcHook, SendMessageContext, SendMessageHook, SendMessageOutcome};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq::remoting::RemotingCommand;
use rocketmq_namesrv_mock::MockCluster;

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("hooks_producer");
    option.add_send_message_hook(Arc::new(Log)).add_check_forbidden_hook(Arc::new(NoSecrets));
    option.add_rpc_hook(Arc::new(Mark));
    let producer = Producer::new(option);
    producer.start().await?;

    producer.send(Message::new("TopicTest", "open")).await?;
    match producer.send(Message::new("TopicTest", "hush").with_tags("secret")).await {
        Ok(_) => return Err("the hook forbids this".into()),
        Err(error) => println!("refused  {error}"),
    }
    producer.shutdown().await?;
    Ok(())
}
