use bytes::Bytes;
use bytestring::ByteString;

use super::Recorded;
use crate::backend::{BackendError, LogError};
use crate::error::{Outcome, PublishError, SharedError};
use crate::event::{DecodeError, Position};

/// An append did not succeed. [`outcome`](Self::outcome) says whether its events may be there all the same.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The aggregate has another version than expected. None of the events counts, and no reader of the store sees them. Read the
    /// aggregate again, decide again, append with its version.
    #[error("the aggregate {aggregate} has version {actual}, and not {expected}")]
    Conflict {
        /// The aggregate.
        aggregate: ByteString,
        /// The version that the append expected.
        expected: u64,
        /// The version that the aggregate has.
        actual: u64,
    },
    /// The append itself is not valid: no events, no id of an aggregate, a value that cannot be written.
    #[error("{what}")]
    Invalid {
        /// What is not valid.
        what: String,
        /// Why.
        source: Option<SharedError>,
    },
    /// The broker has nothing of it.
    #[error("the append is not stored")]
    NotStored(#[source] PublishError),
    /// The broker may have it, and then it may count. Appending the same [`Event`](crate::Event)s with the same version again, by
    /// [`append_events`](super::EventStore::append_events), makes sure: they count once.
    #[error("the append may be stored")]
    MaybeStored {
        /// Why that is not known.
        source: SharedError,
    },
    /// The log cannot be read, so that the version of the aggregate is not known. Nothing is stored.
    #[error("the version of the aggregate is not known")]
    Store(#[from] StoreError),
}

impl AppendError {
    /// Whether the events may be in the store.
    pub fn outcome(&self) -> Outcome {
        if matches!(self, Self::MaybeStored { .. }) { Outcome::MaybeStored } else { Outcome::NotStored }
    }
}

/// A store cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The broker has no log that a store can be made of.
    #[error("{backend} keeps no log that an event store can be made of")]
    Unsupported {
        /// The broker.
        backend: &'static str,
    },
    /// The id of an aggregate is empty.
    #[error("the id of an aggregate is empty")]
    NoId,
    /// The events that were asked for are deleted: the retention of the broker took them. A history that begins later is never taken for the
    /// whole.
    #[error("the beginning is deleted: {place} begins at {first}")]
    Truncated {
        /// The aggregate; `None` when the events of all were asked for.
        aggregate: Option<ByteString>,
        /// The place of the log that begins later: the one of the aggregate, if that is known.
        place: ByteString,
        /// The first offset that is left there.
        first: u64,
        /// The first version of the aggregate that can be read, if that is known: by a snapshot.
        first_version: Option<u64>,
    },
    /// The events of an aggregate went to two places, because the broker's choice of places changed: the number of queues or partitions did.
    /// Their order is not known.
    #[error("the aggregate {aggregate} has its events in {home}, and new ones go to {other}")]
    Moved {
        /// The aggregate.
        aggregate: ByteString,
        /// Where its first events are.
        home: ByteString,
        /// Where others are, or would go.
        other: ByteString,
    },
    /// An event is not a value of the type, or of a name that the type does not have. Reading goes on behind it.
    #[error("event {} of {} cannot be read", .recorded.version, .recorded.aggregate)]
    Decode {
        /// The event as it is stored.
        recorded: Box<Recorded<Bytes>>,
        /// Why.
        source: DecodeError,
    },
    /// A record of several events is damaged, or of a later version of this crate.
    #[error("the record at {position} cannot be read: {what}")]
    Damaged {
        /// The record.
        position: Position,
        /// Why.
        what: String,
    },
    /// The state of an aggregate cannot be written, or its snapshot cannot be stored.
    #[error("the snapshot is not stored")]
    Snapshot {
        /// Why.
        source: SharedError,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[source] LogError),
    /// The broker did not do what it was asked to.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl From<LogError> for StoreError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Truncated { asked, first } => {
                Self::Truncated { aggregate: None, place: asked.place, first, first_version: None }
            }
            LogError::Backend(error) => Self::Backend(error),
            error => Self::Log(error),
        }
    }
}
