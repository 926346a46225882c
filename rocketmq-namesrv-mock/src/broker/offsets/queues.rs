//! Offsets of groups and of queues: 14, 15, 29–32.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::{
    QueryConsumerOffsetFields, SearchOffsetFields, UpdateConsumerOffsetFields,
};

use crate::broker::state::Broker;
use crate::history::BrokerEvent;
use crate::store::ConsumeQueue;
use crate::wire::{Answer, Refusal, Request, required};

/// 14.
pub(crate) fn query_consumer_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QueryConsumerOffsetFields<'_> = request.fields()?;
    let topic = required(fields.topic, "topic")?;
    let queue_id = required(fields.queue_id, "queueId")?;
    let group = fields.consumer_group.as_deref().unwrap_or("null");
    let state = broker.lock();
    if let Some(offset) = state.offsets.get(&topic, group, queue_id) {
        return Ok(Answer::success().with_field("offset", offset));
    }
    let has_first = state.topics.get(&topic).and_then(|topic| topic.queue(queue_id));
    let has_first = has_first.is_some_and(|queue| queue.min_offset() == 0 && !queue.entries().is_empty());
    drop(state);
    if fields.set_zero_if_not_found == Some(false) {
        return Err(not_found("Not found, do not set to zero, maybe this group boot first"));
    }
    if has_first {
        return Ok(Answer::success().with_field("offset", 0));
    }
    Err(not_found("Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"))
}

/// 15.
pub(crate) fn update_consumer_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UpdateConsumerOffsetFields<'_> = request.fields()?;
    let topic = required(fields.topic, "topic")?;
    let group = fields.consumer_group.as_deref().unwrap_or("null");
    let refuse = |code, remark| Err(Refusal::new(code, remark).with_fields(empty()));
    let mut state = broker.lock();
    if !state.groups.contains(group) {
        let remark = format!("Group {group} not exist!");
        return refuse(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark);
    }
    if state.topics.get(&topic).is_none() {
        return refuse(ResponseCode::TOPIC_NOT_EXIST, format!("Topic {topic} not exist!"));
    }
    let Some(queue_id) = fields.queue_id else {
        return refuse(ResponseCode::INVALID_PARAMETER, format!("QueueId is null, topic is {topic}"));
    };
    let Some(offset) = fields.commit_offset else {
        return refuse(ResponseCode::INVALID_PARAMETER, format!("Offset is null, topic is {topic}"));
    };
    if state.offsets.is_reset(&topic, group, queue_id) {
        return Ok(Answer::success().with_empty_fields().with_remark("Offset has been previously reset"));
    }
    state.offsets.commit(&topic, group, queue_id, offset);
    broker.recorder.note(|| BrokerEvent::Committed {
        group: group.into(),
        client: state.consumers.client(group, request.responder.connection()),
        queue: broker.queue(&topic, queue_id),
        offset,
    });
    Ok(Answer::success().with_empty_fields())
}

/// 29.
pub(crate) fn search_by_timestamp(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: SearchOffsetFields<'_> = request.fields()?;
    let timestamp = required(fields.timestamp, "timestamp")?;
    let boundary = fields.boundary_type.unwrap_or_default();
    let offset = with_queue(broker, fields, |queue| queue.offset_by_time(timestamp, boundary))?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)))
}

/// 30.
pub(crate) fn max_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let offset = with_queue(broker, request.fields()?, ConsumeQueue::max_offset)?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)))
}

/// 31.
pub(crate) fn min_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let offset = with_queue(broker, request.fields()?, ConsumeQueue::min_offset)?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)).with_remark(""))
}

/// 32.
pub(crate) fn earliest_store_time(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let first = |queue: &ConsumeQueue| queue.entries().front().map(|entry| entry.store_timestamp);
    let timestamp = with_queue(broker, request.fields()?, first)?.flatten();
    Ok(Answer::success().with_field("timestamp", timestamp.unwrap_or(-1)))
}

/// Reads a queue; `None` if the topic does not exist or the queue never had a message.
fn with_queue<T>(
    broker: &Broker,
    fields: SearchOffsetFields<'_>,
    look: impl FnOnce(&ConsumeQueue) -> T,
) -> Result<Option<T>, Refusal> {
    let topic = required(fields.topic, "topic")?;
    let queue_id = required(fields.queue_id, "queueId")?;
    let state = broker.lock();
    Ok(state.topics.get(&topic).and_then(|topic| topic.queue(queue_id)).map(look))
}

fn not_found(remark: &'static str) -> Refusal {
    Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark).with_fields(empty())
}

fn empty() -> rocketmq_remoting::protocol::ExtFields {
    rocketmq_remoting::protocol::ExtFields::empty()
}
