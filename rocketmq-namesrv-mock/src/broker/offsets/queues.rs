//! Offsets of groups and of queues: 14, 15, 29–32.

use std::borrow::Cow;

use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::state::Broker;
use crate::history::BrokerEvent;
use crate::store::{Boundary, ConsumeQueue};
use crate::wire::{Answer, NumberPolicy, Refusal, Request, read_fields, request_fields, required};

request_fields! {
    /// What the requests about offsets have. Java: `QueryConsumerOffsetRequestHeader` and its kin.
    OffsetFields {
        "consumerGroup" group: Cow<'a, str>,
        "topic" topic: Cow<'a, str>,
        "queueId" queue_id: i32,
        "commitOffset" commit_offset: i64,
        "setZeroIfNotFound" set_zero_if_not_found: bool,
        "timestamp" timestamp: i64,
        "boundaryType" boundary_type: Cow<'a, str>,
    }
}

/// 14.
pub(crate) fn query_consumer_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields = read(request)?;
    let topic = required(fields.topic, "topic")?;
    let queue_id = required(fields.queue_id, "queueId")?;
    let group = fields.group.as_deref().unwrap_or("null");
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
    let fields = read(request)?;
    let topic = required(fields.topic, "topic")?;
    let group = fields.group.as_deref().unwrap_or("null");
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
    let fields = read(request)?;
    let timestamp = required(fields.timestamp, "timestamp")?;
    let boundary = match fields.boundary_type.as_deref() {
        Some(text) if text.eq_ignore_ascii_case("upper") => Boundary::Upper,
        _ => Boundary::Lower,
    };
    let offset = with_queue(broker, fields, |queue| queue.offset_by_time(timestamp, boundary))?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)))
}

/// 30.
pub(crate) fn max_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let offset = with_queue(broker, read(request)?, ConsumeQueue::max_offset)?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)))
}

/// 31.
pub(crate) fn min_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let offset = with_queue(broker, read(request)?, ConsumeQueue::min_offset)?;
    Ok(Answer::success().with_field("offset", offset.unwrap_or(0)).with_remark(""))
}

/// 32.
pub(crate) fn earliest_store_time(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let first = |queue: &ConsumeQueue| queue.entries().front().map(|entry| entry.store_timestamp);
    let timestamp = with_queue(broker, read(request)?, first)?.flatten();
    Ok(Answer::success().with_field("timestamp", timestamp.unwrap_or(-1)))
}

fn read<'a>(request: &Request<'a>) -> Result<OffsetFields<'a>, Refusal> {
    read_fields(&request.command.ext_fields, NumberPolicy::Ignore)
}

/// Looks at a queue; `None` if there is no such topic or nothing was ever stored in the queue.
fn with_queue<T>(
    broker: &Broker,
    fields: OffsetFields<'_>,
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
