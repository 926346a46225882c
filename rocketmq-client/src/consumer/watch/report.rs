use std::fmt;
use std::time::Duration;

use crate::life_cycle::write_left;
use crate::model::MessageQueue;

/// The leftovers of the shutdown of a consumer. `{}` prints it as one line for the log.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConsumerShutdownReport {
    /// Messages that a handler had and did not finish in time. They come again.
    pub unfinished: u32,
    /// Queues whose offset could not be committed, with that offset: what lies between the committed offset and it comes
    /// again.
    pub uncommitted: Vec<(MessageQueue, i64)>,
    /// Popped messages that are done and whose broker did not acknowledge that: they come again.
    pub unacknowledged: u32,
    /// Queues whose lock could not be given back: other members get them when the lock expires, after 60 s.
    pub still_locked: Vec<MessageQueue>,
    /// Brokers that could not be told that this consumer leaves. They notice when its connection closes, or after 120 s
    /// without a heartbeat.
    pub not_unregistered: Vec<String>,
    /// How long the shutdown took.
    pub took: Duration,
}

impl ConsumerShutdownReport {
    /// Whether nothing was left.
    ///
    /// ```
    /// assert!(rocketmq_client::consumer::ConsumerShutdownReport::default().is_clean());
    /// ```
    pub fn is_clean(&self) -> bool {
        self.unfinished == 0
            && self.uncommitted.is_empty()
            && self.unacknowledged == 0
            && self.still_locked.is_empty()
            && self.not_unregistered.is_empty()
    }
}

impl fmt::Display for ConsumerShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = [
            (self.unfinished as usize, "unfinished messages"),
            (self.uncommitted.len(), "uncommitted queues"),
            (self.unacknowledged as usize, "unacknowledged messages"),
            (self.still_locked.len(), "queues still locked"),
            (self.not_unregistered.len(), "brokers not told"),
        ];
        write_left(f, left, self.took)
    }
}
