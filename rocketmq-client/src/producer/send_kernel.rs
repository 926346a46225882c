use std::borrow::Cow;
use std::collections::HashMap;
use std::slice;
use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::header::SendMessageRequestHeaderV2;
use rocketmq_remoting::protocol::{CommandRef, RequestHeader};
use tokio::time::Instant;

use super::prepared::Prepared;
use super::stored::{SendAnswer, send_result};
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::factory::MQClientInstance;
use crate::hook::{CommunicationMode, SendMessageContext, SendMessageOutcome};
use crate::model::SendResult;

/// One attempt: one queue, one broker, one deadline.
#[derive(Debug)]
pub(super) struct Attempted<'a> {
    pub(super) queue: &'a MessageQueue,
    pub(super) address: &'a Arc<str>,
    pub(super) deadline: Instant,
    pub(super) mode: CommunicationMode,
    /// The group as brokers know it.
    pub(super) producer_group: &'a str,
}

/// Sends a prepared message to one queue, once, with the hooks around it. `None` after a one-way send.
/// Java: `DefaultMQProducerImpl.sendKernelImpl`.
pub(super) async fn send_kernel_impl(
    instance: &MQClientInstance,
    option: &ProducerOption,
    prepared: &Prepared,
    attempt: &Attempted<'_>,
) -> Result<Option<SendResult>, MQClientError> {
    if option.hooks().watch_sends() {
        // Boxed: it would make the future of every send larger.
        Box::pin(request_with_hooks(instance, option, prepared, attempt)).await
    } else {
        request(instance, option, prepared, attempt).await
    }
}

async fn request_with_hooks(
    instance: &MQClientInstance,
    option: &ProducerOption,
    prepared: &Prepared,
    attempt: &Attempted<'_>,
) -> Result<Option<SendResult>, MQClientError> {
    let hooks = option.hooks();
    let mut context = SendMessageContext {
        producer_group: option.group_name().unwrap_or_default(),
        message: &prepared.message,
        messages: match &prepared.batch {
            Some(batch) => batch.messages(),
            None => slice::from_ref(&prepared.message),
        },
        msg_id: prepared.msg_id(),
        body_length: prepared.body().len(),
        queue: attempt.queue,
        broker_address: attempt.address,
        mode: attempt.mode,
        message_type: prepared.message_type,
        extensions: HashMap::new(),
    };
    for hook in &hooks.forbidden {
        hook.check_forbidden(&context).map_err(MQClientError::illegal)?;
    }
    for hook in &hooks.send {
        hook.send_message_before(&mut context);
    }
    let began = Instant::now();
    let sent = request(instance, option, prepared, attempt).await;
    let outcome = SendMessageOutcome { result: sent.as_ref().map(Option::as_ref), took: began.elapsed() };
    for hook in &hooks.send {
        hook.send_message_after(&context, &outcome);
    }
    sent
}

async fn request(
    instance: &MQClientInstance,
    option: &ProducerOption,
    prepared: &Prepared,
    attempt: &Attempted<'_>,
) -> Result<Option<SendResult>, MQClientError> {
    let properties = prepared.properties().concat();
    let header = header(option, prepared, &properties, attempt);
    let (api, broker) = (instance.api(), attempt.queue.broker_name());
    let request = CommandRef::request(header.code(), &header).with_body(prepared.body());
    let address = dialled_address(option, attempt.address);
    if attempt.mode == CommunicationMode::Oneway {
        let sent = api.send_message_oneway(&address, &request, attempt.deadline).await;
        return sent.map(|()| None).map_err(|error| MQClientError::from_remoting(broker, error));
    }
    let answer = api.send_message(&address, &request, attempt.deadline).await;
    let answer = answer.map_err(|error| MQClientError::from_remoting(broker, error))?;
    let answer = SendAnswer::from(&answer);
    send_result(option, prepared, (attempt.queue, attempt.address), answer).map(Some)
}

/// The request without its body.
pub(super) fn header<'a>(
    option: &'a ProducerOption,
    prepared: &Prepared,
    properties: &'a str,
    attempt: &Attempted<'a>,
) -> SendMessageRequestHeaderV2<'a> {
    SendMessageRequestHeaderV2 {
        kind: prepared.kind,
        producer_group: attempt.producer_group,
        topic: attempt.queue.topic(),
        default_topic: option.create_topic_key().unwrap_or_default(),
        default_topic_queue_nums: i32::try_from(option.default_topic_queue_nums()).unwrap_or(i32::MAX),
        queue_id: attempt.queue.queue_id(),
        sys_flag: prepared.sys_flag.bits(),
        born_timestamp: prepared.born_timestamp,
        flag: prepared.message.flag(),
        properties: Some(properties),
        reconsume_times: Some(0),
        unit_mode: Some(option.unit_mode()),
        max_reconsume_times: None,
        broker_name: Some(attempt.queue.broker_name()),
    }
}

/// Where messages for the broker at this address are sent to.
pub(super) fn dialled_address<'a>(option: &ProducerOption, address: &'a str) -> Cow<'a, str> {
    let vip = option.vip_channel_enabled().then(|| vip_channel(address)).flatten();
    vip.map_or(Cow::Borrowed(address), Cow::Owned)
}

/// The address of a broker's VIP channel: two ports below. Java: `MixAll.brokerVIPChannel`.
fn vip_channel(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(format!("{host}:{}", port.checked_sub(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vip_channel_is_two_ports_below() {
        assert_eq!(vip_channel("10.0.0.1:10911").as_deref(), Some("10.0.0.1:10909"));
        assert_eq!(vip_channel("[::1]:10911").as_deref(), Some("[::1]:10909"));
        assert_eq!(vip_channel("host:1"), None);
    }
}
