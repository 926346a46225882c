//! One queue of a topic: its records in order.

use rocketmq_remoting::protocol::header::BoundaryType;
use std::collections::VecDeque;

/// An entry of a queue: the data that a pull needs before it reads the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueEntry {
    /// The number of the record in the commit log.
    pub(crate) record: usize,
    /// Bytes of the record.
    pub(crate) size: usize,
    /// Java's hash of the tag, 0 without one.
    pub(crate) tags_code: i32,
    /// Which message of its record the entry stands for: above 0 only in an inner batch.
    pub(crate) index: u16,
    /// The number of messages in its record.
    pub(crate) count: u16,
    /// Milliseconds since 1970.
    pub(crate) store_timestamp: i64,
}

/// The entries of one queue.
#[derive(Debug, Default, Clone)]
pub(crate) struct ConsumeQueue {
    entries: VecDeque<QueueEntry>,
    /// The offset of the first entry.
    first: i64,
    /// Offsets that were used without an entry. Below zero: offsets that are used a second time.
    lost: i64,
}

impl ConsumeQueue {
    /// A queue in which nothing was ever stored.
    pub(crate) const EMPTY: &'static Self = &Self { entries: VecDeque::new(), first: 0, lost: 0 };

    /// The offset for the next message. It equals [`max_offset`](Self::max_offset) unless [`lose`](Self::lose) was
    /// called.
    pub(crate) fn next_offset(&self) -> i64 {
        self.max_offset() + self.lost
    }

    /// The offset of the first entry. It rises when entries are dropped.
    pub(crate) fn min_offset(&self) -> i64 {
        self.first
    }

    /// The offset after the last entry.
    pub(crate) fn max_offset(&self) -> i64 {
        self.first + self.entries.len() as i64
    }

    /// The minimum and the maximum offset.
    pub(crate) fn range(&self) -> (i64, i64) {
        (self.first, self.max_offset())
    }

    /// The offset of the first message of the record that has a message at this offset.
    pub(crate) fn start_of_record(&self, offset: i64) -> i64 {
        offset - self.entries_from(offset).next().map_or(0, |entry| i64::from(entry.index))
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, entry: QueueEntry) {
        self.entries.push_back(entry);
    }

    /// Uses up an offset for a message that no client will see.
    pub(crate) fn lose(&mut self, count: i64) {
        self.lost += count;
    }

    /// Counts a batch that was stored as Apache's broker does, in 16 bits with a sign: after more than 32,767 messages
    /// the next offsets go backwards.
    pub(crate) fn count_in_16_bits(&mut self, messages: usize) {
        self.lost += i64::from(messages as i16) - messages as i64;
    }

    /// Whether the next message is told an offset that another message has. Nobody can read that message.
    pub(crate) fn is_behind(&self) -> bool {
        self.lost < 0
    }

    /// Copies the entries of `other` up to the record with the number `end`, and returns the new ones. This queue must
    /// have been filled from `other` only.
    pub(crate) fn follow(&mut self, other: &Self, end: usize) -> impl Iterator<Item = &QueueEntry> {
        // A restored snapshot may have cut the end of the other queue.
        self.entries.truncate(usize::try_from(other.max_offset() - self.first).unwrap_or(0));
        self.trim(other.first);
        if self.entries.is_empty() {
            self.first = other.first;
        }
        let known = self.entries.len();
        let from = self.max_offset();
        self.entries.extend(other.entries_from(from).take_while(|entry| entry.record < end));
        self.lost = other.lost;
        self.entries.range(known..)
    }

    /// Drops the entries before an offset, at most all entries.
    pub(crate) fn trim(&mut self, min_offset: i64) {
        while self.first < min_offset && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// Drops the first entry if it belongs to this record.
    pub(crate) fn drop_record(&mut self, number: usize) {
        while self.entries.front().is_some_and(|first| first.record == number) {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// The entries from this offset on; none if the offset is before the first entry.
    pub(crate) fn entries_from(&self, offset: i64) -> impl Iterator<Item = &QueueEntry> {
        let start = usize::try_from(offset.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.entries.range(start.min(self.entries.len())..)
    }

    /// All entries.
    pub(crate) fn entries(&self) -> &VecDeque<QueueEntry> {
        &self.entries
    }

    /// The offset for a point in time; 0 if the queue is empty.
    pub(crate) fn offset_by_time(&self, timestamp: i64, boundary: BoundaryType) -> i64 {
        let older = match boundary {
            BoundaryType::Lower => self.entries.partition_point(|entry| entry.store_timestamp < timestamp),
            BoundaryType::Upper => self.entries.partition_point(|entry| entry.store_timestamp <= timestamp),
        };
        match boundary {
            BoundaryType::Lower => self.first + older as i64,
            BoundaryType::Upper => self.first + older.saturating_sub(1) as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(timestamps: &[i64]) -> ConsumeQueue {
        let mut queue = ConsumeQueue::default();
        for store_timestamp in timestamps {
            let store_timestamp = *store_timestamp;
            queue.push(QueueEntry { record: 0, size: 1, tags_code: 0, index: 0, count: 1, store_timestamp });
        }
        queue
    }

    #[test]
    fn a_search_by_time_takes_the_first_or_the_last_message() {
        let queue = queue(&[10, 20, 20, 30]);
        let found = |timestamp| {
            [BoundaryType::Lower, BoundaryType::Upper].map(|b| queue.offset_by_time(timestamp, b))
        };
        assert_eq!(found(20), [1, 2]);
        assert_eq!(found(25), [3, 2]);
        assert_eq!(found(5), [0, 0]);
        assert_eq!(found(31), [4, 3]);
    }

    #[test]
    fn an_empty_queue_has_offset_0_for_all_times() {
        assert_eq!(queue(&[]).offset_by_time(7, BoundaryType::Lower), 0);
        assert_eq!(queue(&[]).offset_by_time(7, BoundaryType::Upper), 0);
    }

    #[test]
    fn a_lost_offset_puts_the_told_offset_ahead_of_the_position() {
        let mut queue = queue(&[1]);
        queue.lose(1);
        assert_eq!((queue.next_offset(), queue.max_offset()), (2, 1));
        assert!(queue.entries_from(1).next().is_none() && queue.entries_from(-1).next().is_none());
    }

    #[test]
    fn a_batch_is_counted_in_16_bits() {
        let mut queue = queue(&[1]);
        queue.count_in_16_bits(32_767);
        assert!(!queue.is_behind());
        queue.count_in_16_bits(40_000);
        assert_eq!((queue.next_offset(), queue.is_behind()), (1 - 65_536, true));
    }

    #[test]
    fn offsets_stay_when_the_first_entries_go() {
        let mut queue = ConsumeQueue::default();
        for record in 0..3 {
            queue.push(QueueEntry {
                record,
                size: 1,
                tags_code: 0,
                index: 0,
                count: 1,
                store_timestamp: record as i64,
            });
        }
        queue.drop_record(1);
        assert_eq!(queue.min_offset(), 0);
        queue.drop_record(0);
        queue.drop_record(1);
        assert_eq!((queue.min_offset(), queue.max_offset(), queue.next_offset()), (2, 3, 3));
        let records = |offset| queue.entries_from(offset).map(|entry| entry.record).collect::<Vec<_>>();
        assert_eq!([records(1), records(2), records(3)], [vec![], vec![2], vec![]]);
        assert_eq!([0, 9].map(|time| queue.offset_by_time(time, BoundaryType::Lower)), [2, 3]);
    }
}
