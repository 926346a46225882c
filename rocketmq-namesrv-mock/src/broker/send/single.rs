//! Stores one message.

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{DEFAULT_TRACE_REGION_ID, RETRY_GROUP_TOPIC_PREFIX, dlq_topic};
use rocketmq_common::properties::MAX_PROPERTIES_BYTES;
use rocketmq_common::sysflag::TransactionType;
use rocketmq_remoting::protocol::{ResponseCode, mq_version};

use super::answer::MsgId;
use super::request::SendRequest;
use super::{Stored, TransactionId, checks};
use crate::broker::later;
use crate::broker::records::{KnownProperties, NewRecord, append, message_illegal};
use crate::broker::state::{Broker, State, TopicSettings};
use crate::store::{JavaProperties, property_entries};
use crate::wire::{Refusal, SEE_FAQ, required};

/// Checks and stores one message.
pub(crate) fn store<'a>(broker: &Broker, request: &'a SendRequest<'a>) -> Result<Stored<'a>, Refusal> {
    let now_ms = broker.now_ms();
    let mut known = KnownProperties::read(&request.properties);
    let unique_key = match known.unique_key {
        Some(id) => TransactionId::Sent(id),
        None => TransactionId::Made(broker.ids.next(now_ms)),
    };
    let loses_priority = known.priority().is_some() && known.is_above_priority();
    let properties = stored_properties(broker, request, unique_key.as_str(), None, loses_priority);

    let mut state = broker.lock();
    let mut target = checks::check(broker, &mut state, request)?;
    if let Some(priority) = known.priority().filter(|_| !loses_priority) {
        // A topic that lets nobody write has no such queue, and the store says so.
        target.queue_id = priority.min(target.write_queues - 1);
    }
    let dead_letter = dead_letter_topic(broker, &mut state, request)?;
    let (mut topic, mut queue_id, mut properties) = (&*request.topic, target.queue_id, properties);
    if let Some(dead_letter) = &dead_letter {
        (topic, queue_id) = (dead_letter, 0);
        known.delay_level = Some("-1");
        properties =
            stored_properties(broker, request, unique_key.as_str(), known.delay_level, loses_priority);
    }
    let (sys_flag, flag) = (target.sys_flag(request)?, required(request.flag, "flag")?);
    let obeyed = broker.obeyed();
    if known.is_half() && obeyed.reject_transactions {
        let remark =
            format!("the broker[{}] sending transaction message is forbidden", broker.address().ip());
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    checks::check_storable(broker, topic, sys_flag, &known)?;
    if request.body.len() > obeyed.max_message_size || properties.len() > MAX_PROPERTIES_BYTES {
        return Err(message_illegal(broker));
    }
    let tags_code = known.tags.map_or(0, java_string_hash);
    let base = request.record(queue_id, now_ms);
    let record = NewRecord { topic, flag, sys_flag, tags_code, properties: &properties, ..base };
    let mut woken = Vec::new();
    let is_plain = known.is_plain() && sys_flag.transaction_type() == TransactionType::NotTransaction;
    let (place, recall_handle) = if is_plain {
        (append(broker, &mut state, &record, &mut woken)?, None)
    } else {
        let stored = later::store(broker, &mut state, &record, &known, &mut woken)?;
        (stored.place, stored.recall_handle)
    };
    Ok(Stored {
        queue_id: target.queue_id,
        queue_offset: place.queue_offset,
        msg_id: MsgId::one(broker.offset_msg_id(place.commit_log_offset)),
        transaction_id: Some(unique_key),
        recall_handle,
        is_inner_batch: false,
        woken,
    })
}

/// The client's properties with the broker's, in the broker's order.
fn stored_properties(
    broker: &Broker,
    request: &SendRequest<'_>,
    unique_key: &str,
    delay_level: Option<&str>,
    loses_priority: bool,
) -> String {
    let mut properties = JavaProperties::new();
    for (name, value) in property_entries(&request.properties) {
        // Only the broker may set the handle of a pop.
        let is_dropped = name == names::PROPERTY_POP_CK || loses_priority && name == names::PROPERTY_PRIORITY;
        if !is_dropped {
            properties.put(name, value);
        }
    }
    properties.put(names::PROPERTY_MSG_REGION, DEFAULT_TRACE_REGION_ID);
    properties.put(names::PROPERTY_TRACE_SWITCH, broker.trace_switch());
    if let Some(level) = delay_level {
        properties.put(names::PROPERTY_DELAY_TIME_LEVEL, level);
    }
    properties.put(names::UNIQ_KEY, unique_key);
    properties.put(names::PROPERTY_CLUSTER, &broker.options.cluster);
    properties.into_wire()
}

/// The dead-letter topic, if the message was sent to the group's retry topic too often. Creates the group if need be.
fn dead_letter_topic(
    broker: &Broker,
    state: &mut State,
    request: &SendRequest<'_>,
) -> Result<Option<String>, Refusal> {
    let Some(group) = request.topic.strip_prefix(RETRY_GROUP_TOPIC_PREFIX) else { return Ok(None) };
    // A retry topic of pops has two parts in its name.
    let group = match group.split_once('+') {
        Some((group, topic)) if !topic.is_empty() && !topic.contains('+') => group,
        _ => group,
    };
    let Some(config) = state.groups.find(group) else {
        let remark = format!("subscription group not exist, {group} {SEE_FAQ}");
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    };
    let allowed = match request.max_reconsume_times {
        Some(times) if request.version >= mq_version::V3_4_9 => times,
        _ => config.retry_max_times,
    };
    // A group that holds a lock consumes in order: like in Java, its message goes to the dead letters at once.
    let is_ordered = state.locks.is_any_alive(group, broker.now_ms());
    if request.reconsume_times <= allowed && !is_ordered {
        return Ok(None);
    }
    let topic = dlq_topic(group);
    broker.ensure_topic(state, TopicSettings::new(topic.as_str(), 1));
    Ok(Some(topic))
}
