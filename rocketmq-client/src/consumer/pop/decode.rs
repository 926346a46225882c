use std::borrow::Cow;
use std::sync::Arc;

use rocketmq_common::record::RecordDecoder;
use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::protocol::KeptBody;

use super::{PopHandle, PopHandles};
use crate::conf::Undecodable;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::{admit, apart, event_of, stand_in_of};
use crate::consumer::watch::ConsumerEvent;

/// The contents of the answer to a pop.
#[derive(Debug, Default)]
pub(super) struct Popped {
    pub(super) messages: Vec<(MessageExt, PopHandle)>,
    /// Messages that the subscription does not want, and unreadable records that are to be skipped: acknowledged at once.
    pub(super) unwanted: Vec<PopHandle>,
    /// Messages that the cache has no room for: given back.
    pub(super) refused: Vec<PopHandle>,
    /// The places in `messages` of stand-ins for records that cannot be read, and why.
    pub(super) unread: Vec<(usize, Arc<MessageExt>, String)>,
    pub(super) broken: Vec<ConsumerEvent>,
    /// Bytes of memory that the messages keep.
    pub(super) pinned: u64,
}

/// Reads the records of an answer.
pub(super) fn decode(
    member: &Member,
    owned: &OwnedQueue,
    handles: &mut PopHandles,
    body: KeptBody,
) -> Popped {
    let mut popped = Popped { pinned: body.pinned() as u64, ..Popped::default() };
    let bytes = body.into_bytes();
    let answer = bytes.as_ptr_range();
    let queue = &owned.queue;
    let (mut received, mut filtered) = (0, 0);
    for record in RecordDecoder::new(bytes.clone()).with_topic(owned.request.topic.clone()) {
        match record {
            Ok(mut message) => {
                received += 1;
                let handle = handles.of(&message);
                message.set_topic(owned.request.topic.clone());
                if !admit(member, owned, false, &mut message) {
                    filtered += 1;
                    popped.unwanted.push(handle);
                    continue;
                }
                let count = handles.count(&handle);
                if count > 0 {
                    message.update_header(|header| header.reconsume_times = count);
                }
                let apart = apart(&answer, &message);
                popped.pinned += (size_of::<MessageExt>() + apart) as u64;
                popped.messages.push((message, handle));
                if apart > 0 && member.is_full_with(popped.pinned) {
                    // A small answer can inflate to very much: what stays packed is for other members, or comes again.
                    popped.refused.extend(std::iter::from_fn(|| handles.of_unread()));
                    break;
                }
            }
            Err(error) => {
                // Behind a record without an end nothing is known: its messages come again, each by itself.
                let handle = handles.of_unread().filter(|_| !error.is_last());
                // A pop of all queues names none: the handle does.
                let stored = handle.map_or(Cow::Borrowed(queue), |handle| {
                    let topic = handle.kind.topic(queue.topic(), member.group());
                    Cow::Owned(MessageQueue::new(&*topic, queue.broker_name(), handle.queue_id))
                });
                popped.broken.push(event_of(member, &stored, &error, &bytes));
                let Some(handle) = handle else { continue };
                if member.settings.undecodable == Undecodable::DeadLetter {
                    let stand_in = stand_in_of(&stored, handle.offset, &error, &bytes);
                    popped.unread.push((
                        popped.messages.len(),
                        Arc::new(stand_in.clone()),
                        error.to_string(),
                    ));
                    popped.messages.push((stand_in, handle));
                } else {
                    popped.unwanted.push(handle);
                }
            }
        }
    }
    let recorder = &member.recorder;
    recorder.popped(1);
    recorder.received(received);
    recorder.received_bytes_of(bytes.len() as u64);
    recorder.filtered(filtered);
    recorder.undecodable(popped.broken.len() as u64);
    popped
}
