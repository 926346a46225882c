//! Stores several messages of one request.

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{DEFAULT_TRACE_REGION_ID, is_retry_topic};
use rocketmq_common::sysflag::{MessageSysFlag, TransactionType};
use rocketmq_remoting::protocol::ResponseCode;

use super::answer::MsgId;
use super::request::SendRequest;
use super::{Stored, TransactionId, checks};
use crate::broker::later::plan;
use crate::broker::records::{KnownProperties, NewRecord, append, check_room, message_illegal};
use crate::broker::state::{Broker, State};
use crate::store::{ConsumeQueue, with_properties};
use crate::wire::{Refusal, required};

/// Checks and stores a batch: all of its messages or none.
pub(crate) fn store<'a>(broker: &Broker, request: &'a SendRequest<'a>) -> Result<Stored<'a>, Refusal> {
    let now_ms = broker.now_ms();
    let known = KnownProperties::read(&request.properties);
    let mut state = broker.lock();
    let target = checks::check(broker, &mut state, request)?;
    check_topic(&request.topic)?;
    let sys_flag = target.sys_flag(request)?;
    required(request.flag, "flag")?;
    checks::check_storable(broker, &request.topic, sys_flag, &known)?;
    check_wrapper(broker, &known, sys_flag, now_ms)?;
    if request.body.len() > broker.obeyed().max_message_size {
        return Err(Refusal::exception("java.lang.RuntimeException", "message body size exceeded"));
    }
    if has_address_bits(sys_flag) {
        return Err(Refusal::not_supported("a batch with the flag of an IPv6 address"));
    }
    let entries = Entries { rest: request.body }.collect::<Result<Vec<_>, _>>()?;
    let is_batch_queue =
        state.topics.get(&request.topic).is_some_and(|topic| topic.config.has_batch_queues());
    if let Some(id) = known.unique_key.filter(|_| is_batch_queue) {
        let messages = Inner { id, target, sys_flag, count: entries.len(), now_ms };
        return messages.store(broker, &mut state, request);
    }
    let new_record = |entry: &Entry<'a>| NewRecord {
        flag: entry.flag,
        sys_flag,
        tags_code: KnownProperties::read(entry.properties).tags.map_or(0, java_string_hash),
        body: entry.body,
        properties: entry.properties,
        ..request.record(target.queue_id, now_ms)
    };
    let records: Vec<_> = entries.iter().map(new_record).collect();
    check_room(broker, &state, &records)?;
    let mut woken = Vec::new();
    let append = |record| append(broker, &mut state, record, &mut woken);
    let places = records.iter().map(append).collect::<Result<Vec<_>, _>>()?;
    let queue = state.topics.get_mut(&request.topic).and_then(|topic| topic.queue_mut(target.queue_id));
    if let Some(queue) = queue {
        queue.count_in_16_bits(places.len());
    }
    Ok(Stored {
        queue_id: target.queue_id,
        queue_offset: places.first().map_or(0, |place| place.queue_offset),
        msg_id: MsgId::several(places.iter().map(|place| broker.offset_msg_id(place.commit_log_offset))),
        transaction_id: known.unique_key.map(TransactionId::Sent),
        recall_handle: None,
        is_inner_batch: false,
        woken,
    })
}

/// A batch that becomes one record. Java: `SendMessageProcessor.sendBatchMessage`, `QueueTypeUtils.isBatchCq`.
struct Inner<'a> {
    id: &'a str,
    target: checks::Target,
    sys_flag: MessageSysFlag,
    count: usize,
    now_ms: i64,
}

impl<'a> Inner<'a> {
    fn store(
        self,
        broker: &Broker,
        state: &mut State,
        request: &'a SendRequest<'a>,
    ) -> Result<Stored<'a>, Refusal> {
        let Self { id, target, sys_flag, count, now_ms } = self;
        let queue = state.topics.get(&request.topic).and_then(|topic| topic.queue(target.queue_id));
        let base = queue.map_or(0, ConsumeQueue::next_offset).to_string();
        let count = count.to_string();
        let added = [
            (names::PROPERTY_MSG_REGION, DEFAULT_TRACE_REGION_ID),
            (names::PROPERTY_TRACE_SWITCH, broker.trace_switch()),
            (names::PROPERTY_CLUSTER, &*broker.options.cluster),
            (names::PROPERTY_INNER_NUM, count.as_str()),
            (names::PROPERTY_INNER_BASE, base.as_str()),
        ];
        let properties = with_properties(&request.properties, added.into_iter(), &[]);
        let record = NewRecord {
            sys_flag: sys_flag.with(MessageSysFlag::INNER_BATCH).with(MessageSysFlag::NEED_UNWRAP),
            tags_code: KnownProperties::read(&request.properties).tags.map_or(0, java_string_hash),
            flag: required(request.flag, "flag")?,
            body: request.body,
            properties: &properties,
            ..request.record(target.queue_id, now_ms)
        };
        let mut woken = Vec::new();
        let place = append(broker, state, &record, &mut woken)?;
        Ok(Stored {
            queue_id: target.queue_id,
            queue_offset: place.queue_offset,
            msg_id: MsgId::one(broker.offset_msg_id(place.commit_log_offset)),
            transaction_id: Some(TransactionId::Sent(id)),
            recall_handle: None,
            is_inner_batch: true,
            woken,
        })
    }
}

fn check_topic(topic: &str) -> Result<(), Refusal> {
    let refuse = |remark| Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
    if topic.len() > 127 {
        return refuse(format!("message topic length too long {}", topic.len()));
    }
    if is_retry_topic(topic) {
        return refuse(format!("batch request does not support retry group {topic}"));
    }
    Ok(())
}

/// Checks properties and flags of the batch: batches hold neither delayed nor half messages. Like Apache's broker, it
/// does not notice the property of half messages without the flag.
fn check_wrapper(
    broker: &Broker,
    known: &KnownProperties<'_>,
    sys_flag: MessageSysFlag,
    now_ms: i64,
) -> Result<(), Refusal> {
    if sys_flag.transaction_type() != TransactionType::NotTransaction {
        return Err(message_illegal(broker));
    }
    if plan::delay_level(known)? > 0 {
        return Err(message_illegal(broker));
    }
    match plan::timer(known, now_ms)? {
        // Apache's broker accepts it and then stops delivering all timers: refuse it instead.
        Some(deliver_ms) if deliver_ms > now_ms => Err(Refusal::not_supported("a batch with a timer")),
        _ => Ok(()),
    }
}

fn has_address_bits(sys_flag: MessageSysFlag) -> bool {
    sys_flag.contains(MessageSysFlag::BORNHOST_V6) || sys_flag.contains(MessageSysFlag::STOREHOSTADDRESS_V6)
}

/// One message of a batch.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    flag: i32,
    body: &'a [u8],
    properties: &'a str,
}

/// Reads a batch like Apache's broker: sizes, magic numbers and checksums in the messages are ignored. Java:
/// `MessageExtEncoder.encode`.
struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Result<Entry<'a>, Refusal> {
        let _size_magic_crc = self.take(12)?;
        let flag = i32::from_be_bytes(self.array()?);
        let length = i32::from_be_bytes(self.array()?);
        let body = usize::try_from(length).ok().and_then(|length| self.take(length).ok());
        let body = body.ok_or_else(|| broken("java.lang.ArrayIndexOutOfBoundsException"))?;
        let length = i16::from_be_bytes(self.array()?);
        let length = usize::try_from(length).map_err(|_| broken(UNDERFLOW))?;
        let properties = self.take(length).map_err(|_| broken("java.lang.IllegalArgumentException"))?;
        match std::str::from_utf8(properties) {
            Ok(properties) => Ok(Entry { flag, body, properties }),
            Err(_) => Err(Refusal::not_supported("a property that is not UTF-8")),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| broken(UNDERFLOW))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| broken(UNDERFLOW))?;
        self.rest = rest;
        Ok(*taken)
    }
}

const UNDERFLOW: &str = "java.nio.BufferUnderflowException";

/// The refusal of a batch that ends too early; Java's exception depends on the place.
fn broken(class: &str) -> Refusal {
    Refusal::exception(class, "the batch ends within a message")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rocketmq_common::{Message, message_batch::MessageBatch};

    use super::*;

    fn entries(batch: &[u8]) -> Result<Vec<Entry<'_>>, Refusal> {
        Entries { rest: batch }.collect()
    }

    #[test]
    fn a_batch_of_the_client_is_read() {
        let mut second = Message::new("T", "b1").with_property("k", "v");
        second.set_flag(7);
        let batch = MessageBatch::new(vec![Message::new("T", "b0"), second]).unwrap().encode().unwrap();
        let found = entries(&batch).unwrap();
        assert_eq!((found[0].body, found[0].flag), (&b"b0"[..], 0));
        assert_eq!((found[1].body, found[1].flag), (&b"b1"[..], 7));
        assert!(found[1].properties.ends_with("k\u{1}v\u{2}"));
    }

    #[test]
    fn a_batch_that_is_cut_off_is_turned_down_whole() {
        let batch = MessageBatch::new(vec![Message::new("T", "b0"); 2]).unwrap().encode().unwrap();
        for length in 1..batch.len() {
            let cut = entries(&batch[..length]);
            assert_eq!(cut.is_ok(), length == batch.len() / 2, "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = entries(&bytes);
        }
    }
}
