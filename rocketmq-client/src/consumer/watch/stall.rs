use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::MessageQueue;

/// A queue that is behind and has not moved for this time is stalled.
const STALLED: Duration = Duration::from_secs(30);
/// A broker that has said nothing of a queue for this time is asked how far the queue goes: it answers held pulls earlier.
const ASK: Duration = Duration::from_secs(25);

/// Finds the queues that make no progress although their brokers have more messages. Java has no counterpart.
#[derive(Debug, Default)]
pub(crate) struct StallWatch {
    queues: BTreeMap<MessageQueue, Watched>,
}

/// The finding of a look at a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glance {
    /// The next offset to pull, and the lowest unfinished offset: progress moves one of them.
    pub(crate) at: (i64, i64),
    /// There is something to do: the broker has more, or messages wait while handlers are free.
    pub(crate) behind: bool,
    /// The queue has a reason not to move.
    pub(crate) excused: bool,
    /// How long ago the broker was asked or answered.
    pub(crate) silent_for: Duration,
}

/// The measure that a queue needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StallChange {
    /// Ask the broker for the end of the queue.
    Ask,
    /// Restart the queue and tell. How long it has not moved.
    Stalled(Duration),
    /// Tell that it moves again. How long it had not moved.
    Healed(Duration),
}

#[derive(Debug)]
struct Watched {
    at: (i64, i64),
    /// Since when it is behind at the same place, without an excuse.
    quiet_since: Option<Instant>,
    asked: Option<Instant>,
    is_told: bool,
}

impl StallWatch {
    /// Judges one queue. Looks that are far apart are no problem: only what two looks in a row show counts.
    pub(crate) fn look(&mut self, now: Instant, queue: &MessageQueue, glance: Glance) -> Option<StallChange> {
        let fresh = || Watched { at: glance.at, quiet_since: None, asked: None, is_told: false };
        let watched = self.queues.entry(queue.clone()).or_insert_with(fresh);
        let quiet_for = watched.quiet_since.map(|since| now.saturating_duration_since(since));
        if glance.at != watched.at || !glance.behind {
            (watched.at, watched.quiet_since) = (glance.at, None);
            if std::mem::take(&mut watched.is_told) {
                return quiet_for.map(StallChange::Healed);
            }
        }
        if glance.excused {
            // A queue that was told of stays so until it moves: its time counts from the beginning.
            if !watched.is_told {
                watched.quiet_since = None;
            }
            return None;
        }
        if glance.behind {
            let quiet_for = now.saturating_duration_since(*watched.quiet_since.get_or_insert(now));
            let stalls =
                quiet_for >= STALLED && !std::mem::replace(&mut watched.is_told, quiet_for >= STALLED);
            return stalls.then_some(StallChange::Stalled(quiet_for));
        }
        let asks = glance.silent_for >= ASK && watched.asked.is_none_or(|asked| now >= asked + ASK);
        asks.then(|| {
            watched.asked = Some(now);
            StallChange::Ask
        })
    }

    /// Forgets the queues that are not owned any more.
    pub(crate) fn retain(&mut self, is_owned: impl Fn(&MessageQueue) -> bool) {
        self.queues.retain(|queue, _| is_owned(queue));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEHIND: Glance = Glance { at: (5, 5), behind: true, excused: false, silent_for: Duration::ZERO };
    const EXCUSED: Glance = Glance { excused: true, ..BEHIND };
    const CAUGHT_UP: Glance = Glance { behind: false, ..BEHIND };

    struct Queue(StallWatch, MessageQueue, Instant);

    impl Queue {
        fn new() -> Self {
            Self(StallWatch::default(), MessageQueue::new("T", "b", 0), Instant::now())
        }

        /// Looks once a second. Returns what was said, and at which second from 0.
        fn look(&mut self, seconds: u64, glance: Glance) -> Vec<(u64, StallChange)> {
            let (watch, queue) = (&mut self.0, &self.1);
            let mut said = Vec::new();
            for second in 0..seconds {
                said.extend(watch.look(self.2, queue, glance).map(|change| (second, change)));
                self.2 += Duration::from_secs(1);
            }
            said
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_queue_that_is_behind_and_does_not_move_is_told_of_once_and_again_when_it_moves() {
        let mut queue = Queue::new();
        assert_eq!(queue.look(300, BEHIND), [(30, StallChange::Stalled(seconds(30)))]);
        let moved = Glance { at: (6, 5), ..BEHIND };
        assert_eq!(queue.look(1, moved), [(0, StallChange::Healed(seconds(300)))]);
        assert_eq!(queue.look(31, moved), [(30, StallChange::Stalled(seconds(30)))], "another stall");
    }

    #[test]
    fn progress_of_the_handlers_is_progress_and_so_is_a_position_that_was_set_back() {
        let mut queue = Queue::new();
        for round in 0..20 {
            assert_eq!(queue.look(29, Glance { at: (100, round), ..BEHIND }), []);
        }
        assert_eq!(queue.look(29, Glance { at: (3, 3), ..BEHIND }), []);
    }

    #[test]
    fn an_excuse_begins_the_time_anew_and_does_not_heal() {
        let mut queue = Queue::new();
        assert_eq!(queue.look(29, BEHIND), []);
        assert_eq!(queue.look(100, EXCUSED), []);
        assert_eq!(queue.look(30, BEHIND), []);
        assert_eq!(queue.look(10, BEHIND), [(0, StallChange::Stalled(seconds(30)))]);
        assert_eq!(queue.look(10, EXCUSED), [], "a pause is no progress");
        assert_eq!(queue.look(100, BEHIND), [], "and no other stall");
        assert_eq!(
            queue.look(1, CAUGHT_UP),
            [(0, StallChange::Healed(seconds(150)))],
            "trimmed by the broker"
        );
    }

    #[test]
    fn an_idle_queue_is_never_stalled_and_its_broker_is_asked_only_when_it_is_silent() {
        let mut queue = Queue::new();
        assert_eq!(queue.look(1_000, CAUGHT_UP), [], "its broker answers held pulls");
        let silent = Glance { silent_for: seconds(25), ..CAUGHT_UP };
        let asks = queue.look(60, silent);
        assert_eq!(asks, [(0, StallChange::Ask), (25, StallChange::Ask), (50, StallChange::Ask)]);
        assert_eq!(queue.look(60, Glance { excused: true, ..silent }), []);
        // The answer says that there is more.
        assert_eq!(queue.look(31, BEHIND), [(30, StallChange::Stalled(seconds(30)))]);
    }

    #[test]
    fn a_queue_that_went_is_forgotten() {
        let mut queue = Queue::new();
        queue.look(31, BEHIND);
        queue.0.retain(|_| false);
        assert_eq!(queue.look(30, BEHIND), [], "another ownership has its own time");
    }
}
