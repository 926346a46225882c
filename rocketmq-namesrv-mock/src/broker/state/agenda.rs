//! Records with the times at which they are due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use rocketmq_remoting::protocol::body::DataVersion;

use super::{Broker, State};

/// A stored record that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AgendaItem {
    /// A message with a delay level.
    Level {
        /// Its position in the commit log.
        at: i64,
    },
    /// An event of popped messages.
    Pop {
        /// The id of the event.
        id: u64,
    },
    /// A message with a timer.
    Timer {
        /// Its position in the commit log.
        at: i64,
        /// The time that the broker noted, a whole second.
        out_ms: i64,
        /// When it came into the wheel, a whole second.
        enqueued_ms: i64,
    },
}

/// A recalled timer message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Deleted {
    pub(crate) topic: String,
    pub(crate) unique_key: String,
    pub(crate) out_ms: i64,
}

/// Records in the order of their due times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Agenda {
    /// By time, then by order of arrival.
    entries: BinaryHeap<Reverse<(i64, u64, AgendaItem)>>,
    count: u64,
    deleted: HashSet<Deleted>,
    /// The next offset to deliver, by delay level.
    delivered: BTreeMap<i32, i64>,
    timers: Timers,
}

/// How many timer messages wait.
#[derive(Debug, Default, Clone)]
pub(crate) struct Timers {
    /// By topic how many, and when that changed.
    pub(crate) waiting: BTreeMap<String, (i64, i64)>,
    /// How often that changed.
    pub(crate) version: DataVersion,
}

impl Agenda {
    /// Adds a record. Returns true if nothing else is due earlier.
    pub(crate) fn add(&mut self, due_ms: i64, waiting: AgendaItem) -> bool {
        let is_first = self.due().is_none_or(|first| due_ms < first);
        self.entries.push(Reverse((due_ms, self.count, waiting)));
        self.count += 1;
        is_first
    }

    /// When the first record is due.
    pub(crate) fn due(&self) -> Option<i64> {
        self.entries.peek().map(|Reverse((due_ms, ..))| *due_ms)
    }

    /// Takes out the first record that is due.
    pub(crate) fn take(&mut self, now_ms: i64) -> Option<AgendaItem> {
        if self.due()? > now_ms {
            return None;
        }
        self.entries.pop().map(|Reverse((.., waiting))| waiting)
    }

    /// Notes that a message with a delay level was delivered.
    pub(crate) fn note_delivered(&mut self, level: i32, offset: i64) {
        self.delivered.insert(level, offset + 1);
    }

    /// The next offset of each delay level that was used.
    pub(crate) fn delivered(&self) -> &BTreeMap<i32, i64> {
        &self.delivered
    }

    /// A timer message of a topic came or went.
    pub(crate) fn count_timer(&mut self, topic: &str, change: i64, now_ms: i64) {
        let entry = self.timers.waiting.entry(topic.to_owned()).or_default();
        *entry = (entry.0 + change, now_ms);
        self.timers.version.counter += 1;
        self.timers.version.timestamp = now_ms;
    }

    /// How many timer messages wait.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Recalls a timer message, whether or not it exists.
    pub(crate) fn delete(&mut self, deleted: Deleted) {
        self.deleted.insert(deleted);
    }

    /// Whether a timer message was recalled.
    pub(crate) fn is_deleted(&self, deleted: &Deleted) -> bool {
        self.deleted.contains(deleted)
    }
}

impl Broker {
    /// Schedules a record, and wakes the task of the clock if the record is due first.
    pub(crate) fn wait_until(&self, state: &mut State, due_ms: i64, waiting: AgendaItem) {
        if state.agenda.add(due_ms, waiting) {
            self.due_sooner.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_when_they_are_due_and_in_the_order_of_coming() {
        let mut agenda = Agenda::default();
        assert!(agenda.add(20, AgendaItem::Level { at: 3 }));
        assert!(agenda.add(10, AgendaItem::Level { at: 2 }));
        assert!(!agenda.add(10, AgendaItem::Level { at: 1 }));
        assert_eq!((agenda.due(), agenda.take(9)), (Some(10), None));
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(20)).collect();
        assert_eq!(taken, [2, 1, 3].map(|at| AgendaItem::Level { at }));
    }
}
