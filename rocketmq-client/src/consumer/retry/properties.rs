use std::borrow::Cow;

use rocketmq_common::namespace::wrap_namespace;
use rocketmq_common::properties::{BROKER_PROPERTIES_BYTES, MAX_PROPERTIES_BYTES, append_property};
use rocketmq_common::{MessageExt, message_const as names};

/// The property that says why a message is a dead letter.
pub(crate) const DLQ_REASON: &str = "DLQ_REASON";

/// Where an undecodable record was stored: the properties of its dead letter, beside those of each dead letter.
pub(crate) const DLQ_ORIGIN_BROKER: &str = "DLQ_ORIGIN_BROKER";
pub(crate) const DLQ_ORIGIN_QUEUE_ID: &str = "DLQ_ORIGIN_QUEUE_ID";
pub(crate) const DLQ_ORIGIN_QUEUE_OFFSET: &str = "DLQ_ORIGIN_QUEUE_OFFSET";

/// A longer reason is cut, even where the properties leave more room.
const REASON_BYTES: usize = 4 * 1024;
/// The limit of the properties of a message, less the room that the broker needs for its own.
const LIMIT: usize = MAX_PROPERTIES_BYTES - BROKER_PROPERTIES_BYTES;

/// Whether a property must not travel to the retry topic: it would delay the message, make it half of a transaction, or
/// belongs to the place that it was read from.
fn is_stripped(name: &str) -> bool {
    const STRIPPED: [&str; 12] = [
        names::PROPERTY_TRANSACTION_PREPARED,
        names::PROPERTY_DELAY_TIME_LEVEL,
        names::PROPERTY_REAL_TOPIC,
        names::PROPERTY_REAL_QUEUE_ID,
        names::PROPERTY_MIN_OFFSET,
        names::PROPERTY_MAX_OFFSET,
        names::PROPERTY_RETRY_TOPIC,
        names::PROPERTY_ORIGIN_MESSAGE_ID,
        names::PROPERTY_RECONSUME_TIME,
        names::PROPERTY_MAX_RECONSUME_TIMES,
        names::PROPERTY_CONSUME_START_TIMESTAMP,
        DLQ_REASON,
    ];
    STRIPPED.contains(&name) || name.starts_with("TIMER_") || name.starts_with("REAL_")
}

/// The topic to which the producer sent the message, with its namespace.
pub(super) fn original_topic<'a>(message: &'a MessageExt, namespace: &str) -> Cow<'a, str> {
    let topic = message.message().property(names::PROPERTY_RETRY_TOPIC).unwrap_or(message.message().topic());
    wrap_namespace(namespace, topic)
}

/// The id that the message had at first.
fn original_id(message: &MessageExt) -> &str {
    message.message().property(names::PROPERTY_ORIGIN_MESSAGE_ID).unwrap_or_else(|| message.msg_id())
}

/// The properties of a message for the retry topic, as text. `level` delays the retry; `reason` belongs to a dead letter, and
/// is cut to what fits. `None` if the properties do not fit even without it.
pub(super) fn for_retry_topic(
    message: &MessageExt,
    namespace: &str,
    (times, max): (i32, i32),
    level: Option<i32>,
    reason: Option<&str>,
) -> Option<String> {
    let topic = original_topic(message, namespace);
    let mut text = String::with_capacity(message.message().properties().len_bytes() + 256);
    for (name, value) in message.message().properties().iter().filter(|(name, _)| !is_stripped(name)) {
        append_property(&mut text, name, value);
    }
    append_property(&mut text, names::PROPERTY_RETRY_TOPIC, &topic);
    append_property(&mut text, names::PROPERTY_ORIGIN_MESSAGE_ID, original_id(message));
    append_property(&mut text, names::PROPERTY_RECONSUME_TIME, &times.to_string());
    append_property(&mut text, names::PROPERTY_MAX_RECONSUME_TIMES, &max.to_string());
    if let Some(level) = level {
        append_property(&mut text, names::PROPERTY_DELAY_TIME_LEVEL, &level.to_string());
    }
    if let Some(reason) = reason {
        append_property(&mut text, names::PROPERTY_DLQ_ORIGIN_TOPIC, &topic);
        append_property(&mut text, names::PROPERTY_DLQ_ORIGIN_MESSAGE_ID, original_id(message));
        // Name and two separators.
        let room = LIMIT.saturating_sub(text.len() + DLQ_REASON.len() + 2).min(REASON_BYTES);
        let reason = cut(reason, room);
        if !reason.is_empty() {
            append_property(&mut text, DLQ_REASON, &reason);
        }
    }
    (text.len() <= LIMIT).then_some(text)
}

/// The reason in up to `room` bytes, without what separates properties.
fn cut(reason: &str, room: usize) -> String {
    let mut end = reason.len().min(room);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].replace(['\u{1}', '\u{2}'], " ")
}
