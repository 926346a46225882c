//! Moving a group to other offsets: 222. Java: `AdminBrokerProcessor.resetOffsetInner`.

use std::borrow::Cow;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::ResetOffsetBody;

use super::Broker;
use super::table::Request;
use super::topic_table::Topic;
use crate::store::Boundary;
use crate::wire::{Answer, NumberPolicy, Refusal, json_answer, read_fields, request_fields, required};

request_fields! {
    /// Java: `ResetOffsetRequestHeader`. Whether it is forced does not matter where the broker resets by itself.
    ResetFields {
        "group" group: Cow<'a, str>,
        "topic" topic: Cow<'a, str>,
        "queueId" queue_id: i32,
        "offset" offset: i64,
        "timestamp" timestamp: i64,
    }
}

/// 222. The members are told by the answer to their next pull.
pub(super) fn reset_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ResetFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    if broker.role.is_slave() {
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "Can not reset offset in slave broker"));
    }
    let topic = required(fields.topic.as_deref(), "topic")?;
    let group = fields.group.as_deref().unwrap_or("null");
    let mut state = broker.lock();
    let Some(found) = state.topics.get(topic) else {
        let remark = format!("Topic {topic} does not exist");
        return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
    };
    if !state.groups.contains(group) {
        let remark = format!("Group {group} does not exist");
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    }
    let targets = targets(found, &fields)?;
    if targets.is_empty() {
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "No queues to reset."));
    }
    for (queue_id, offset) in &targets {
        state.offsets.reset(topic, group, *queue_id, *offset);
    }
    let queue = |queue_id| MessageQueue::new(topic, broker.name.clone(), queue_id);
    let offset_table = targets.into_iter().map(|(queue_id, offset)| (queue(queue_id), offset)).collect();
    json_answer(&ResetOffsetBody { offset_table })
}

/// The queues with their new offsets: the one that was named, which need not exist, or all to read.
fn targets(topic: &Topic, fields: &ResetFields<'_>) -> Result<Vec<(i32, i64)>, Refusal> {
    let timestamp = fields.timestamp.unwrap_or(0);
    match (fields.queue_id, fields.offset) {
        (Some(queue_id @ 0..), Some(offset)) if offset != -1 => {
            let queue = topic.queue(queue_id);
            let (min, max) = queue.map_or((0, 0), |queue| (queue.min_offset(), queue.max_offset()));
            if offset < min || offset > max.saturating_add(1) {
                let remark = format!("Target offset {offset} not in consume queue range [{min}-{max}]");
                return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
            }
            Ok(vec![(queue_id, offset)])
        }
        (Some(queue_id @ 0..), _) => Ok(vec![(queue_id, offset_at(topic, queue_id, timestamp))]),
        _ => {
            let queues = 0..topic.config.read_queue_nums;
            Ok(queues.map(|queue_id| (queue_id, offset_at(topic, queue_id, timestamp))).collect())
        }
    }
}

/// The first message that was stored at a time or later; before 1970 the end of the queue.
fn offset_at(topic: &Topic, queue_id: i32, timestamp: i64) -> i64 {
    let offset = topic.queue(queue_id).map(|queue| match timestamp {
        ..0 => queue.max_offset(),
        _ => queue.offset_by_time(timestamp, Boundary::Lower),
    });
    offset.unwrap_or(0)
}
