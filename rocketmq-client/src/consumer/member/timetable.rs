use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Items that are due at a time: one timer for all of them.
#[derive(Debug)]
pub(crate) struct Timetable<T> {
    entries: Mutex<BinaryHeap<Reverse<Timed<T>>>>,
    /// Told when an item is due before all others.
    earlier: Notify,
}

impl<T> Timetable<T> {
    pub(crate) fn add(&self, at: Instant, item: T) {
        let mut entries = self.lock();
        let is_first = entries.peek().is_none_or(|Reverse(first)| at < first.at);
        entries.push(Reverse(Timed { at, item }));
        drop(entries);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Waits until items are due, and takes them. Cancel-safe. One task waits at a time.
    pub(crate) async fn due(&self) -> Vec<T> {
        loop {
            let first = self.lock().peek().map(|Reverse(first)| first.at);
            match first {
                Some(at) if at <= Instant::now() => return self.take(Instant::now()),
                Some(at) => tokio::select! {
                    biased;
                    () = sleep_until(at) => {}
                    () = self.earlier.notified() => {}
                },
                None => self.earlier.notified().await,
            }
        }
    }

    /// Takes the items that are to go before their time.
    pub(crate) fn take_if(&self, mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut entries = self.lock();
        let all = std::mem::take(&mut *entries);
        let (taken, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|Reverse(entry)| goes(&entry.item));
        *entries = kept.into();
        taken.into_iter().map(|Reverse(entry)| entry.item).collect()
    }

    fn take(&self, now: Instant) -> Vec<T> {
        let (mut entries, mut due) = (self.lock(), Vec::new());
        while entries.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(entries.pop().map(|Reverse(entry)| entry.item));
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Timed<T>>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Timetable<T> {
    fn default() -> Self {
        Self { entries: Mutex::default(), earlier: Notify::new() }
    }
}

/// An entry of a heap that is ordered by time alone.
#[derive(Debug)]
pub(crate) struct Timed<T> {
    pub(crate) at: Instant,
    pub(crate) item: T,
}

impl<T> PartialEq for Timed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Timed<T> {}

impl<T> PartialOrd for Timed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Timed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
