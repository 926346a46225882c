use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Backlog, OutboxError, OutboxEvent, OutboxRow, OutboxStore};

/// An outbox for tests: nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryOutbox(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    last: u64,
    waiting: BTreeMap<u64, OutboxEvent>,
    refused: Vec<(OutboxEvent, String)>,
}

impl MemoryOutbox {
    /// An empty outbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event behind all others, and returns its sequence.
    pub fn add(&self, mut event: OutboxEvent) -> u64 {
        let mut rows = self.rows();
        rows.last += 1;
        event.sequence = rows.last;
        let sequence = event.sequence;
        rows.waiting.insert(sequence, event);
        sequence
    }

    /// The events that the broker can never take, and why.
    pub fn refused(&self) -> Vec<(OutboxEvent, String)> {
        self.rows().refused.clone()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OutboxStore for MemoryOutbox {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        Ok(self.rows().waiting.range(after + 1..).take(limit).map(|(_, event)| Ok(event.clone())).collect())
    }

    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError> {
        let mut rows = self.rows();
        sequences.iter().for_each(|sequence| _ = rows.waiting.remove(sequence));
        Ok(())
    }

    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError> {
        let mut rows = self.rows();
        if let Some(event) = rows.waiting.remove(&sequence) {
            rows.refused.push((event, reason.to_owned()));
        }
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, OutboxError> {
        let rows = self.rows();
        let oldest = rows.waiting.first_key_value().map(|(_, event)| event.envelope.time);
        Ok(Backlog { count: rows.waiting.len() as u64, oldest })
    }
}
