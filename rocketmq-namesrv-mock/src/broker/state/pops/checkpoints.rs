//! Popped messages that are not acknowledged. Java: `PopCheckPoint`.

use std::collections::HashMap;

use super::QueueKey;

/// The key of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CheckpointKey {
    pub(crate) queue: QueueKey,
    pub(crate) start_offset: i64,
    /// Milliseconds since 1970.
    pub(crate) pop_time: i64,
}

/// Messages of one pop from one queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The offsets that are not acknowledged.
    pub(crate) open: Vec<i64>,
    /// Whether the next delivery counts like the first.
    pub(crate) is_suspended: bool,
}

/// All checkpoints with messages that are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    points: HashMap<CheckpointKey, Checkpoint>,
}

impl Checkpoints {
    /// Adds hidden messages.
    pub(crate) fn add(&mut self, key: CheckpointKey, point: Checkpoint) {
        self.points.insert(key, point);
    }

    /// Acknowledges a message. An unknown message is ignored.
    pub(crate) fn ack(&mut self, key: &CheckpointKey, offset: i64) {
        if let Some(point) = self.points.get_mut(key) {
            point.open.retain(|open| *open != offset);
            if point.open.is_empty() {
                self.points.remove(key);
            }
        }
    }

    /// Removes a checkpoint, with the messages that were not acknowledged.
    pub(crate) fn take(&mut self, key: &CheckpointKey) -> Option<Checkpoint> {
        self.points.remove(key)
    }
}
