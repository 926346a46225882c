//! S6, S7: committed offsets.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::BrokerEvent;

use super::passage::{Passages, resets};
use super::{Kept, short};
use crate::simulation::log::What;
use crate::simulation::plan::Step;

/// Longer than a request takes to a broker.
const UNDER_WAY: Duration = Duration::from_millis(50);

pub(super) fn check(kept: &Kept<'_>, passages: &Passages<'_>, problems: &mut Vec<String>) {
    let bars = bars(passages);
    let (taken, resets, older) = (taken(kept), resets(kept), goes_back(kept));
    let seeks = kept.plan.steps.iter().any(|(_, step)| matches!(step, Step::Seek(..)));
    let mut last: BTreeMap<(&str, &MessageQueue), (Duration, i64)> = BTreeMap::new();
    let mut last_of_all: BTreeMap<&MessageQueue, i64> = BTreeMap::new();
    for entry in kept.history {
        let BrokerEvent::Committed { client, queue, offset, .. } = &entry.event else { continue };
        let (at, place) = (kept.at(entry), format!("{offset} of {} by {client}", short(queue)));
        let stored = passages.queues.get(queue);
        let end = stored.and_then(|stored| stored.last_key_value()).map_or(0, |(last, _)| last + 1);
        let end = end.max(kept.lost.end(queue));
        if !(0..=end).contains(offset) {
            problems.push(format!("S7: {place} is committed, the queue ends at {end}"));
        }
        // The bar of the highest message that the offset passes is that of all before it, too.
        let passed = bars.get(queue).and_then(|bars| bars.range(..offset).next_back());
        if let Some((_, (bar, number))) = passed
            && bar.is_none_or(|bar| bar > at)
        {
            let when = bar.map_or("never".to_owned(), |bar| format!("only after {bar:?}"));
            problems
                .push(format!("S6: {place} is committed at {at:?}; {number} before it is finished {when}"));
        }
        let moved = resets.contains_key(queue) || older;
        let before = last.insert((client, queue), (at, *offset));
        if let Some((since, highest)) = before.filter(|(_, before)| before > offset) {
            // A commit of before a seek may be on its way.
            let since = since.saturating_sub(if seeks { UNDER_WAY } else { Duration::ZERO });
            let times = taken.get(&(client.to_string(), queue));
            let anew = times.is_some_and(|times| times.iter().any(|time| (since..=at).contains(time)));
            if !moved && !anew {
                problems.push(format!("S6: {place} is committed at {at:?} after {highest}"));
            }
        }
        let highest = last_of_all.entry(queue).or_insert(*offset);
        if kept.plan.calm && !seeks && *highest > *offset {
            problems.push(format!("S6: in peace, {place} is committed at {at:?} after {highest}"));
        }
        *highest = *offset.max(highest);
    }
}

/// For each message, when it and all before it are finished, and which is the last of them.
fn bars<'a>(passages: &Passages<'a>) -> BTreeMap<&'a MessageQueue, BTreeMap<i64, (Option<Duration>, u32)>> {
    let mut bars = BTreeMap::new();
    for (queue, stored) in &passages.queues {
        let (mut bar, mut last) = (Some(Duration::ZERO), 0);
        let of_queue: &mut BTreeMap<_, _> = bars.entry(*queue).or_default();
        for (offset, stored) in stored {
            let own = if stored.excused { Some(Duration::ZERO) } else { stored.finished };
            if own.is_none_or(|own| bar.is_some_and(|bar| own > bar)) && bar.is_some() {
                (bar, last) = (own, stored.number);
            }
            of_queue.insert(*offset, (bar, last));
        }
    }
    bars
}

/// When each client took each queue.
fn taken<'a>(kept: &Kept<'a>) -> BTreeMap<(String, &'a MessageQueue), Vec<Duration>> {
    let mut taken: BTreeMap<_, Vec<Duration>> = BTreeMap::new();
    for entry in kept.entries {
        if let What::Taken { member, queues } = &entry.what {
            for queue in queues {
                taken.entry((format!("10.0.0.1@m{member}"), queue)).or_default().push(entry.at);
            }
        }
    }
    taken
}

/// Whether a broker comes back with older offsets or messages.
fn goes_back(kept: &Kept<'_>) -> bool {
    kept.plan
        .steps
        .iter()
        .any(|(_, step)| matches!(step, Step::Restart { older: true, .. } | Step::Older { .. }))
}
