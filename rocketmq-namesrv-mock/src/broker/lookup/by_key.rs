//! Finds messages by key: 12. Java: `QueryMessageProcessor`, `IndexService`.

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageExt;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::QueryMessageFields;

use crate::broker::state::{Broker, State};
use crate::store::decode_head;
use crate::wire::{Answer, Refusal, Request, required};

/// The largest number of messages with a unique key, whatever the request says. Java: `defaultQueryMaxNum`.
const UNIQUE_MAX_NUM: usize = 32;

/// The largest number of messages in an answer. Java: `maxMsgsNumBatch`.
const MAX_NUM: usize = 64;

/// The precision of times in the index.
const INDEX_PRECISION_MS: i64 = 1000;

/// 12. Of too many messages it returns the newest, in the order of storing.
pub(crate) fn by_key(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QueryMessageFields<'_> = request.fields()?;
    let max_num = match fields.unique_key_query {
        Some(true) => UNIQUE_MAX_NUM,
        _ => usize::try_from(required(fields.max_num, "maxNum")?)
            .map_err(|_| Refusal::exception("java.lang.IllegalArgumentException", "Illegal Capacity"))?,
    };
    let max_num = max_num.min(MAX_NUM);
    let (topic, key) = (required(fields.topic, "topic")?, required(fields.key, "key")?);
    let begin_ms = required(fields.begin_timestamp, "beginTimestamp")?;
    let end_ms = required(fields.end_timestamp, "endTimestamp")?;
    let state = broker.lock();
    let first_ms = state.log.oldest().and_then(decode_head).map_or(0, |message| message.store_timestamp());
    let mut found: Vec<&Bytes> = Vec::new();
    for number in record_numbers(&state, &topic).into_iter().rev() {
        if found.len() >= max_num {
            break;
        }
        let Some(record) = state.log.record(number) else { continue };
        let Some(message) = decode_head(record) else { continue };
        let since_ms = message.store_timestamp() - first_ms;
        let indexed_ms = first_ms + since_ms - since_ms.rem_euclid(INDEX_PRECISION_MS);
        if has_key(&message, &key) && (begin_ms..=end_ms).contains(&indexed_ms) {
            found.push(record);
        }
    }
    let newest = found.first().copied().and_then(decode_head);
    let answer = Answer::success()
        .with_field("indexLastUpdateTimestamp", newest.as_ref().map_or(0, MessageExt::store_timestamp))
        .with_field("indexLastUpdatePhyoffset", newest.as_ref().map_or(0, MessageExt::commit_log_offset));
    if found.is_empty() {
        let remark = "can not find message, maybe time range not correct";
        return Err(Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark).with_fields(answer.fields));
    }
    let mut body = BytesMut::with_capacity(found.iter().map(|record| record.len()).sum());
    found.iter().rev().for_each(|record| body.extend_from_slice(record));
    Ok(answer.with_body(body))
}

/// The records of a topic in the order in which they were stored.
fn record_numbers(state: &State, topic: &str) -> Vec<usize> {
    let queues = state.topics.get(topic).map(|topic| topic.queues()).unwrap_or_default();
    let mut numbers: Vec<_> =
        queues.iter().flat_map(|queue| queue.entries()).map(|entry| entry.record).collect();
    numbers.sort_unstable();
    // A record of several messages stands in its queue as often.
    numbers.dedup();
    numbers
}

/// Whether a message is indexed under `key`: each word of its keys is, and its unique key.
fn has_key(message: &MessageExt, key: &str) -> bool {
    let is_word = message.keys().is_some_and(|keys| keys.split(' ').any(|word| word == key));
    is_word || message.unique_key() == Some(key)
}
