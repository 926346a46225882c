//! Faults of stored records.

use std::fmt;

use thiserror::Error;

use crate::compression::{DecompressError, UnknownCompressionType};
use crate::shorten::Shorten;

/// A record that cannot be read: its place, and the reason. Records after it can be read, unless
/// [`is_last`](Self::is_last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    position: usize,
    problem: RecordProblem,
    place: RecordPlace,
}

/// The place of a broken record, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RecordPlace {
    pub(crate) topic: Option<String>,
    pub(crate) queue_id: Option<i32>,
    pub(crate) queue_offset: Option<i64>,
    pub(crate) commit_log_offset: Option<i64>,
}

impl RecordError {
    pub(crate) fn new(position: usize, problem: RecordProblem) -> Self {
        Self::at_place(position, problem, RecordPlace::default())
    }

    pub(crate) fn at_place(position: usize, problem: RecordProblem, place: RecordPlace) -> Self {
        Self(Box::new(Inner { position, problem, place }))
    }

    /// Where the record starts in the buffer that was read, in bytes.
    pub fn position(&self) -> usize {
        self.0.position
    }

    /// The reason.
    pub fn problem(&self) -> &RecordProblem {
        &self.0.problem
    }

    /// Whether the rest of the buffer is lost too.
    pub fn is_last(&self) -> bool {
        matches!(
            self.0.problem,
            RecordProblem::Size { .. }
                | RecordProblem::Truncated { field: "record size", .. }
                | RecordProblem::TooMany { .. }
        )
    }

    /// The topic of the record, if that much could be read.
    pub fn topic(&self) -> Option<&str> {
        self.0.place.topic.as_deref()
    }

    /// The queue of the record, if that much could be read.
    pub fn queue_id(&self) -> Option<i32> {
        self.0.place.queue_id
    }

    /// The position of the record in its queue, if that much could be read.
    pub fn queue_offset(&self) -> Option<i64> {
        self.0.place.queue_offset
    }

    /// The position of the record in the commit log, if that much could be read.
    pub fn commit_log_offset(&self) -> Option<i64> {
        self.0.place.commit_log_offset
    }

    pub(crate) fn in_batch(self, index: usize, position: usize, place: RecordPlace) -> Self {
        let problem = RecordProblem::InnerBatch { index, problem: Box::new(self.0.problem) };
        Self::at_place(position, problem, place)
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record at byte {}", self.0.position)?;
        if let Some(topic) = self.topic() {
            write!(f, ", topic `{}`", Shorten(topic))?;
        }
        if let Some(queue_id) = self.queue_id() {
            write!(f, ", queue {queue_id}")?;
        }
        if let Some(offset) = self.queue_offset() {
            write!(f, ", queue offset {offset}")?;
        }
        write!(f, " cannot be read: {}", self.0.problem)
    }
}

/// The text contains the reason; [`RecordError::problem`] returns it.
impl std::error::Error for RecordError {}

/// The kinds of [`RecordError`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordProblem {
    /// The size of the record is impossible, so the start of the next record is unknown.
    #[error("its size of {size} does not fit the {available} bytes that are there")]
    Size {
        /// The size that the record claims.
        size: i32,
        /// The bytes from its start to the end of the buffer.
        available: usize,
    },
    /// The record ends within a field.
    #[error("{field} takes {needed} bytes, but {available} are left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// The bytes that the field takes.
        needed: usize,
        /// The bytes that the record has left.
        available: usize,
    },
    /// The record continues after its last field.
    #[error("{count} bytes are left behind its last field")]
    Trailing {
        /// The number of excess bytes.
        count: usize,
    },
    /// The magic number, which tells the kind of record, is unknown.
    #[error("{magic:#010X} is no known magic number")]
    Magic {
        /// The number.
        magic: u32,
    },
    /// A length is negative.
    #[error("{field} is {length}")]
    NegativeLength {
        /// The field.
        field: &'static str,
        /// The length.
        length: i32,
    },
    /// A port is above 65535.
    #[error("{field} has the port {port}")]
    Port {
        /// The address.
        field: &'static str,
        /// The port.
        port: u32,
    },
    /// A text is not UTF-8.
    #[error("{field} is not UTF-8")]
    NotUtf8 {
        /// The text.
        field: &'static str,
    },
    /// The body differs from the stored body.
    #[error("the checksum of its body is {actual:#010x} instead of {expected:#010x}")]
    Checksum {
        /// The checksum in the record.
        expected: u32,
        /// The checksum of the body.
        actual: u32,
    },
    /// The body is compressed in an unknown way.
    #[error("its body cannot be inflated: {0}")]
    CompressionType(UnknownCompressionType),
    /// The body cannot be inflated, or exceeds the limit.
    #[error("its body cannot be inflated: {0}")]
    Decompress(DecompressError),
    /// A message of a batch that is stored as one record cannot be read.
    #[error("message {index} of the batch in it cannot be read: {problem}")]
    InnerBatch {
        /// The index of the message in the batch, from 0.
        index: usize,
        /// The fault.
        problem: Box<RecordProblem>,
    },
    /// There are more messages than the limit.
    #[error("there are more than {limit} messages")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}
