//! The records of a broker in one sequence.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use rocketmq_common::record::{RecordEncodeError, RecordFields, encode_record};

/// Records in the order in which they were stored, at the positions that they would have in Apache's files.
///
/// Records are written into shared chunks of memory, and reading one copies nothing.
#[derive(Debug, Clone)]
pub(crate) struct CommitLog {
    records: VecDeque<Record>,
    /// The number of the first record that still exists.
    first: usize,
    /// The position of the next record.
    position: i64,
    chunk: BytesMut,
    blocks: Vec<Block>,
    stored_bytes: usize,
    limit: usize,
}

#[derive(Debug, Clone)]
struct Record {
    position: i64,
    bytes: Bytes,
}

/// Records that lie in one piece of memory: pulls of them need no copy.
#[derive(Debug, Clone)]
struct Block {
    /// The numbers of the records.
    numbers: Range<usize>,
    /// The position of the first record.
    position: i64,
    bytes: Bytes,
}

/// The limit on stored bytes is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreFull {
    /// The limit in bytes.
    pub(crate) limit: usize,
}

/// Why a record was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AppendError {
    Full(StoreFull),
    Encode(RecordEncodeError),
}

impl CommitLog {
    /// An empty log that takes at most `limit` bytes of records.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            records: VecDeque::new(),
            first: 0,
            position: 0,
            chunk: BytesMut::new(),
            blocks: Vec::new(),
            stored_bytes: 0,
            limit,
        }
    }

    /// The position of the next record.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Checks that `bytes` more bytes fit.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), StoreFull> {
        match self.stored_bytes.checked_add(bytes) {
            Some(sum) if sum <= self.limit => Ok(()),
            _ => Err(StoreFull { limit: self.limit }),
        }
    }

    /// Stores one record, whose header must contain [`position`](Self::position). Returns its number, from 0.
    pub(crate) fn append(&mut self, fields: &RecordFields<'_>) -> Result<usize, AppendError> {
        self.check_room(fields.record_len()).map_err(AppendError::Full)?;
        encode_record(fields, &mut self.chunk).map_err(AppendError::Encode)?;
        let bytes = self.chunk.split().freeze();
        let size = bytes.len();
        self.records.push_back(Record { position: self.position, bytes });
        self.stored_bytes += size;
        self.skip(size);
        Ok(self.first + self.records.len() - 1)
    }

    /// Stores records of `size` bytes each that lie in one piece of memory. Returns their numbers.
    pub(crate) fn append_block(&mut self, bytes: Bytes, size: usize) -> Range<usize> {
        let (first, position) = (self.end(), self.position);
        for at in (0..bytes.len()).step_by(size.max(1)) {
            self.records.push_back(Record { position: self.position, bytes: bytes.slice(at..at + size) });
            self.skip(size);
        }
        self.stored_bytes += bytes.len();
        let numbers = first..self.end();
        self.blocks.push(Block { numbers: numbers.clone(), position, bytes });
        numbers
    }

    /// The records with these numbers, if they lie in one piece of memory.
    pub(crate) fn in_one_piece(&self, first: usize, last: usize) -> Option<Bytes> {
        let index = self.blocks.partition_point(|block| block.numbers.end <= first);
        let block = self.blocks.get(index)?;
        if first < block.numbers.start || last >= block.numbers.end {
            return None;
        }
        let place = |position: i64| usize::try_from(position - block.position).ok();
        let (first, last) = (self.at(first)?, self.at(last)?);
        Some(block.bytes.slice(place(first.position)?..place(last.position)? + last.bytes.len()))
    }

    /// Bytes of all records that still exist.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }

    /// Drops the oldest record. Returns its number and its bytes.
    pub(crate) fn drop_oldest(&mut self) -> Option<(usize, Bytes)> {
        let oldest = self.records.pop_front()?;
        self.stored_bytes -= oldest.bytes.len();
        self.first += 1;
        self.blocks.retain(|block| block.numbers.end > self.first);
        Some((self.first - 1, oldest.bytes))
    }

    /// The oldest record that still exists.
    pub(crate) fn oldest(&self) -> Option<&Bytes> {
        self.record(self.first)
    }

    /// The position of the oldest record; without records, that of the next one.
    pub(crate) fn min_position(&self) -> i64 {
        self.position_of(self.first).unwrap_or(self.position)
    }

    /// Skips this number of bytes, as if an unreadable record had been stored there.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The number after the last record.
    pub(crate) fn end(&self) -> usize {
        self.first + self.records.len()
    }

    /// Copies the records of `other` up to the number `end`. This log must have been filled from `other` only.
    pub(crate) fn follow(&mut self, other: &Self, end: usize) {
        // A restored snapshot may have cut the end of the other log.
        self.records.truncate(other.end().saturating_sub(self.first));
        while self.first < other.first && self.records.pop_front().is_some() {
            self.first += 1;
        }
        self.first = self.first.max(other.first);
        let known = self.end() - other.first;
        let wanted = end.saturating_sub(other.first).clamp(known, other.records.len());
        self.records.extend(other.records.range(known..wanted).cloned());
        (self.position, self.stored_bytes) = (other.position, other.stored_bytes);
        if let Some(next) = other.at(self.end()) {
            self.position = next.position;
            self.stored_bytes = self.records.iter().map(|record| record.bytes.len()).sum();
        }
    }

    /// The record with this number.
    pub(crate) fn record(&self, number: usize) -> Option<&Bytes> {
        self.at(number).map(|record| &record.bytes)
    }

    /// Replaces the bytes of the record with this number. Its position stays, and those of the records behind it.
    pub(crate) fn replace(&mut self, number: usize, bytes: Bytes) {
        let place = number.checked_sub(self.first);
        if let Some(record) = place.and_then(|place| self.records.get_mut(place)) {
            self.stored_bytes = self.stored_bytes - record.bytes.len() + bytes.len();
            record.bytes = bytes;
            self.blocks.retain(|block| !block.numbers.contains(&number));
        }
    }

    /// The position of the record with this number.
    pub(crate) fn position_of(&self, number: usize) -> Option<i64> {
        self.at(number).map(|record| record.position)
    }

    /// The record that starts exactly at this position.
    pub(crate) fn record_at(&self, position: i64) -> Option<&Bytes> {
        let found = self.records.binary_search_by_key(&position, |record| record.position).ok()?;
        self.records.get(found).map(|record| &record.bytes)
    }

    fn at(&self, number: usize) -> Option<&Record> {
        self.records.get(number.checked_sub(self.first)?)
    }
}
