use std::time::Duration;

use super::SharedError;

/// An event is not published, or it is not known whether it is. [`outcome`](Self::outcome) says which.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct PublishError {
    kind: PublishErrorKind,
    outcome: Outcome,
    what: String,
    #[source]
    source: Option<SharedError>,
}

/// Whether an event whose publication failed is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The event is not stored: publishing it again makes no duplicate.
    NotStored,
    /// The broker may have it: publishing it again may make a duplicate, whose id is equal if the `Event` value is published again.
    MaybeStored,
}

/// Why an event is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// No queue takes events of this name, or the stream does not exist.
    NoRoute,
    /// The event is larger than the broker takes.
    TooLarge,
    /// The broker refused it.
    Refused,
    /// No answer came in time.
    Timeout,
    /// The connection is lost, or cannot be made.
    Disconnected,
    /// The bus is closed.
    Closed,
    /// The value cannot be written.
    Encode,
    /// A part of the event is not valid, for example a name that the broker cannot store.
    Invalid,
}

impl PublishError {
    /// An error that leaves no message behind.
    pub fn not_stored(kind: PublishErrorKind, what: impl Into<String>) -> Self {
        Self { kind, outcome: Outcome::NotStored, what: what.into(), source: None }
    }

    /// An error after which the message may be stored.
    pub fn maybe_stored(kind: PublishErrorKind, what: impl Into<String>) -> Self {
        Self { kind, outcome: Outcome::MaybeStored, what: what.into(), source: None }
    }

    /// The error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(SharedError::new(source));
        self
    }

    pub(crate) fn too_large(bytes: usize, limit: usize) -> Self {
        Self::not_stored(
            PublishErrorKind::TooLarge,
            format!("the payload of {bytes} bytes is larger than {limit}"),
        )
    }

    /// Whether the event is stored.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why.
    pub fn kind(&self) -> PublishErrorKind {
        self.kind
    }

    /// Whether the event can succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        use PublishErrorKind::{Disconnected, Refused, Timeout};
        matches!(self.kind, Refused | Timeout | Disconnected)
    }
}

/// Longer times are cut to this, so that no sum with the present time overflows.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// The wait before attempt `attempt` (from 1) to store a copy that must be stored: 100 ms, doubling up to 10 s.
pub(crate) fn wait_before(attempt: u32) -> Duration {
    Duration::from_millis(100)
        .saturating_mul(1 << attempt.saturating_sub(1).min(7))
        .min(Duration::from_secs(10))
}
