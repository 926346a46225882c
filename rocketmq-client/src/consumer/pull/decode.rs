use std::sync::Arc;

use rocketmq_common::message_const::PROPERTY_RETRY_TOPIC;
use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::protocol::KeptBody;

use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::watch::ConsumerEvent;

/// What the body of an answer holds.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// Wanted messages with their offsets.
    pub(super) messages: Vec<(i64, Arc<MessageExt>)>,
    /// Bytes of memory that the messages keep.
    pub(super) pinned: u64,
    /// Records that cannot be read.
    pub(super) broken: Vec<ConsumerEvent>,
    /// The rest of the body is lost: the next pull begins here.
    pub(super) read_to: Option<i64>,
}

/// Reads the records of a body. What the subscription does not want is left out.
pub(super) fn decode(member: &Member, owned: &OwnedQueue, body: KeptBody) -> Pulled {
    let mut pulled = Pulled { pinned: body.pinned() as u64, ..Pulled::default() };
    pulled.messages.reserve_exact(member.settings.pull_batch_size.clamp(1, 64) as usize);
    let bytes = body.into_bytes();
    let (queue, subscribed) = (&owned.queue, &owned.subscribed);
    let mut next = None;
    for record in RecordDecoder::new(bytes.clone()) {
        match record {
            Ok(mut message) => {
                let offset = message.queue_offset();
                next = Some(offset + 1);
                if !subscribed.subscription.wants(&message) {
                    continue;
                }
                message.set_broker_name(queue.shared_broker_name().clone());
                show_topic(member, subscribed.is_retry, &mut message);
                pulled.messages.push((offset, Arc::new(message)));
            }
            Err(error) => {
                if error.is_last() {
                    // Behind it nothing is known: the rest is pulled again, from where this answer was read to.
                    pulled.read_to = Some(next.unwrap_or(i64::MIN));
                } else {
                    next = error.queue_offset().map(|offset| offset + 1).or(next);
                }
                pulled.broken.push(event(member, queue, &error, &bytes));
            }
        }
    }
    pulled
}

/// A message that comes again has its original topic for listeners.
fn show_topic(member: &Member, is_retry: bool, message: &mut MessageExt) {
    if is_retry && let Some(topic) = message.property(PROPERTY_RETRY_TOPIC).map(str::to_owned) {
        message.set_topic(topic);
    }
    if member.settings.namespace.is_some() {
        let plain = member.plain_topic(message.topic()).into_owned();
        message.set_topic(plain);
    }
}

fn event(member: &Member, queue: &MessageQueue, error: &RecordError, bytes: &bytes::Bytes) -> ConsumerEvent {
    ConsumerEvent::MessageUndecodable {
        group: member.events.group(),
        queue: queue.clone(),
        offset: error.queue_offset(),
        reason: error.to_string().into(),
        // The record begins here; how long it is may be what cannot be read.
        raw: bytes.slice(error.position().min(bytes.len())..),
    }
}
