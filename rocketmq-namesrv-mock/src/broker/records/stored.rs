//! Stored records, and copies of them.

use rocketmq_common::MessageExt;
use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;

use super::NewRecord;
use crate::broker::state::State;
use crate::store::decode_stored;

/// A record with its stored body, which may be compressed.
pub(crate) fn stored(state: &State, commit_log_offset: i64) -> Option<MessageExt> {
    decode_stored(state.log.record_at(commit_log_offset)?)
}

/// The topic and the queue of a message that waits elsewhere.
pub(crate) fn real_place(message: &MessageExt) -> Option<(&str, i32)> {
    let topic = message.property(names::PROPERTY_REAL_TOPIC)?;
    let queue_id = message.property(names::PROPERTY_REAL_QUEUE_ID)?;
    Some((topic, queue_id.parse().ok()?))
}

/// A new record of a stored message.
pub(crate) fn again<'a>(
    message: &'a MessageExt,
    (topic, queue_id): (&'a str, i32),
    properties: &'a str,
    now_ms: i64,
) -> NewRecord<'a> {
    let header = message.header();
    NewRecord {
        topic,
        queue_id,
        flag: message.flag(),
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        born_host: header.born_host,
        store_timestamp: now_ms,
        reconsume_times: header.reconsume_times,
        prepared_transaction_offset: header.prepared_transaction_offset,
        tags_code: message.tags().map_or(0, java_string_hash),
        body: message.body(),
        properties,
    }
}
