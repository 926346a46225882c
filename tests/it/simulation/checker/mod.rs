//! What each run must keep, from what consumers did and what brokers saw. The names of the invariants:
//!
//! | name | what holds |
//! |---|---|
//! | S1 | a message that a broker acknowledged is stored |
//! | S2 | each stored message is delivered with success, or is a dead letter if it failed too often |
//! | S3 | nothing is delivered that was not sent, or differs from what was sent |
//! | S4 | a message comes again only when it failed, or when its queue changed hands with its window unfinished |
//! | S5 | in order: one handler of a queue at a time, and no message before the one ahead of it is finished |
//! | S6 | commits of a member never fall within an ownership, and never pass a message that is not finished |
//! | S7 | no offset is committed that the queue does not have |
//! | L1 | starts and shutdowns return in time |
//! | L2 | in the end each queue has one owner, and its last offset is committed |
//! | L3 | no task and no stream is left |
//! | L5 | failures are counted right, and not more of them are allowed than the options say |
//! | L6 | a shutdown in peace leaves nothing |
//! | L7 | an idle group asks for little |
//!
//! - here: what the rules look at; S1, S3, L5. `passage`: what handlers did with each stored message. `order`: S4, S5.
//!   `commits`: S6, S7. What holds for members that pop stands in `popping`

mod commits;
mod order;
mod passage;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{BrokerEvent, HistoryEntry};

use super::damage::Damaged;
use super::log::{End, Entry, What, short};
use super::older::Lost;
use super::plan::{Kind, Mode, Plan, Step};
use super::popping;
pub(super) use passage::Passages;

/// A stored message at the end of a run.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) queue: MessageQueue,
    pub(super) offset: i64,
    pub(super) number: u32,
    /// How often it had failed when it was stored.
    pub(super) times: u32,
    /// Why it is a dead letter.
    pub(super) reason: Option<String>,
    /// The place of the damaged record that is the body of this dead letter.
    pub(super) origin: Option<(MessageQueue, i64)>,
}

/// What is kept of a run.
pub(super) struct Kept<'a> {
    pub(super) plan: &'a Plan,
    pub(super) entries: &'a [Entry],
    pub(super) history: &'a [HistoryEntry],
    /// The time of the brokers when the log began.
    pub(super) base: SystemTime,
    /// The messages of all topics that the group reads.
    pub(super) records: Vec<Record>,
    pub(super) letters: Vec<Record>,
    pub(super) damaged: Damaged,
    pub(super) lost: Lost,
    /// The group starts here: it need not get earlier messages.
    pub(super) first: u32,
}

impl Kept<'_> {
    /// When an event happened, by the clock of the log.
    pub(super) fn at(&self, entry: &HistoryEntry) -> Duration {
        entry.at.duration_since(self.base).unwrap_or_default()
    }

    fn is_broadcast(&self) -> bool {
        self.plan.mode == Mode::Broadcast
    }
}

/// The invariants that do not hold, one line each.
pub(super) fn check(kept: &Kept<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let passages = Passages::new(kept);
    acknowledged_messages_are_stored(kept, &passages, &mut problems);
    if kept.plan.kind != Kind::Pop {
        failures_are_counted(kept, &mut problems);
    }
    dead_letters_failed(kept, &mut problems);
    order::check(kept, &passages, &mut problems);
    if kept.plan.kind == Kind::Pop {
        popping::check(kept, &passages, &mut problems);
    } else if !kept.is_broadcast() {
        commits::check(kept, &passages, &mut problems);
    }
    problems
}

fn acknowledged_messages_are_stored(kept: &Kept<'_>, passages: &Passages<'_>, problems: &mut Vec<String>) {
    let is_there = |number: &u32, queue: &MessageQueue, offset: i64| {
        passages.number(queue, offset) == Some(*number)
            || kept.lost.places.contains(&(queue.clone(), offset, *number))
    };
    for entry in kept.entries {
        match &entry.what {
            What::Sent { number, queue, offset } if !is_there(number, queue, *offset) => {
                problems.push(format!(
                    "S1: {number} is acknowledged at {offset} of {}, and not there",
                    short(queue)
                ));
            }
            What::Begin { number, queue, offset, .. } if !is_there(number, queue, *offset) => {
                problems.push(format!(
                    "S3: {number} is delivered from {offset} of {}, and not there",
                    short(queue)
                ));
            }
            _ => {}
        }
    }
}

/// A delivery that says it failed N times comes after N failures.
fn failures_are_counted(kept: &Kept<'_>, problems: &mut Vec<String>) {
    let scope = |member: usize| if kept.is_broadcast() { member } else { 0 };
    let mut calls: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
    let mut failures: BTreeMap<(usize, u32), u32> = BTreeMap::new();
    for entry in kept.entries {
        match &entry.what {
            What::Begin { call, member, number, times, .. } => {
                let key = (scope(*member), *number);
                calls.insert(*call, key);
                let failed = failures.get(&key).copied().unwrap_or_default();
                if *times > failed {
                    problems.push(format!(
                        "L5: {number} counts {times} failures, and failed {failed}x ({entry})"
                    ));
                }
            }
            What::End { call, end: End::Failed | End::Dropped | End::Stopped } => {
                *failures.entry(calls[call]).or_default() += 1;
            }
            _ => {}
        }
    }
}

fn dead_letters_failed(kept: &Kept<'_>, problems: &mut Vec<String>) {
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for letter in &kept.letters {
        let number = letter.number;
        *counts.entry(number).or_default() += 1;
        if !kept.plan.is_dead(number) && letter.origin.is_none() {
            problems.push(format!("L5: {number} is a dead letter, and did not fail often enough"));
        }
        if kept.plan.calm && letter.reason.is_none() {
            problems.push(format!("L5: the dead letter {number} has no reason"));
        }
    }
    // A rebalance may repeat a message before its offset is committed, and so its dead letter.
    let stable =
        kept.plan.members == 1
            && !kept.plan.steps.iter().any(|(_, step)| {
                matches!(step, Step::Join | Step::Leave(_) | Step::Switch(_) | Step::Seek(..))
            });
    if kept.plan.calm
        && stable
        && let Some((number, count)) = counts.into_iter().find(|(_, count)| *count > 1)
    {
        problems.push(format!("S4: in peace, {number} is {count} dead letters"));
    }
}

/// An event at a broker without what differs from run to run.
pub(super) fn line(event: &BrokerEvent) -> String {
    match event {
        BrokerEvent::Stored { queue, offset, reconsume_times, .. } => {
            format!("Stored {offset} of {}, failed {reconsume_times}x", short(queue))
        }
        BrokerEvent::Committed { client, queue, offset, .. } => {
            format!("Committed {offset} of {} by {client}", short(queue))
        }
        BrokerEvent::Pulled { client, queue, from, to, count, .. } => {
            format!("Pulled {count} from {from} to {to} of {} by {client}", short(queue))
        }
        BrokerEvent::Locked { client, queue, granted, .. } => {
            format!("Locked {} by {client}: {granted}", short(queue))
        }
        other => format!("{other:?}"),
    }
}
