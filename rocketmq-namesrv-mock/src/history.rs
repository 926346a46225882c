//! What happened at the brokers, in order, for a checker to read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rocketmq_common::MessageQueue;

use crate::clock::Clock;

/// An entry of the history of a cluster; see [`MockCluster::history`](crate::MockCluster::history).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Counts the events of the whole cluster from 0. A first entry above 0 tells how many were forgotten.
    pub number: u64,
    /// When it happened, by the clock of the cluster.
    pub at: SystemTime,
    /// The broker, or its slave: `broker-a`, `broker-a-s1`.
    pub server: Arc<str>,
    /// What happened.
    pub event: BrokerEvent,
}

/// What can happen at a broker. A `client` is a client id, or `ip:port` where no heartbeat told the id.
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
        /// The consumer groups that it names.
        groups: Vec<String>,
    },
    /// A client became a member of a consumer group.
    Joined {
        /// The group.
        group: Arc<str>,
        /// The member.
        client: Arc<str>,
    },
    /// A client is no member of a consumer group any more: it said so, its connection ended, or it was silent.
    Left {
        /// The group.
        group: Arc<str>,
        /// The member.
        client: Arc<str>,
    },
    /// The members of a group are told that it changed (40).
    Notified {
        /// The group.
        group: Arc<str>,
        /// `ip:port` of each member.
        peers: Vec<Arc<str>>,
    },
    /// A message was stored. A retry is stored in `%RETRY%group`, a dead letter in `%DLQ%group`.
    Stored {
        /// Where.
        queue: MessageQueue,
        /// Its offset in the queue.
        offset: i64,
        /// Its unique key, or the text of its offset message id without such a key.
        id: String,
        /// How often it was consumed before.
        reconsume_times: i32,
    },
    /// A pull was answered.
    Pulled {
        /// The group.
        group: Arc<str>,
        /// Who pulled.
        client: Arc<str>,
        /// From where.
        queue: MessageQueue,
        /// The offset that was asked for.
        from: i64,
        /// The offset where the next pull begins.
        to: i64,
        /// How many messages the answer has.
        count: usize,
    },
    /// Messages were popped.
    Popped {
        /// The group.
        group: Arc<str>,
        /// Who popped.
        client: Arc<str>,
        /// From where; its topic is the retry topic for messages that came again.
        queue: MessageQueue,
        /// The offsets of the messages.
        offsets: Vec<i64>,
    },
    /// A popped message was acknowledged, in time or not.
    Acknowledged {
        /// The group.
        group: Arc<str>,
        /// Where it lies.
        queue: MessageQueue,
        /// Its offset.
        offset: i64,
    },
    /// A client committed an offset (11, 15), or a test did.
    Committed {
        /// The group.
        group: Arc<str>,
        /// Who committed.
        client: Arc<str>,
        /// Of which queue.
        queue: MessageQueue,
        /// The offset.
        offset: i64,
    },
    /// A client asked for the lock of a queue.
    Locked {
        /// The group.
        group: Arc<str>,
        /// Who asked.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// Whether the client has the lock now.
        granted: bool,
    },
    /// A lock ended: its client gave it back, or a test took it away.
    Unlocked {
        /// The group.
        group: Arc<str>,
        /// Who had the lock.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
    },
    /// A lock was not refreshed for 60 s. This is noted when the next client asks for the lock.
    LockExpired {
        /// The group.
        group: Arc<str>,
        /// Who had the lock.
        client: Arc<str>,
        /// The queue.
        queue: MessageQueue,
    },
    /// A consumer sent a message back (36). The new message is a [`Stored`](Self::Stored) of its own, later if it is
    /// delayed.
    SentBack {
        /// The group.
        group: Arc<str>,
        /// Who sent it back.
        client: Arc<str>,
        /// Where the message lies that was sent back.
        queue: MessageQueue,
        /// Its offset.
        offset: i64,
        /// The topic that it goes to: the retry topic, or the dead letters.
        to: String,
    },
}

/// Where a broker and its tables note what happens. By default it notes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Option<(Arc<History>, Arc<str>)>);

impl Recorder {
    /// Notes events as those of this server.
    pub(crate) fn new(history: &Arc<History>, server: &Arc<str>) -> Self {
        Self((history.capacity > 0).then(|| (history.clone(), server.clone())))
    }

    /// Whether anybody wants to know.
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
