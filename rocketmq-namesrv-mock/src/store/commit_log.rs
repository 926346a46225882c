//! The records of a broker, one after the other.

use bytes::{Bytes, BytesMut};
use rocketmq_common::record::{RecordEncodeError, RecordFields, encode_record};

/// Records in the order in which they were stored, at the positions that they would have in Apache's files.
///
/// Records are written into shared chunks of memory, and reading one copies nothing.
#[derive(Debug)]
pub(crate) struct CommitLog {
    records: Vec<Record>,
    /// Where the next record will be.
    position: i64,
    chunk: BytesMut,
    stored_bytes: usize,
    limit: usize,
}

#[derive(Debug, Clone)]
struct Record {
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
        Self { records: Vec::new(), position: 0, chunk: BytesMut::new(), stored_bytes: 0, limit }
    }

    /// Where the next record will be.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Whether records of so many bytes still fit.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), StoreFull> {
        match self.stored_bytes.checked_add(bytes) {
            Some(sum) if sum <= self.limit => Ok(()),
            _ => Err(StoreFull { limit: self.limit }),
        }
    }

    /// Stores one record, whose header has to name [`position`](Self::position). Returns its number, from 0.
    pub(crate) fn append(&mut self, fields: &RecordFields<'_>) -> Result<usize, AppendError> {
        self.check_room(fields.record_len()).map_err(AppendError::Full)?;
        encode_record(fields, &mut self.chunk).map_err(AppendError::Encode)?;
        let bytes = self.chunk.split().freeze();
        let size = bytes.len();
        self.records.push(Record { position: self.position, bytes });
        self.stored_bytes += size;
        self.skip(size);
        Ok(self.records.len() - 1)
    }

    /// Leaves out so many bytes, as if a record had been stored there that nobody can read.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Takes over what another log has beyond this one, which was filled from it alone.
    pub(crate) fn follow(&mut self, other: &Self) {
        let known = self.records.len();
        self.records.extend_from_slice(other.records.get(known..).unwrap_or_default());
        (self.position, self.stored_bytes) = (other.position, other.stored_bytes);
    }

    /// The record with this number.
    pub(crate) fn record(&self, number: usize) -> Option<&Bytes> {
        self.records.get(number).map(|record| &record.bytes)
    }

    /// Where the record with this number starts.
    pub(crate) fn position_of(&self, number: usize) -> Option<i64> {
        self.records.get(number).map(|record| record.position)
    }

    /// The record that starts exactly at this position.
    pub(crate) fn record_at(&self, position: i64) -> Option<&Bytes> {
        let found = self.records.binary_search_by_key(&position, |record| record.position).ok()?;
        self.record(found)
    }
}
