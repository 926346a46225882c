use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rocketmq_common::message_const::PROPERTY_RETRY_TOPIC;
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{Message, MessageExt, MessageQueue};
use rocketmq_remoting::protocol::KeptBody;

use crate::conf::Undecodable;
use crate::consumer::member::{Member, OwnedQueue, Settings};
use crate::consumer::retry::{
    DLQ_ORIGIN_BROKER, DLQ_ORIGIN_QUEUE_ID, DLQ_ORIGIN_QUEUE_OFFSET, NO_COMMIT_LOG_OFFSET,
};
use crate::consumer::watch::ConsumerEvent;

/// The contents of the body of an answer.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// Wanted messages.
    pub(super) messages: Vec<MessageExt>,
    /// Bytes of memory that the messages keep.
    pub(super) pinned: u64,
    /// Records that cannot be read.
    pub(super) broken: Vec<ConsumerEvent>,
    /// The stand-ins in `messages` for records that cannot be read, until they are dead letters, and why they cannot be read.
    pub(super) unread: Vec<(i64, Arc<MessageExt>, String)>,
    /// The rest of the body is lost: the next pull begins here.
    pub(super) read_to: Option<i64>,
    /// The first record hides the records behind it: the next pull asks for it alone.
    pub(super) one_by_one: bool,
}

/// Reads the records of a body that was pulled from the offset `asked`, and that ends before the offset `end`. What the subscription
/// does not want is left out. `alone`: the body is a single record.
pub(super) fn decode(
    member: &Member,
    owned: &OwnedQueue,
    (asked, end): (i64, Option<i64>),
    alone: bool,
    body: KeptBody,
) -> Pulled {
    let mut pulled = Pulled { pinned: body.pinned() as u64, ..Pulled::default() };
    pulled.messages.reserve_exact(member.settings.pull_batch_size.clamp(1, 64) as usize);
    let bytes = body.into_bytes();
    let answer = bytes.as_ptr_range();
    let queue = &owned.queue;
    let alone = end.filter(|_| alone);
    let mut next = None;
    let (mut received, mut filtered) = (0, 0);
    let mut records = RecordDecoder::new(bytes.clone()).with_topic(owned.request.topic.clone());
    while let Some(record) = records.next_into(&mut pulled.messages) {
        match record {
            Ok(()) => {
                let Some(message) = pulled.messages.last_mut() else { break };
                received += 1;
                let offset = message.queue_offset();
                if offset < 0 || end.is_some_and(|end| offset >= end) {
                    // To believe it would pass what lies between.
                    let place = next.unwrap_or(asked);
                    tracing::warn!(%queue, offset, place, "a record is of another offset than its answer: it counts at its place");
                    message.update_header(|header| header.queue_offset = place);
                }
                next = Some(message.queue_offset().saturating_add(1));
                if !admit(member, owned, owned.subscribed.is_retry, message) {
                    filtered += 1;
                    pulled.messages.pop();
                    continue;
                }
                let apart = apart(&answer, message);
                pulled.pinned += (size_of::<MessageExt>() + apart) as u64;
                if apart > 0 && member.is_full_with(pulled.pinned) {
                    // A small answer can inflate to very much: the rest is pulled again when there is room.
                    pulled.read_to = next;
                    break;
                }
            }
            Err(error) => {
                if error.is_last() && (alone.is_none() || next.is_some()) {
                    // Behind it nothing is known: the rest is pulled again, from where this answer was read to.
                    pulled.read_to = Some(next.unwrap_or(i64::MIN));
                    pulled.one_by_one = next.is_none();
                    if pulled.one_by_one {
                        break;
                    }
                } else {
                    // The lowest offset that the record can have. What it says of itself may be broken, too.
                    let lowest = alone.map_or(asked, |end| asked.max(end - 1));
                    let place = next.unwrap_or(lowest);
                    next = Some(place + 1);
                    if member.settings.undecodable == Undecodable::DeadLetter {
                        let stand_in = stand_in_of(queue, place, &error, &bytes);
                        pulled.messages.push(stand_in.clone());
                        pulled.unread.push((place, Arc::new(stand_in), error.to_string()));
                    }
                }
                pulled.broken.push(event_of(member, queue, &error, &bytes));
            }
        }
    }
    let recorder = &member.recorder;
    recorder.pulled(1);
    recorder.received(received);
    recorder.received_bytes_of(bytes.len() as u64);
    recorder.filtered(filtered);
    recorder.undecodable(pulled.broken.len() as u64);
    pulled
}

/// Prepares a received message for listeners. False if the subscription or a hook of the user leaves it out.
pub(crate) fn admit(member: &Member, owned: &OwnedQueue, is_retry: bool, message: &mut MessageExt) -> bool {
    if !owned.subscribed.subscription.wants(message) {
        return false;
    }
    message.set_broker_name(owned.queue.shared_broker_name().clone());
    if is_retry || member.settings.namespace.is_some() {
        show_topic(member, is_retry, message);
    }
    let_pass(member, owned, message)
}

/// The bytes of a body that was inflated, and so is not part of the answer.
pub(crate) fn apart(answer: &Range<*const u8>, message: &MessageExt) -> usize {
    let body = message.body();
    if answer.contains(&body.as_ptr()) { 0 } else { body.len() }
}

/// Whether no hook of the user leaves the message out.
fn let_pass(member: &Member, owned: &OwnedQueue, message: &MessageExt) -> bool {
    let Settings { hooks, plain_group, unit_mode, .. } = &member.settings;
    hooks.filter.is_empty() || hooks.let_pass(plain_group, message, &owned.shown_of(message), *unit_mode)
}

/// A message that comes again has its original topic for listeners.
pub(crate) fn show_topic(member: &Member, is_retry: bool, message: &mut MessageExt) {
    if is_retry {
        let topic = message.property(PROPERTY_RETRY_TOPIC).unwrap_or(message.topic());
        // Messages that were popped before the group was told to pull come from a topic of their own.
        let topic = member.popped_topic(topic).unwrap_or(topic).to_owned();
        message.set_topic(topic);
    }
    if member.settings.namespace.is_some() {
        let plain = member.plain_topic(message.topic()).into_owned();
        message.set_topic(plain);
    }
}

/// A message whose body is a whole record that cannot be read. Its place in the commit log is not known, so that no broker can
/// be asked to copy it from there.
pub(crate) fn stand_in_of(
    queue: &MessageQueue,
    place: i64,
    error: &RecordError,
    bytes: &Bytes,
) -> MessageExt {
    let mut message = Message::new(queue.topic(), raw(error, bytes));
    message.put_property(DLQ_ORIGIN_BROKER, queue.broker_name());
    message.put_property(DLQ_ORIGIN_QUEUE_ID, queue.queue_id().to_string());
    message.put_property(DLQ_ORIGIN_QUEUE_OFFSET, error.queue_offset().unwrap_or(place).to_string());
    let header = RecordHeader {
        queue_id: queue.queue_id(),
        queue_offset: place,
        commit_log_offset: NO_COMMIT_LOG_OFFSET,
        ..RecordHeader::default()
    };
    let mut message = MessageExt::new(message, header);
    message.set_broker_name(queue.shared_broker_name().clone());
    message
}

/// The bytes of a record whose size could be read.
fn raw(error: &RecordError, bytes: &Bytes) -> Bytes {
    let rest = bytes.slice(error.position().min(bytes.len())..);
    let size = rest.first_chunk::<4>().map_or(0, |size| u32::from_be_bytes(*size) as usize);
    rest.slice(..size.min(rest.len()))
}

/// Tells of a record that cannot be read.
pub(crate) fn event_of(
    member: &Member,
    queue: &MessageQueue,
    error: &RecordError,
    bytes: &Bytes,
) -> ConsumerEvent {
    ConsumerEvent::MessageUndecodable {
        group: member.events.group(),
        queue: queue.clone(),
        offset: error.queue_offset(),
        reason: error.to_string().into(),
        // The record begins here; how long it is may be what cannot be read.
        raw: bytes.slice(error.position().min(bytes.len())..),
    }
}
