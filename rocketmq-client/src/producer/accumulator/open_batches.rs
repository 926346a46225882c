use std::hash::Hash;
use std::mem;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// Decides which messages go together, and when. It does no I/O: time comes in, full and due batches come out.
#[derive(Debug)]
pub(super) struct OpenBatches<K, T> {
    limits: Limits,
    /// With a hash that has no seed, so that each run of a simulation sends in the same order.
    open: FxHashMap<K, Batch<T>>,
    closed: bool,
}

/// The limits of a batch: it goes out at the first that is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Time after its first message.
    pub(super) delay: Duration,
    /// Bytes: it goes out before a message that would make it larger.
    pub(super) bytes: usize,
}

/// A message that joins a batch.
#[derive(Debug)]
pub(super) struct Newcomer<T> {
    pub(super) item: T,
    /// Its bytes in the batch.
    pub(super) bytes: usize,
    /// When its send began.
    pub(super) began: Instant,
    /// The time-out of its send. Half of it is kept for the way to the broker.
    pub(super) timeout: Duration,
}

/// Messages to send in one request, the oldest first.
#[derive(Debug)]
pub(in crate::producer) struct Batch<T> {
    pub(in crate::producer) items: Vec<T>,
    bytes: usize,
    due: Instant,
    /// The earliest and the latest start of their sends.
    began: (Instant, Instant),
}

/// The effects of a new message.
#[derive(Debug)]
pub(super) struct Added<T> {
    /// A batch to send now.
    pub(super) full: Option<Batch<T>>,
    /// Whether a batch was opened, with a due time of its own.
    pub(super) opened: bool,
}

impl<T> Batch<T> {
    fn new(first: Newcomer<T>, due: Instant) -> Self {
        let (bytes, began) = (first.bytes, (first.began, first.began));
        Self { items: vec![first.item], bytes, due, began }
    }

    /// When the first of its sends began: the deadline of the batch follows from it.
    pub(in crate::producer) fn began(&self) -> Instant {
        self.began.0
    }

    fn takes(&self, newcomer: &Newcomer<T>, limit: usize) -> bool {
        let earliest = self.began.0.min(newcomer.began);
        let latest = self.began.1.max(newcomer.began);
        // The batch has the earliest deadline of its messages, so only sends that began at about the same time join.
        let close_in_time = latest.duration_since(earliest) <= newcomer.timeout / 8;
        close_in_time && newcomer.bytes <= limit.saturating_sub(self.bytes)
    }

    fn push(&mut self, newcomer: Newcomer<T>) {
        self.bytes += newcomer.bytes;
        self.began = (self.began.0.min(newcomer.began), self.began.1.max(newcomer.began));
        self.items.push(newcomer.item);
    }
}

impl<K: Hash + Eq, T> OpenBatches<K, T> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: FxHashMap::default(), closed: false }
    }

    /// Adds a message to the batch of its key.
    pub(super) fn add(&mut self, key: K, newcomer: Newcomer<T>, now: Instant) -> Added<T> {
        if self.closed {
            return Added { full: Some(Batch::new(newcomer, now)), opened: false };
        }
        let limit = self.limits.bytes;
        let joined = match self.open.get_mut(&key) {
            Some(batch) if batch.takes(&newcomer, limit) => {
                batch.push(newcomer);
                batch.bytes
            }
            _ => {
                let due = now + self.limits.delay.min(newcomer.timeout / 2);
                let full = self.open.insert(key, Batch::new(newcomer, due));
                return Added { full, opened: true };
            }
        };
        let full = if joined == limit { self.open.remove(&key) } else { None };
        Added { full, opened: false }
    }

    /// The batches that are due, and when the next one is due.
    pub(super) fn take_due(&mut self, now: Instant) -> (Vec<Batch<T>>, Option<Instant>) {
        let is_due = |(_, batch): &(K, Batch<T>)| batch.due <= now;
        let (due, open): (FxHashMap<_, _>, _) = mem::take(&mut self.open).into_iter().partition(is_due);
        self.open = open;
        (due.into_values().collect(), self.open.values().map(|batch| batch.due).min())
    }

    /// All batches; from now on each message is a batch of its own.
    pub(super) fn close(&mut self) -> Vec<Batch<T>> {
        self.closed = true;
        self.open.drain().map(|(_, batch)| batch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(10);
    const TIMEOUT: Duration = Duration::from_secs(3);

    fn batches() -> OpenBatches<&'static str, u32> {
        OpenBatches::new(Limits { delay: DELAY, bytes: 100 })
    }

    fn newcomer(item: u32, bytes: usize, began: Instant) -> Newcomer<u32> {
        Newcomer { item, bytes, began, timeout: TIMEOUT }
    }

    /// The items of the full batch, and whether a new one was opened.
    fn joined(added: Added<u32>) -> (Option<Vec<u32>>, bool) {
        (added.full.map(|batch| batch.items), added.opened)
    }

    #[test]
    fn a_batch_goes_out_when_it_is_full_to_the_byte_or_the_next_would_not_fit() {
        let (mut batches, now) = (batches(), Instant::now());
        assert_eq!(joined(batches.add("a", newcomer(1, 50, now), now)), (None, true));
        assert_eq!(joined(batches.add("a", newcomer(2, 50, now), now)), (Some(vec![1, 2]), false));
        assert_eq!(joined(batches.add("a", newcomer(3, 50, now), now)), (None, true));
        assert_eq!(joined(batches.add("a", newcomer(4, 51, now), now)), (Some(vec![3]), true));
        assert_eq!(joined(batches.add("b", newcomer(5, 49, now), now)), (None, true), "another key");
    }

    #[test]
    fn a_batch_goes_out_when_its_first_message_has_waited_long_enough() {
        let (mut batches, now) = (batches(), Instant::now());
        joined(batches.add("a", newcomer(1, 10, now), now));
        joined(batches.add("b", newcomer(2, 10, now), now + DELAY / 2));
        joined(batches.add("a", newcomer(3, 10, now + DELAY / 2), now + DELAY / 2));
        let (due, next) = batches.take_due(now + DELAY - Duration::from_nanos(1));
        assert_eq!((due.len(), next), (0, Some(now + DELAY)));
        let (due, next) = batches.take_due(now + DELAY);
        assert_eq!((due.len(), &due[0].items, due[0].began()), (1, &vec![1, 3], now));
        assert_eq!(next, Some(now + DELAY * 3 / 2));
    }

    #[test]
    fn half_of_a_short_budget_is_left_for_the_way() {
        let (mut batches, now) = (batches(), Instant::now());
        let hasty = Newcomer { item: 1, bytes: 10, began: now, timeout: Duration::from_millis(8) };
        joined(batches.add("a", hasty, now));
        assert_eq!(batches.take_due(now + Duration::from_millis(4)).0.len(), 1);
    }

    #[test]
    fn a_message_that_waited_long_elsewhere_shortens_nobodys_deadline() {
        let (mut batches, now) = (batches(), Instant::now() + TIMEOUT);
        joined(batches.add("a", newcomer(1, 10, now), now));
        let late = newcomer(2, 10, now - TIMEOUT / 2);
        assert_eq!(joined(batches.add("a", late, now)), (Some(vec![1]), true));
        let also_late = newcomer(3, 10, now - TIMEOUT / 2 - DELAY);
        assert_eq!(joined(batches.add("a", also_late, now)), (None, false));
        let (due, _) = batches.take_due(now + DELAY);
        assert_eq!(due[0].began(), now - TIMEOUT / 2 - DELAY, "the earliest deadline holds for all");
    }

    #[test]
    fn after_the_end_everything_goes_out_at_once() {
        let (mut batches, now) = (batches(), Instant::now());
        joined(batches.add("a", newcomer(1, 10, now), now));
        assert_eq!(batches.close()[0].items, [1]);
        assert_eq!(joined(batches.add("a", newcomer(2, 10, now), now)), (Some(vec![2]), false));
    }
}
