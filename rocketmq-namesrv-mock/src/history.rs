//! The events at the brokers, in order, for a checker to read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rocketmq_common::MessageQueue;

use crate::clock::Clock;

/// An entry of the history of a cluster; see [`MockCluster::history`](crate::MockCluster::history).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Counts the events of the whole cluster from 0. A first entry above 0 tells how many older events were dropped.
    pub number: u64,
    /// The time of the event, by the clock of the cluster.
    pub at: SystemTime,
    /// The broker, or its slave: `broker-a`, `broker-a-s1`.
    pub server: Arc<str>,
    /// The event.
    pub event: BrokerEvent,
}

/// An event at a broker. A `client` is a client id, or `ip:port` if no heartbeat named the id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// The server listens.
    Started,
    /// The server is down. Its locks and pending resets are gone.
    Stopped,
    /// A connection was opened.
    Connected {
        /// `ip:port`.
        peer: Arc<str>,
    },
    /// A connection ended.
    Disconnected {
        /// `ip:port`.
        peer: Arc<str>,
    },
    /// A client sent a heartbeat.
    Heartbeat {
        /// Its client id.
        client: Arc<str>,
        /// The consumer groups in the heartbeat.
        groups: Vec<String>,
    },
    /// A client became a member of a consumer group.
    Joined {
        /// The group.
        group: Arc<str>,
        /// The member.
        client: Arc<str>,
    },
    /// A client left a consumer group: it unregistered, its connection ended, or it was silent for too long.
    Left {
        /// The group.
        group: Arc<str>,
        /// The member.
        client: Arc<str>,
    },
    /// The members of a group are told that the group changed (40).
    Notified {
        /// The group.
        group: Arc<str>,
        /// `ip:port` of each member.
        peers: Vec<Arc<str>>,
    },
    /// A message was stored. A retry is stored in `%RETRY%group`, a dead letter in `%DLQ%group`.
    Stored {
        /// The queue.
        queue: MessageQueue,
        /// Its offset in the queue.
        offset: i64,
        /// Its unique key; without a unique key, its offset message id.
        id: String,
        /// How many times it was consumed before.
        reconsume_times: i32,
    },
    /// A pull was answered.
    Pulled {
        /// The group.
        group: Arc<str>,
        /// The client.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// The requested offset.
        from: i64,
        /// The offset at which the next pull begins.
        to: i64,
        /// The number of messages in the answer.
        count: usize,
    },
    /// Messages were popped.
    Popped {
        /// The group.
        group: Arc<str>,
        /// The client.
        client: Arc<str>,
        /// The queue; its topic is the retry topic for messages that came again.
        queue: MessageQueue,
        /// The offsets of the messages.
        offsets: Vec<i64>,
    },
    /// A popped message was acknowledged, in time or not.
    Acknowledged {
        /// The group.
        group: Arc<str>,
        /// The queue of the message.
        queue: MessageQueue,
        /// Its offset.
        offset: i64,
    },
    /// A client committed an offset (11, 15), or a test did.
    Committed {
        /// The group.
        group: Arc<str>,
        /// The client.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// The offset.
        offset: i64,
    },
    /// A client asked for the lock of a queue.
    Locked {
        /// The group.
        group: Arc<str>,
        /// The client.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// Whether the client now has the lock.
        granted: bool,
    },
    /// A lock was released by its client, or taken away by a test.
    Unlocked {
        /// The group.
        group: Arc<str>,
        /// The client that had the lock.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
    },
    /// A lock was not refreshed for 60 s. The event is recorded when the next client asks for the lock.
    LockExpired {
        /// The group.
        group: Arc<str>,
        /// The client that had the lock.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
    },
    /// A consumer returned a message (36). The new message is an event [`Stored`](Self::Stored) of its own, later if it
    /// is delayed.
    SentBack {
        /// The group.
        group: Arc<str>,
        /// The client.
        client: Arc<str>,
        /// The queue of the returned message.
        queue: MessageQueue,
        /// Its offset.
        offset: i64,
        /// The topic that receives the new message: the retry topic, or the dead letters.
        to: String,
    },
}

/// Records the events of a broker and its tables. By default it records nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Option<(Arc<History>, Arc<str>)>);

impl Recorder {
    /// Records events under the name of this server.
    pub(crate) fn new(history: &Arc<History>, server: &Arc<str>) -> Self {
        Self((history.capacity > 0).then(|| (history.clone(), server.clone())))
    }

    /// Whether events are recorded at all.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Notes an event, which is made only if somebody wants to know. The caller holds the lock of the broker's state
    /// meanwhile, so that events have the order of their causes.
    pub(crate) fn note(&self, event: impl FnOnce() -> BrokerEvent) {
        if let Some((history, server)) = &self.0 {
            history.note(server, event());
        }
    }
}

/// The latest events of a cluster.
#[derive(Debug)]
pub(crate) struct History {
    capacity: usize,
    clock: Arc<Clock>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<HistoryEntry>,
    count: u64,
}

impl History {
    /// Keeps at most `capacity` events; 0 switches it off.
    pub(crate) fn new(capacity: usize, clock: Arc<Clock>) -> Self {
        Self { capacity, clock, kept: Mutex::default() }
    }

    fn note(&self, server: &Arc<str>, event: BrokerEvent) {
        let at = self.clock.system_time();
        let mut kept = self.lock();
        if kept.entries.len() == self.capacity {
            kept.entries.pop_front();
        }
        let number = kept.count;
        kept.entries.push_back(HistoryEntry { number, at, server: server.clone(), event });
        kept.count += 1;
    }

    /// All events that are kept, oldest first.
    pub(crate) fn entries(&self) -> Vec<HistoryEntry> {
        self.lock().entries.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;

    #[test]
    fn the_oldest_events_are_forgotten_and_the_numbers_tell() {
        let server: Arc<str> = "broker-a".into();
        let history = |capacity| Arc::new(History::new(capacity, Clock::new(ClockKind::System)));
        let two = history(2);
        let recorder = Recorder::new(&two, &server);
        for peer in ["a", "b", "c"] {
            recorder.note(|| BrokerEvent::Connected { peer: peer.into() });
        }
        let kept = two.entries().into_iter().map(|entry| (entry.number, entry.event));
        let expected =
            [(1, "b"), (2, "c")].map(|(number, peer)| (number, BrokerEvent::Connected { peer: peer.into() }));
        assert_eq!(kept.collect::<Vec<_>>(), expected);
        let off = Recorder::new(&history(0), &server);
        off.note(|| unreachable!("nobody wants to know"));
        assert!(!off.is_on());
    }
}
