//! Locks of queues, for orderly consumers. Java: `RebalanceLockManager`.

use std::collections::BTreeMap;

use rocketmq_common::MessageQueue;

use crate::history::{BrokerEvent, Recorder};

/// The life of a lock without a refresh. Java: `REBALANCE_LOCK_MAX_LIVE_TIME`.
const LOCK_LIFE_MS: i64 = 60_000;

/// Locks of queues, by group. Neither group nor queue need exist.
#[derive(Debug, Default)]
pub(crate) struct LockTable {
    recorder: Recorder,
    /// Ordered: the history of a simulation repeats exactly.
    groups: BTreeMap<String, BTreeMap<MessageQueue, Lock>>,
}

#[derive(Debug)]
struct Lock {
    client_id: String,
    /// When the client last asked for it.
    refreshed_ms: i64,
}

impl LockTable {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, groups: BTreeMap::new() }
    }

    /// Locks a queue or refreshes its lock. Returns false if another client has it.
    pub(crate) fn lock(&mut self, group: &str, queue: &MessageQueue, client_id: &str, now_ms: i64) -> bool {
        let locks = self.groups.entry(group.to_owned()).or_default();
        let others = locks.get(queue).filter(|lock| lock.client_id != client_id);
        let granted = others.is_none_or(|lock| now_ms - lock.refreshed_ms > LOCK_LIFE_MS);
        let event = |client: &str| (group.into(), client.into(), queue.clone());
        if let Some(lock) = others.filter(|_| granted) {
            self.recorder.note(|| {
                let (group, client, queue) = event(&lock.client_id);
                BrokerEvent::LockExpired { group, client, queue }
            });
        }
        self.recorder.note(|| {
            let (group, client, queue) = event(client_id);
            BrokerEvent::Locked { group, client, queue, granted }
        });
        if granted {
            locks.insert(queue.clone(), Lock { client_id: client_id.to_owned(), refreshed_ms: now_ms });
        }
        granted
    }

    /// Gives the lock of a queue to a client, even if another client has it.
    pub(crate) fn steal(&mut self, group: &str, queue: &MessageQueue, client_id: &str, now_ms: i64) {
        self.forget(|locked_group, locked, _| locked_group == group && locked == queue);
        self.lock(group, queue, client_id, now_ms);
    }

    /// Removes the locks that `which` selects. Returns their number.
    pub(crate) fn forget(&mut self, mut which: impl FnMut(&str, &MessageQueue, &str) -> bool) -> usize {
        let mut count = 0;
        for (group, locks) in &mut self.groups {
            locks.retain(|queue, lock| {
                let goes = which(group, queue, &lock.client_id);
                if goes {
                    count += 1;
                    let (group, client, queue) =
                        (group.as_str().into(), lock.client_id.as_str().into(), queue.clone());
                    self.recorder.note(|| BrokerEvent::Unlocked { group, client, queue });
                }
                !goes
            });
        }
        count
    }

    /// Releases the locks of this client.
    pub(crate) fn unlock(&mut self, group: &str, queues: &[MessageQueue], client_id: &str) {
        self.forget(|locked, queue, client| locked == group && client == client_id && queues.contains(queue));
    }

    /// Whether a group has locked any queue.
    pub(crate) fn is_any_alive(&self, group: &str, now_ms: i64) -> bool {
        self.owners(group, now_ms).next().is_some()
    }

    /// The locked queues of a group, with their clients.
    pub(crate) fn owners(&self, group: &str, now_ms: i64) -> impl Iterator<Item = (&MessageQueue, &str)> {
        let locks = self.groups.get(group).into_iter().flatten();
        let alive = locks.filter(move |(_, lock)| now_ms - lock.refreshed_ms <= LOCK_LIFE_MS);
        alive.map(|(queue, lock)| (queue, lock.client_id.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_belongs_to_one_client_until_it_is_given_back_or_sixty_seconds_old() {
        let mut locks = LockTable::default();
        let queue = MessageQueue::new("T", "b", 0);
        assert!(locks.lock("g", &queue, "a", 0) && !locks.lock("g", &queue, "b", 1));
        assert!(locks.lock("h", &queue, "b", 1), "groups have locks of their own");
        assert!(locks.lock("g", &queue, "a", 50_000));
        assert!(!locks.lock("g", &queue, "b", 110_000), "it was refreshed");
        assert!(locks.is_any_alive("g", 110_000) && !locks.is_any_alive("g", 110_001));
        assert!(locks.lock("g", &queue, "b", 110_001));
        locks.unlock("g", std::slice::from_ref(&queue), "a");
        assert!(!locks.lock("g", &queue, "a", 110_002), "another's lock stays");
        locks.unlock("g", std::slice::from_ref(&queue), "b");
        assert!(locks.lock("g", &queue, "a", 110_002));
    }
}
