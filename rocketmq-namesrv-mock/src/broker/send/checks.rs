//! The checks of every send, in the order of Apache's broker. Java: `AbstractSendMessageProcessor.msgCheck`.

use rocketmq_common::mix_all::{AUTO_CREATE_TOPIC_KEY_TOPIC, is_retry_topic};
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::net::random;
use rocketmq_remoting::protocol::ResponseCode;

use super::request::SendRequest;
use crate::broker::records::{KnownProperties, message_illegal};
use crate::broker::state::{
    Broker, State, TopicFilterType, TopicSettings, check_topic, is_forbidden_to_send,
};
use crate::wire::{Refusal, SEE_FAQ, required};

/// The longest topic of a record without a wide length field: the limit for all but retry topics.
const STORED_TOPIC_MAX_LENGTH: usize = 127;

/// The place for a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) queue_id: i32,
    pub(crate) write_queues: i32,
    /// Whether the topic allows several tags.
    multi_tag: bool,
}

impl Target {
    /// The flags to store.
    pub(crate) fn sys_flag(self, request: &SendRequest<'_>) -> Result<MessageSysFlag, Refusal> {
        let sys_flag = MessageSysFlag::from_bits(required(request.sys_flag, "sysFlag")?);
        Ok(if self.multi_tag { sys_flag.with(MessageSysFlag::MULTI_TAGS) } else { sys_flag })
    }
}

/// Checks that the topic accepts sends and has the queue. Creates a missing topic if that is allowed.
pub(crate) fn check(
    broker: &Broker,
    state: &mut State,
    request: &SendRequest<'_>,
) -> Result<Target, Refusal> {
    let topic = &*request.topic;
    check_topic(topic).map_err(|remark| Refusal::new(ResponseCode::INVALID_PARAMETER, remark))?;
    if is_forbidden_to_send(topic) {
        let remark = format!("Sending message to topic[{topic}] is forbidden.");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    if state.topics.get(topic).is_none() {
        let config = auto_create(broker, state, request)?;
        broker.put_topic(state, config);
    }
    let Some(found) = state.topics.get(topic) else { return Err(no_topic(topic)) };
    let queue_id = required(request.queue_id, "queueId")?;
    if i64::from(queue_id) >= found.config.queue_nums() as i64 {
        let config = &found.config;
        let remark =
            format!("request queueId[{queue_id}] is illegal, {config} Producer: {}", request.born_host);
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark));
    }
    let queue_id = if queue_id < 0 { random_queue(&found.config)? } else { queue_id };
    let multi_tag = found.config.filter_type == TopicFilterType::MultiTag;
    Ok(Target { queue_id, write_queues: found.config.write_queue_nums, multi_tag })
}

/// The last checks before storing, for single messages and batches.
pub(crate) fn check_storable(
    broker: &Broker,
    topic: &str,
    sys_flag: MessageSysFlag,
    properties: &KnownProperties<'_>,
) -> Result<(), Refusal> {
    if topic.len() > STORED_TOPIC_MAX_LENGTH && !is_retry_topic(topic) {
        return Err(message_illegal(broker));
    }
    // A batch as one record needs a kind of topic that the mock lacks.
    if properties.inner_count.is_some() || sys_flag.contains(MessageSysFlag::INNER_BATCH) {
        return Err(message_illegal(broker));
    }
    Ok(())
}

fn auto_create(
    broker: &Broker,
    state: &mut State,
    request: &SendRequest<'_>,
) -> Result<TopicSettings, Refusal> {
    let topic = &*request.topic;
    let default_topic = request.default_topic.as_deref();
    let default_topic = required(default_topic, "defaultTopic")?;
    let queue_nums = required(request.default_topic_queue_nums, "defaultTopicQueueNums")?;
    let sys_flag = match request.unit_mode {
        true if is_retry_topic(topic) => 2,
        true => 1,
        false => 0,
    };
    if default_topic == AUTO_CREATE_TOPIC_KEY_TOPIC && !broker.obeyed().auto_create_topic {
        state.topics.forbid_to_inherit(default_topic);
    }
    if let Some(config) = state.topics.inherit(topic, default_topic, queue_nums, sys_flag) {
        return Ok(config);
    }
    if is_retry_topic(topic) {
        return Ok(TopicSettings { sys_flag, ..TopicSettings::new(topic, 1) });
    }
    Err(no_topic(topic))
}

fn no_topic(topic: &str) -> Refusal {
    let remark = format!("topic[{topic}] not exist, apply first please!{SEE_FAQ}");
    Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
}

/// A random queue to write to.
fn random_queue(config: &TopicSettings) -> Result<i32, Refusal> {
    match u64::try_from(config.write_queue_nums) {
        // The cast fits: the remainder is less than a 32-bit number.
        Ok(queues) if queues > 0 => Ok((random() % queues) as i32),
        _ => Err(Refusal::exception("java.lang.ArithmeticException", "/ by zero")),
    }
}
