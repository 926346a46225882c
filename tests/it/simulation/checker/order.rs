//! S4, S5: which messages come again, and in which order they come.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::BrokerEvent;

use super::passage::{Passage, Passages, Stored};
use super::{Kept, short};
use crate::simulation::log::{End, What};
use crate::simulation::plan::{Kind, Mode, Step};

/// A handler that takes longer may still run when its queue goes to another member.
const DRAIN: Duration = Duration::from_millis(300);
/// A member may believe in its lock for this long after a broker forgot it.
const BELIEF: Duration = Duration::from_secs(31);

pub(super) fn check(kept: &Kept<'_>, passages: &Passages<'_>, problems: &mut Vec<String>) {
    // Popped messages belong to the member that has them, whoever has the queue.
    let pops = kept.plan.kind == Kind::Pop;
    for (queue, stored) in &passages.queues {
        if pops {
            if kept.plan.mode == Mode::Orderly {
                order_is_strict(kept, queue, stored, problems);
            }
            continue;
        }
        nothing_comes_again_without_a_cause(kept, queue, stored, problems);
        first_deliveries_ascend(kept, queue, stored, problems);
        if kept.plan.mode == Mode::Orderly {
            order_is_strict(kept, queue, stored, problems);
        }
    }
}

fn nothing_comes_again_without_a_cause(
    kept: &Kept<'_>,
    queue: &MessageQueue,
    stored: &BTreeMap<i64, Stored>,
    problems: &mut Vec<String>,
) {
    // When each member had a handler here that took long, or failed: what came behind it may not be committed.
    let mut slow: BTreeMap<usize, (i64, Duration)> = BTreeMap::new();
    for (offset, Stored { number, passages, .. }) in stored {
        for (place, passage) in passages.iter().enumerate() {
            let earlier = &passages[..place];
            let again = |before: &&Passage| {
                before.member == passage.member
                    && before.ownership == passage.ownership
                    && !matches!(before.end, Some((_, End::Failed | End::Dropped | End::Stopped)))
            };
            let what = || format!("{number} ({offset} of {}) at {:?}", short(queue), passage.begin);
            if earlier.iter().any(|before| again(&before)) {
                problems.push(format!(
                    "S4: m{} has {} again, which it finished or has",
                    passage.member,
                    what()
                ));
            }
            let done = |before: &&Passage| {
                before.member != passage.member && before.end.is_some_and(|(_, end)| end == End::Done)
            };
            let causeless = |before: &&Passage| {
                let slow = slow.get(&before.member).is_some_and(|(_, since)| *since <= passage.begin);
                done(before) && !slow && !takes_long(before)
            };
            if kept.plan.calm
                && kept.plan.mode != Mode::Broadcast
                && kept.plan.kind != Kind::Pull
                && earlier.iter().any(|before| causeless(&before))
            {
                problems.push(format!("S4: in peace, {} comes again after its success", what()));
            }
        }
        for passage in passages.iter().filter(|passage| takes_long(passage)) {
            slow.entry(passage.member).or_insert((*offset, passage.begin));
        }
    }
}

fn takes_long(passage: &Passage) -> bool {
    passage.end.is_none_or(|(end, how)| end > passage.begin + DRAIN || how != End::Done)
}

/// With one handler at a time, the messages of a queue come in its order.
fn first_deliveries_ascend(
    kept: &Kept<'_>,
    queue: &MessageQueue,
    stored: &BTreeMap<i64, Stored>,
    problems: &mut Vec<String>,
) {
    let resized = kept.plan.steps.iter().any(|(_, step)| matches!(step, Step::Concurrency(..)));
    if kept.plan.concurrency > 1 || resized {
        return;
    }
    let mut last: BTreeMap<(usize, usize), (Duration, u32)> = BTreeMap::new();
    for Stored { number, passages, .. } in stored.values() {
        let mut firsts: BTreeMap<(usize, usize), Duration> = BTreeMap::new();
        for passage in passages {
            firsts.entry((passage.member, passage.ownership)).or_insert(passage.begin);
        }
        for (owner, begin) in firsts {
            if let Some((before, earlier)) = last.insert(owner, (begin, *number))
                && before > begin
            {
                problems.push(format!(
                    "S5: {number} of {} comes before {earlier} to m{}",
                    short(queue),
                    owner.0
                ));
            }
        }
    }
}

fn order_is_strict(
    kept: &Kept<'_>,
    queue: &MessageQueue,
    stored: &BTreeMap<i64, Stored>,
    problems: &mut Vec<String>,
) {
    // All before a message are finished when its handler begins.
    let (mut bar, mut last) = (Some(Duration::ZERO), 0);
    for (offset, Stored { number, passages, finished, excused }) in stored {
        for passage in passages {
            if bar.is_none_or(|bar| bar > passage.begin) {
                let begin = passage.begin;
                problems.push(format!(
                    "S5: {number} of {} begins at {begin:?} before {last} is finished",
                    short(queue)
                ));
            }
        }
        // What is behind a damaged record does not wait for its dead letter.
        let excused = *excused || kept.damaged.contains_key(&(queue.clone(), *offset));
        if !excused && finished.is_none_or(|own| bar.is_some_and(|bar| own > bar)) && bar.is_some() {
            (bar, last) = (*finished, *number);
        }
    }
    // The time of a popped message may be over while its handler runs.
    if kept.plan.kind == Kind::Pop && !kept.plan.calm {
        return;
    }
    let forgotten = locks_forgotten(kept, queue);
    let mut all: Vec<(&Passage, u32)> = Vec::new();
    for Stored { number, passages, .. } in stored.values() {
        all.extend(passages.iter().map(|passage| (passage, *number)));
    }
    all.sort_by_key(|(passage, _)| passage.begin);
    for (place, (passage, number)) in all.iter().enumerate() {
        let end = passage.end.map_or(Duration::MAX, |(end, _)| end);
        let overlaps = |(other, _): &&(&Passage, u32)| other.begin < end && other.begin > passage.begin;
        let Some((other, second)) = all[place + 1..].iter().find(overlaps) else { continue };
        let since = passage.begin.saturating_sub(BELIEF);
        let excused =
            passage.member != other.member && forgotten.iter().any(|at| (since..=other.begin).contains(at));
        if !excused {
            problems.push(format!(
                "S5: m{} begins {second} of {} at {:?}, while m{} has {number} since {:?}",
                other.member,
                short(queue),
                other.begin,
                passage.member,
                passage.begin
            ));
        }
    }
}

/// When the broker of a queue forgot its locks.
fn locks_forgotten(kept: &Kept<'_>, queue: &MessageQueue) -> Vec<Duration> {
    let stopped = kept
        .history
        .iter()
        .filter(|entry| matches!(entry.event, BrokerEvent::Stopped) && *entry.server == *queue.broker_name());
    let mut times: Vec<_> = stopped.map(|entry| kept.at(entry)).collect();
    times.extend(kept.entries.iter().filter_map(|entry| match &entry.what {
        What::Note(text) if text == "ForgetLocks" => Some(entry.at),
        _ => None,
    }));
    times
}
