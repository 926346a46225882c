//! Pulls: 11, 361. Java: `PullMessageProcessor`.
//!
//! - this file: a pull from request to answer.
//! - [`checks`]: whether a group may read a queue.

mod checks;

use std::time::Duration;

use bytes::Bytes;
use rocketmq_common::sysflag::PullSysFlag;
use rocketmq_remoting::protocol::header::{LenientFields, NumberPolicy, PullMessageFields};
use rocketmq_remoting::protocol::{EncodeHeader, ExtFields, FieldSink, RemotingCommand, ResponseCode};

use crate::broker::records::joined;
use crate::broker::records::read::{self, Found, Room};
use crate::broker::state::{Broker, HeldRequest, Obeyed, PullWait, State};
use crate::history::BrokerEvent;
use crate::store::ConsumeQueue;
use crate::wire::{Refusal, Reply, required};
use checks::Permitted;

/// Whether a pull without a message may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspend {
    /// The pull came from a client.
    Allowed,
    /// The pull was held and is answered now.
    Never,
}

/// An answer to a pull, or a pull to hold.
enum PullOutcome {
    Answer(PullAnswer, Bytes),
    /// There is no message, and the client wants to wait.
    Hold(PullWait),
}

/// 11, 361.
pub(crate) fn pull(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let mut state = broker.lock();
    match run(broker, &mut state, &command, &responder, Suspend::Allowed) {
        Ok(PullOutcome::Hold(place)) => {
            // Hold it under the lock of the look-up: a message stored in between would be missed.
            let is_sooner = state.held.add(place, command, responder, answer_now);
            drop(state);
            if is_sooner {
                broker.held_sooner.notify_one();
            }
        }
        Ok(PullOutcome::Answer(header, body)) => {
            drop(state);
            answer(&header, &body, responder);
        }
        Err(refusal) => {
            drop(state);
            refusal.send(responder);
        }
    }
}

/// Answers a held pull.
fn answer_now(broker: &Broker, command: RemotingCommand, responder: Reply) -> Vec<HeldRequest> {
    let outcome = run(broker, &mut broker.lock(), &command, &responder, Suspend::Never);
    match outcome {
        Ok(PullOutcome::Answer(header, body)) => answer(&header, &body, responder),
        // Cannot happen: `Suspend::Never` holds nothing.
        Ok(PullOutcome::Hold(_)) => {}
        Err(refusal) => refusal.send(responder),
    }
    Vec::new()
}

fn run(
    broker: &Broker,
    state: &mut State,
    command: &RemotingCommand,
    responder: &Reply,
    suspend: Suspend,
) -> Result<PullOutcome, Refusal> {
    let fields = PullMessageFields::read(&command.ext_fields, NumberPolicy::Refuse)?;
    let Permitted { group, topic, queue_id, topic_sys_flag, group_sys_flag, group_broker_id, filter } =
        checks::check(broker, state, &fields, responder)?;
    let offset = required(fields.queue_offset, "queueOffset")?;
    let max_msg_nums = required(fields.max_msg_nums, "maxMsgNums")?;
    let empty = ConsumeQueue::default();
    let queue = state.topics.get(topic).and_then(|topic| topic.queue(queue_id)).unwrap_or(&empty);
    // A pending reset overrides the requested offset: the answer sends the group there.
    let mut found = match state.offsets.take_reset(topic, group, queue_id) {
        Some(target) => read::moved(queue, target),
        None => read::read(queue, &state.log, offset, Room::new(broker, max_msg_nums), &filter),
    };
    let mut code = found.code(offset);
    if broker.is_slave() && code == ResponseCode::PULL_OFFSET_MOVED {
        // What its master has may be on its way: the client is to ask again.
        (code, found.next_begin_offset) = (ResponseCode::PULL_RETRY_IMMEDIATELY, offset);
    }
    state.offsets.note_pull(topic, group, queue_id, found.next_begin_offset);

    let sys_flag = PullSysFlag::from_bits(required(fields.sys_flag, "sysFlag")?);
    // Commit when the request arrives, not again when a held pull is answered.
    if suspend == Suspend::Allowed && sys_flag.contains(PullSysFlag::COMMIT_OFFSET) {
        let offset = required(fields.commit_offset, "commitOffset")?;
        state.offsets.commit(topic, group, queue_id, offset);
        broker.recorder.note(|| BrokerEvent::Committed {
            group: group.into(),
            client: state.consumers.client(group, responder.connection()),
            queue: broker.queue(topic, queue_id),
            offset,
        });
    }
    let may_wait = suspend == Suspend::Allowed && sys_flag.contains(PullSysFlag::SUSPEND);
    if may_wait && code == ResponseCode::PULL_NOT_FOUND {
        let timeout_ms = required(fields.suspend_timeout_millis, "suspendTimeoutMillis")?;
        let timeout = match broker.obeyed() {
            Obeyed { long_polling: false, short_polling, .. } => short_polling,
            _ => Duration::from_millis(timeout_ms.max(0).unsigned_abs()),
        };
        let due_ms = broker.clock.after(timeout);
        return Ok(PullOutcome::Hold(PullWait::new(topic, queue_id, due_ms, filter)));
    }
    broker.recorder.note(|| BrokerEvent::Pulled {
        group: group.into(),
        client: state.consumers.client(group, responder.connection()),
        queue: broker.queue(topic, queue_id),
        from: offset,
        to: found.next_begin_offset,
        count: found.messages.len(),
    });
    let body = body(state, &found);
    if !found.messages.is_empty() {
        state.figures.get(broker.now_ms(), topic, group, found.messages.len(), body.len());
    }
    let suggested = match broker.suggested() {
        0 if broker.obeyed().slave_read => group_broker_id,
        id => id,
    };
    Ok(PullOutcome::Answer(PullAnswer { code, found, topic_sys_flag, group_sys_flag, suggested }, body))
}

/// The records of the answer; without a copy if they lie next to each other.
fn body(state: &State, found: &Found) -> Bytes {
    if let [(_, first), .., (_, last)] = found.messages[..] {
        // The numbers increase, so the records are neighbours if the count fits.
        let whole = (last - first + 1 == found.messages.len()).then(|| state.log.in_one_piece(first, last));
        if let Some(whole) = whole.flatten() {
            return whole;
        }
    }
    joined(found.messages.iter().filter_map(|(_, number)| state.log.record(*number)))
}

fn answer(header: &PullAnswer, body: &Bytes, responder: Reply) {
    let remark = header.found.status.name();
    responder.answer(header.code, Some(remark), header, &ExtFields::absent(), body);
}

/// Java: `PullMessageResponseHeader`.
struct PullAnswer {
    code: ResponseCode,
    found: Found,
    topic_sys_flag: i32,
    group_sys_flag: i32,
    /// The broker id to pull from next.
    suggested: i64,
}

impl EncodeHeader for PullAnswer {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.int("suggestWhichBrokerId", self.suggested);
        sink.int("groupSysFlag", i64::from(self.group_sys_flag));
        sink.int("nextBeginOffset", self.found.next_begin_offset);
        sink.int("maxOffset", self.found.max_offset);
        sink.int("minOffset", self.found.min_offset);
        sink.int("topicSysFlag", i64::from(self.topic_sys_flag));
    }
}
