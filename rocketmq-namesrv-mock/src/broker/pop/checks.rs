//! Checks whether a group may pop a queue, and reads its filter.
//!
//! Pops, peeks, notifications and polling questions have the same fields. Numbers that are missing are 0.

use std::sync::Arc;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::PopMessageFields;

use crate::broker::filters::{MessageFilter, Selector, Wanted};
use crate::broker::state::pops::QueueKey;
use crate::broker::state::{Broker, State, TopicSettings};
use crate::wire::{Refusal, Reply, SEE_FAQ, peer_with_slash, required};

/// The factor of a group that names none. Java: `SubscriptionGroupAttributes.PRIORITY_FACTOR_ATTRIBUTE`.
const MAX_PRIORITY_FACTOR: u64 = 100;

/// When the request is answered at the latest.
pub(crate) fn end_ms(fields: &PopMessageFields<'_>) -> i64 {
    fields.born_time.unwrap_or(0).saturating_add(fields.poll_time.unwrap_or(0))
}

/// A topic that a group may read.
pub(crate) struct Allowed<'a> {
    pub(crate) topic: &'a str,
    pub(crate) group: &'a str,
    pub(crate) queues: i32,
    /// Of a hundred pops so many take the queues by priority; 0 for a topic without priorities.
    pub(crate) priority_factor: u64,
}

impl Allowed<'_> {
    /// The place where the request waits.
    pub(crate) fn place(&self, fields: &PopMessageFields<'_>) -> QueueKey {
        QueueKey::new(self.topic, self.group, fields.queue_id.unwrap_or(0))
    }
}

/// Checks that the broker lets clients read. `what` names the operation in remarks.
pub(crate) fn check_broker(broker: &Broker, what: &str) -> Result<(), Refusal> {
    if broker.permits().is_readable() {
        return Ok(());
    }
    let remark = format!("the broker[{}] {what} message is forbidden", broker.address().ip());
    Err(Refusal::new(ResponseCode::NO_PERMISSION, remark))
}

/// Checks that the topic exists and is readable, and that the queue and the group exist.
pub(crate) fn check<'a>(
    state: &mut State,
    fields: &'a PopMessageFields<'_>,
    responder: &Reply,
) -> Result<Allowed<'a>, Refusal> {
    let topic = required(fields.topic.as_deref(), "topic")?;
    let config = &known_topic(state, topic)?;
    if !config.perm.is_readable() {
        let remark = format!("the topic[{topic}] peeking message is forbidden");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    let queues = config.read_queue_nums;
    let has_priorities = config.attributes.get("message.type").is_some_and(|kind| kind == "PRIORITY");
    let queue_id = fields.queue_id.unwrap_or(0);
    if queue_id >= queues {
        let remark = illegal_queue(topic, queue_id, queues, responder);
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark));
    }
    let group = required(fields.consumer_group.as_deref(), "consumerGroup")?;
    let Some(config) = state.groups.find(group) else {
        let remark = format!("subscription group [{group}] does not exist, {SEE_FAQ}");
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    };
    if !config.consume_enable {
        let remark = format!("subscription group no permission, {group}");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    let factor = config.attributes.get("priority.factor").and_then(|factor| factor.parse().ok());
    let priority_factor = if has_priorities { factor.unwrap_or(MAX_PRIORITY_FACTOR) } else { 0 };
    Ok(Allowed { topic, group, queues, priority_factor })
}

/// The settings of a topic.
pub(crate) fn known_topic(state: &State, topic: &str) -> Result<TopicSettings, Refusal> {
    match state.topics.get(topic) {
        Some(found) => Ok(found.config.clone()),
        None => {
            let remark = format!("topic[{topic}] not exist, apply first please! {SEE_FAQ}");
            Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark))
        }
    }
}

/// The remark for a queue that does not exist.
pub(crate) fn illegal_queue(topic: &str, queue_id: i32, queues: i32, responder: &Reply) -> String {
    let peer = responder.peer().map(peer_with_slash);
    format!(
        "queueId[{queue_id}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{queues}] consumer:[{}]",
        peer.unwrap_or_default()
    )
}

/// The filter of the request. Expressions over properties need no permission here.
pub(crate) fn filter(fields: &PopMessageFields<'_>) -> Result<MessageFilter, Refusal> {
    let text = fields.exp.as_deref().unwrap_or_default();
    if text.is_empty() {
        return Ok(MessageFilter::Nothing);
    }
    let bad = || {
        let remark = "parse the consumer's subscription failed";
        Refusal::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark)
    };
    match Wanted::parse(text, fields.exp_type.as_deref()).map_err(|_| bad())? {
        Wanted::Tags(tags) => Ok(MessageFilter::Tags(Arc::new(tags))),
        Wanted::Other(language) => {
            let selector = Selector::compile(&language, text).map_err(|_| bad())?;
            Ok(MessageFilter::Properties(Arc::new(selector)))
        }
    }
}
