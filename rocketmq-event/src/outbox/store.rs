use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;

use super::OutboxRow;

/// An error of the database behind an outbox.
pub type OutboxError = Box<dyn std::error::Error + Send + Sync>;

/// The table that a service writes its events to, in the transaction of its rows. A [`Relay`](super::Relay) calls these four functions
/// from one task.
#[async_trait]
pub trait OutboxStore: Debug + Send + Sync + 'static {
    /// The oldest events behind the sequence `after` (0: from the beginning) that are neither published nor refused, in the order of
    /// their sequences, `limit` at most. A relay asks from the beginning again and again: so an event whose transaction ends late is found,
    /// although events with higher sequences are published already.
    ///
    /// A row that cannot be read as an event is an [`UnreadableRow`](super::UnreadableRow) in its place, not an error of this function: the
    /// relay sets it aside with [`refuse`](Self::refuse), and other rows go on. An error stops all rows of the table.
    ///
    /// # Errors
    /// When the database does not answer. The relay asks again later.
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError>;

    /// The broker has these events: `unpublished` does not return them any longer, not after a crash either.
    ///
    /// # Errors
    /// When that may not be stored. The relay tells it again, and does not publish the events again meanwhile.
    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError>;

    /// The broker can never take this event, for example because it is too large, or the row cannot be read. Keep it with the reason, for a person to look at:
    /// `unpublished` does not return it any longer, so that later events of its key go on.
    ///
    /// # Errors
    /// When that may not be stored. The relay finds the event again, and tells it again.
    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError>;

    /// The events that wait.
    ///
    /// # Errors
    /// When the database does not answer. The metrics keep their last values.
    async fn backlog(&self) -> Result<Backlog, OutboxError>;
}

/// The events of an outbox that are neither published nor refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Their number.
    pub count: u64,
    /// The time of the oldest of them.
    pub oldest: Option<SystemTime>,
}
