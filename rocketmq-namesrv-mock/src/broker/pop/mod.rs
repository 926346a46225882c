//! Popping: messages that a broker hands out one by one, hides for a while, and hands out again unless they are
//! acknowledged. 200050 – 200055, 200151. Java: `PopMessageProcessor` and its kin.
//!
//! | to find | look in |
//! |---|---|
//! | who may ask | [`checks`] |
//! | taking messages off queues | [`take`] |
//! | what was handed out and is not acknowledged | [`checkpoints`], in order: [`orders`] |
//! | acknowledging, hiding for longer | [`ack`], [`change`], [`handle`] |
//! | handing out again | [`revive`] |
//! | requests that wait for a message | [`held`] |
//! | asking without taking | [`look`] |

mod ack;
mod change;
mod checkpoints;
mod checks;
mod handle;
mod held;
mod look;
mod orders;
mod revive;
mod take;

use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

pub(super) use ack::{ack, batch_ack};
pub(super) use change::change_invisible_time;
use checkpoints::Checkpoints;
use checks::{PopFields, check, check_broker};
use held::{HeldPops, Kind, Place};
pub(super) use look::{notification, peek, polling_info};
use orders::Orders;
use revive::Event;
pub(in crate::broker) use revive::due;
use take::{Pop, Popped};

use super::pull::HeldPull;
use super::{Broker, State};
use crate::clock::system_ms;
use crate::wire::{Answer, Refusal, Reply};

/// The most messages of one pop.
const MAX_MSG_NUMS: i32 = 32;

/// How long after its end a pop is still looked at.
const TOO_LATE_MS: i64 = 500;

/// How often one request looks again when it only saw messages that it does not want.
const MAX_ROUNDS: usize = 1000;

/// A queue as a group pops it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::broker) struct QueueKey {
    topic: String,
    group: String,
    queue_id: i32,
}

/// All that is to be remembered of pops.
#[derive(Debug, Default)]
pub(crate) struct PopTable {
    checkpoints: Checkpoints,
    orders: Orders,
    events: std::collections::HashMap<u64, Event>,
    /// How many events there were.
    event_count: u64,
    /// How many pops there were.
    pop_count: i32,
    pub(crate) held: HeldPops,
}

/// What becomes of a request.
enum Outcome {
    Answer(Answer),
    Hold(Place),
}

impl QueueKey {
    fn new(topic: &str, group: &str, queue_id: i32) -> Self {
        Self { topic: topic.to_owned(), group: group.to_owned(), queue_id }
    }
}

/// 200050.
pub(super) fn pop(broker: &Broker, mut command: RemotingCommand, responder: Reply) {
    stamp(&mut command);
    HeldPull::wake_all(serve(broker, command, responder), broker);
}

/// A request without the time at which it was made was made now.
fn stamp(command: &mut RemotingCommand) {
    let born = command.ext_fields.get("bornTime").and_then(|text| text.parse().ok()).unwrap_or(0);
    if born == 0 {
        command.ext_fields.insert("bornTime", system_ms().to_string());
    }
}

/// Answers a pop or holds it. Returns the requests that others have woken.
fn serve(broker: &Broker, command: RemotingCommand, responder: Reply) -> Vec<HeldPull> {
    let mut woken = Vec::new();
    let mut state = broker.lock();
    let outcome = run(broker, &mut state, &command, &responder, &mut woken);
    finish(broker, state, outcome, (command, responder, serve));
    woken
}

/// Sends the answer, or keeps the request until it is woken.
fn finish(
    broker: &Broker,
    mut state: std::sync::MutexGuard<'_, State>,
    outcome: Result<Outcome, Refusal>,
    (command, responder, serve): (RemotingCommand, Reply, held::Serve),
) {
    match outcome {
        Ok(Outcome::Hold(place)) => {
            let is_sooner = state.pops.held.add(place, command, responder, serve);
            drop(state);
            if is_sooner {
                broker.held_sooner.notify_one();
            }
        }
        Ok(Outcome::Answer(answer)) => {
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
    woken: &mut Vec<HeldPull>,
) -> Result<Outcome, Refusal> {
    let fields = PopFields::read(command)?;
    let refuse = |code, remark| Err(Refusal { fields: no_messages(), ..Refusal::new(code, remark) });
    let host = broker.address().ip();
    let end_ms = fields.end_ms();
    if system_ms().saturating_sub(end_ms) > TOO_LATE_MS {
        let remark = format!("the broker[{host}] pop message is timeout too much");
        return refuse(ResponseCode::POLLING_TIMEOUT, remark);
    }
    check_broker(broker, "pop").map_err(|refusal| refusal.with_fields(no_messages()))?;
    if fields.max_msg_nums() > MAX_MSG_NUMS {
        let remark = format!("the broker[{host}] pop message's num is greater than 32");
        return refuse(ResponseCode::INVALID_PARAMETER, remark);
    }
    let allowed = check(state, &fields, responder).map_err(|refusal| refusal.with_fields(no_messages()))?;
    let filter = checks::filter(&fields).map_err(|refusal| refusal.with_fields(no_messages()))?;
    let pop = Pop::new(broker, state, &fields, &allowed, filter.clone());
    let mut rounds = 0;
    loop {
        let popped = pop.take(broker, state);
        if !popped.records.is_empty() {
            if popped.rest > 0 {
                state.pops.held.wake_one(Kind::Pop, allowed.place(&fields), woken);
            }
            return Ok(Outcome::Answer(answer(ResponseCode::SUCCESS, "FOUND", &pop, popped)));
        }
        let place = Place::new(allowed.place(&fields), Kind::Pop, end_ms, filter.clone());
        let code = match place.check(&state.pops.held, fields.poll_time.unwrap_or(0)) {
            Ok(()) if popped.rest > 0 && rounds < MAX_ROUNDS => {
                rounds += 1;
                continue;
            }
            Ok(()) => return Ok(Outcome::Hold(place)),
            Err(code) => code,
        };
        return Ok(Outcome::Answer(answer(code, "NO_MESSAGE_IN_QUEUE", &pop, popped)));
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
    answer.with_body(super::pull::joined(popped.records.iter()))
}

/// Java's header has numbers, and they are there even if nothing was popped.
fn no_messages() -> ExtFields {
    ["popTime", "invisibleTime", "reviveQid", "restNum"].into_iter().map(|name| (name, "0")).collect()
}
