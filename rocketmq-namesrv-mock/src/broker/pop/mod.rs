//! Pops: a broker hands messages out, hides them for a while, and hands them out again unless they are acknowledged.
//! 200050 – 200055, 200151. Java: `PopMessageProcessor` and its neighbours.
//!
//! - this file: a pop from request to answer.
//! - [`checks`]: whether a group may pop.
//! - [`take`]: takes messages off queues.
//! - [`ack`], [`change`], [`handle`]: acknowledges messages or hides them for longer, by the handle of each.
//! - [`revive`]: makes messages visible again.
//! - [`look`]: looks without taking.
//!
//! [`state::pops`](super::state::pops) holds the popped messages.

mod ack;
mod change;
mod checks;
mod handle;
mod look;
mod revive;
mod take;

use rocketmq_remoting::protocol::header::PopMessageFields;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

pub(crate) use ack::{ack, batch_ack};
pub(crate) use change::change_invisible_time;
use checks::{check, check_broker};
pub(crate) use look::{notification, peek, polling_info};
pub(crate) use revive::due;
use take::{Pop, Popped};

use crate::broker::records::joined;
use crate::broker::state::pops::{PopWait, WaitKind};
use crate::broker::state::{Broker, HeldRequest, Serve, State};
use crate::history::BrokerEvent;
use crate::wire::{Answer, Refusal, Reply, read_fields};

/// The largest number of messages of one pop.
const MAX_MSG_NUMS: i32 = 32;

/// How long after its end a pop is still served.
const TOO_LATE_MS: i64 = 500;

/// The largest number of reads for one request when the filter passes no message.
const MAX_ROUNDS: usize = 1000;

/// An answer to a request, or a request to hold.
enum PopOutcome {
    Answer(Answer),
    Hold(PopWait),
}

/// 200050.
pub(crate) fn pop(broker: &Broker, mut command: RemotingCommand, responder: Reply) {
    stamp(broker, &mut command);
    HeldRequest::wake_all(serve(broker, command, responder), broker);
}

/// Sets a missing time of the request to now. The client's time does not count either if the broker goes by another
/// clock.
fn stamp(broker: &Broker, command: &mut RemotingCommand) {
    let born = command.ext_fields.get("bornTime").and_then(|text| text.parse().ok()).unwrap_or(0);
    if born == 0 || broker.clock.is_virtual() {
        command.ext_fields.insert("bornTime", broker.now_ms().to_string());
    }
}

/// Answers a pop or holds it. Returns other requests that it wakes.
fn serve(broker: &Broker, command: RemotingCommand, responder: Reply) -> Vec<HeldRequest> {
    let mut woken = Vec::new();
    let mut state = broker.lock();
    let outcome = run(broker, &mut state, &command, &responder, &mut woken);
    finish(broker, state, outcome, (command, responder, serve));
    woken
}

/// Sends the answer, or holds the request until it is woken.
fn finish(
    broker: &Broker,
    mut state: std::sync::MutexGuard<'_, State>,
    outcome: Result<PopOutcome, Refusal>,
    (command, responder, serve): (RemotingCommand, Reply, Serve),
) {
    match outcome {
        Ok(PopOutcome::Hold(place)) => {
            let is_sooner = state.pops.held.add(place, command, responder, serve);
            drop(state);
            if is_sooner {
                broker.held_sooner.notify_one();
            }
        }
        Ok(PopOutcome::Answer(answer)) => {
            drop(state);
            answer.send(responder);
        }
        Err(refusal) => {
            drop(state);
            refusal.send(responder);
        }
    }
}

fn run(
    broker: &Broker,
    state: &mut State,
    command: &RemotingCommand,
    responder: &Reply,
    woken: &mut Vec<HeldRequest>,
) -> Result<PopOutcome, Refusal> {
    let fields: PopMessageFields<'_> = read_fields(&command.ext_fields)?;
    let refuse = |code, remark| Err(Refusal { fields: no_messages(), ..Refusal::new(code, remark) });
    let host = broker.address().ip();
    let end_ms = checks::end_ms(&fields);
    if broker.now_ms().saturating_sub(end_ms) > TOO_LATE_MS {
        let remark = format!("the broker[{host}] pop message is timeout too much");
        return refuse(ResponseCode::POLLING_TIMEOUT, remark);
    }
    check_broker(broker, "pop").map_err(|refusal| refusal.with_fields(no_messages()))?;
    if fields.max_msg_nums.unwrap_or(0) > MAX_MSG_NUMS {
        let remark = format!("the broker[{host}] pop message's num is greater than 32");
        return refuse(ResponseCode::INVALID_PARAMETER, remark);
    }
    let allowed = check(state, &fields, responder).map_err(|refusal| refusal.with_fields(no_messages()))?;
    let filter = checks::filter(&fields).map_err(|refusal| refusal.with_fields(no_messages()))?;
    let pop = Pop::new(broker, state, &fields, &allowed, filter.clone());
    let mut rounds = 0;
    loop {
        let mut popped = pop.take(broker, state);
        for (queue, offsets) in popped.taken.drain(..) {
            let client = state.consumers.client(allowed.group, responder.connection());
            let group = allowed.group.into();
            broker.recorder.note(|| BrokerEvent::Popped { group, client, queue, offsets });
        }
        if !popped.records.is_empty() {
            if popped.rest > 0 {
                state.pops.held.wake_one(WaitKind::Pop, allowed.place(&fields), woken);
            }
            return Ok(PopOutcome::Answer(answer(ResponseCode::SUCCESS, "FOUND", &pop, popped)));
        }
        let place = PopWait::new(allowed.place(&fields), WaitKind::Pop, end_ms, filter.clone());
        let code = match place.check(&state.pops.held, fields.poll_time.unwrap_or(0)) {
            Ok(()) if popped.rest > 0 && rounds < MAX_ROUNDS => {
                rounds += 1;
                continue;
            }
            Ok(()) => return Ok(PopOutcome::Hold(place)),
            Err(code) => code,
        };
        return Ok(PopOutcome::Answer(answer(code, "NO_MESSAGE_IN_QUEUE", &pop, popped)));
    }
}

/// Java: `PopMessageResponseHeader`.
fn answer(code: ResponseCode, remark: &'static str, pop: &Pop<'_>, popped: Popped) -> Answer {
    let answer = Answer { code, ..Answer::success() }
        .with_remark(remark)
        .with_field("popTime", pop.pop_time)
        .with_field("invisibleTime", pop.invisible_time)
        .with_field("reviveQid", pop.revive_queue_id)
        .with_field("restNum", popped.rest)
        .with_field("startOffsetInfo", &popped.start_offsets)
        .with_field("msgOffsetInfo", &popped.message_offsets);
    let answer = match pop.is_ordered {
        true => answer.with_field("orderCountInfo", &popped.order_counts),
        false => answer,
    };
    answer.with_body(joined(popped.records.iter()))
}

/// The answer without messages: its header must have numbers, like Java's.
fn no_messages() -> ExtFields {
    ["popTime", "invisibleTime", "reviveQid", "restNum"].into_iter().map(|name| (name, "0")).collect()
}
