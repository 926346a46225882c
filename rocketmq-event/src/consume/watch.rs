use std::time::Duration;

use crate::backend::{BackendError, Notice};
use crate::event::{EventId, FailureKind};

/// An event of a consumer. A slow reader loses the oldest events.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// The backend tells of its connection.
    Connection(Notice),
    /// An event is done: a handler succeeded, or no handler takes it.
    Acknowledged {
        /// The event.
        id: EventId,
    },
    /// A handler failed, and its event comes again.
    Retried {
        /// The event.
        id: EventId,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The next attempt begins after this time, or later.
        after: Duration,
        /// How it failed.
        kind: FailureKind,
        /// Why it failed.
        reason: String,
    },
    /// An event became a dead letter.
    DeadLettered {
        /// The event.
        id: EventId,
        /// Failed attempts.
        attempts: u32,
        /// How the last attempt failed.
        kind: FailureKind,
        /// Why the last attempt failed.
        reason: String,
    },
    /// An event whose tries are used up was acknowledged and is gone, because the policy says so.
    Dropped {
        /// The event.
        id: EventId,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The broker did not take a copy, an event of a handler, or an acknowledgement. It is tried again.
    NotStored {
        /// The event.
        id: EventId,
        /// Why.
        reason: String,
    },
    /// The reader was slow: this number of events is missing here.
    Missed(u64),
    /// The consumer cannot go on.
    Ended {
        /// Why.
        reason: String,
    },
}

/// How a consumer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The connection to the broker stands.
    pub is_connected: bool,
    /// `pause` was called, and `resume` not since.
    pub is_paused: bool,
    /// Why the consumer ended by itself.
    pub ended: Option<String>,
    /// Deliveries in hand: being handled, and waiting for a retry in place or for their turn.
    pub in_flight: usize,
    /// For how long the oldest of them has been in hand.
    pub oldest: Option<Duration>,
    /// Why the last attempt that failed did.
    pub last_failure: Option<String>,
}

/// The leftovers of a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Deliveries that were finished during the shutdown: acknowledged, retried later, or dead letters.
    pub finished: usize,
    /// Deliveries that were given back without being handled.
    pub released: usize,
    /// Deliveries whose handler was ended by the deadline. They come again.
    pub left: usize,
    /// How long the shutdown took.
    pub took: Duration,
}

impl ShutdownReport {
    /// Whether every handler that ran came to its end.
    pub fn is_clean(&self) -> bool {
        self.left == 0
    }
}

/// A consumer ended by itself, or its shutdown failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// A handler, or the policy, said that the consumer has to stop.
    #[error("the consumer of group {group} was stopped at the event {id}: {reason}")]
    Stopped {
        /// The group.
        group: String,
        /// The event, which was given back.
        id: EventId,
        /// Why.
        reason: String,
    },
    /// The backend cannot go on.
    #[error("the consumer of group {group} cannot go on")]
    Backend {
        /// The group.
        group: String,
        /// Why.
        source: BackendError,
    },
}
