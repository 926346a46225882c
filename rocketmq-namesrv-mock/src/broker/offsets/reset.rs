//! Moves a group to other offsets: 222, and 220 to its members. Java: `AdminBrokerProcessor.resetOffset`.

use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{MessageQueueForC, ResetOffsetBody, ResetOffsetBodyForC};
use rocketmq_remoting::protocol::header::{BoundaryType, ResetOffsetFields};
use rocketmq_remoting::protocol::{CommandRef, ExtFields, LanguageCode, NoHeader, RequestCode, ResponseCode};

use crate::broker::state::{Broker, Topic};
use crate::wire::{Answer, NOT_SET, Refusal, Request, encode_json, json_answer, required};

/// The longest wait for room in the write buffer of a member.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// 222. By default the answer to the members' next pull moves them; otherwise the broker tells them (220).
pub(crate) fn reset_offset(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ResetOffsetFields<'_> = request.fields()?;
    if !broker.resets_by_itself() {
        return tell_members(broker, request, &fields);
    }
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

/// Tells the members to move, if the broker does not move groups itself. Java: `Broker2Client.resetOffset`.
fn tell_members(
    broker: &Broker,
    request: &Request<'_>,
    fields: &ResetOffsetFields<'_>,
) -> Result<Answer, Refusal> {
    let topic = required(fields.topic.as_deref(), "topic")?;
    let group = fields.group.as_deref().unwrap_or("null");
    let timestamp = fields.timestamp.unwrap_or(0);
    let state = broker.lock();
    let Some(found) = state.topics.get(topic) else {
        let remark = format!("[reset-offset] reset offset failed, no topic in this broker. topic={topic}");
        return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
    };
    let mut body = ResetOffsetBody::default();
    for queue_id in 0..found.config.write_queue_nums {
        let Some(committed) = state.offsets.get(topic, group, queue_id) else {
            let remark = format!("THe consumer group <{group}> not exist");
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
        };
        let wanted = offset_at(found, queue_id, timestamp);
        let is_taken = fields.is_force == Some(true) || wanted < committed;
        let queue = MessageQueue::new(topic, broker.name.clone(), queue_id);
        body.offset_table.insert(queue, if is_taken { wanted } else { committed });
    }
    let Some(members) = state.consumers.group(group).map(|group| group.members.clone()) else {
        let remark = format!(
            "Consumer not online, so can not reset offset, Group: {group} Topic: {topic} Timestamp: {timestamp}"
        );
        return Err(Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, remark));
    };
    drop(state);
    let orders = if request.command.language == LanguageCode::CPP {
        encode_json(&for_c(&body))?
    } else {
        encode_json(&body)?
    };
    // Java passes `isForce=false` on, whatever the request says.
    let texts = [("queueId", "-1"), ("topic", topic), ("isForce", "false"), ("group", group)];
    let mut told: ExtFields = texts.into_iter().collect();
    told.insert("timestamp", timestamp.to_string());
    let pushes = broker.pushes();
    broker.tasks.spawn(async move {
        let order = CommandRef::request(RequestCode::RESET_CONSUMER_CLIENT_OFFSET, &NoHeader);
        let order = order.with_fields(&told).with_body(&orders);
        for member in members {
            pushes.oneway(&member.connection, &order, WRITE_LIMIT).await;
        }
    });
    Ok(json_answer(&body)?.with_remark(NOT_SET))
}

/// The queues in the form for clients written in C++.
fn for_c(body: &ResetOffsetBody) -> ResetOffsetBodyForC {
    let entry = |(queue, offset): (&MessageQueue, &i64)| MessageQueueForC {
        broker_name: queue.broker_name().to_owned(),
        offset: *offset,
        queue_id: queue.queue_id(),
        topic: queue.topic().to_owned(),
    };
    ResetOffsetBodyForC { offset_table: body.offset_table.iter().map(entry).collect() }
}

/// The queues with their new offsets: the named queue, which need not exist, or all readable queues.
fn targets(topic: &Topic, fields: &ResetOffsetFields<'_>) -> Result<Vec<(i32, i64)>, Refusal> {
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

/// The offset of the first message stored at or after a time; for a time before 1970 the end of the queue.
fn offset_at(topic: &Topic, queue_id: i32, timestamp: i64) -> i64 {
    let offset = topic.queue(queue_id).map(|queue| match timestamp {
        ..0 => queue.max_offset(),
        _ => queue.offset_by_time(timestamp, BoundaryType::Lower),
    });
    offset.unwrap_or(0)
}
