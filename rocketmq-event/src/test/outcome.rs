use std::time::Duration;

use crate::consume::ConsumerEvent;
use crate::event::{EventId, FailureKind};

/// The outcome of an event that a [`Harness`](super::Harness) delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerOutcome {
    /// It is acknowledged: a handler succeeded, or none takes it.
    Acknowledged,
    /// The attempt failed, and the event comes again.
    Retried {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The delay before the next.
        after: Duration,
    },
    /// It is a dead letter.
    DeadLettered {
        /// How the last attempt failed.
        kind: FailureKind,
        /// Why.
        reason: String,
    },
    /// Its tries are used up, and the policy drops it.
    Dropped,
    /// The consumer ended.
    Ended {
        /// Why.
        reason: String,
    },
}

impl HandlerOutcome {
    /// The outcome of this event, if `event` tells it.
    pub(super) fn of(event: ConsumerEvent, wanted: &EventId) -> Option<Self> {
        let is_wanted = |id: &EventId| id == wanted;
        match event {
            ConsumerEvent::Acknowledged { id } if is_wanted(&id) => Some(Self::Acknowledged),
            ConsumerEvent::Retried { id, attempt, after, .. } if is_wanted(&id) => {
                Some(Self::Retried { attempt, after })
            }
            ConsumerEvent::DeadLettered { id, kind, reason, .. } if is_wanted(&id) => {
                Some(Self::DeadLettered { kind, reason })
            }
            ConsumerEvent::Dropped { id, .. } if is_wanted(&id) => Some(Self::Dropped),
            ConsumerEvent::Ended { reason } => Some(Self::Ended { reason }),
            _ => None,
        }
    }
}
