use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::OwnedQueue;

/// Which queues need a driver, and when: one timer for all queues of a consumer.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: Mutex<BinaryHeap<Reverse<Entry>>>,
    earlier: Notify,
    rung: Notify,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    queue: Weak<OwnedQueue>,
}

impl Agenda {
    /// Asks for a look at the queue at this time.
    pub(crate) fn add(&self, at: Instant, queue: &Arc<OwnedQueue>) {
        let mut entries = self.lock();
        let is_first = entries.peek().is_none_or(|Reverse(first)| at < first.at);
        entries.push(Reverse(Entry { at, queue: Arc::downgrade(queue) }));
        drop(entries);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Waits until queues are due, and takes them: none after a [`ring`](Self::ring). Cancel-safe.
    pub(crate) async fn due(&self) -> Vec<Arc<OwnedQueue>> {
        loop {
            let first = self.lock().peek().map(|Reverse(first)| first.at);
            match first {
                Some(at) if at <= Instant::now() => return self.take(Instant::now()),
                Some(at) => tokio::select! {
                    biased;
                    () = sleep_until(at) => {}
                    () = self.earlier.notified() => {}
                    () = self.rung.notified() => return Vec::new(),
                },
                None => tokio::select! {
                    () = self.earlier.notified() => {}
                    () = self.rung.notified() => return Vec::new(),
                },
            }
        }
    }

    /// Lets the driver come round, to show that it runs.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }

    fn take(&self, now: Instant) -> Vec<Arc<OwnedQueue>> {
        let (mut entries, mut due) = (self.lock(), Vec::new());
        while entries.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(entries.pop().and_then(|Reverse(entry)| entry.queue.upgrade()));
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
