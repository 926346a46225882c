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
    /// Milliseconds.
    pub(crate) invisible_time: i64,
}

/// Apache's broker looks through checkpoints in steps that end so much later than they begin, in milliseconds.
/// Java: `PopReviveService`, `PopConstants.ackTimeInterval` and a second.
const STEP: i64 = 2_000;

impl CheckpointKey {
    /// Milliseconds since 1970.
    pub(crate) fn end_ms(&self) -> i64 {
        self.pop_time.saturating_add(self.invisible_time)
    }

    /// Whether Apache's broker takes one checkpoint for the other: within a step it does not look at their ends.
    fn is_mixed_up_with(&self, other: &Self) -> bool {
        let is_like = self.start_offset == other.start_offset && self.pop_time == other.pop_time;
        is_like && self.queue == other.queue && self.end_ms().abs_diff(other.end_ms()) <= STEP.unsigned_abs()
    }
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

    /// Replaces the checkpoint of a message that is hidden anew. If Apache's broker mixes the two up, it keeps only the later one: with a
    /// later end the rest of the pop is forgotten, with an earlier end the message, and with the same end both.
    pub(crate) fn renew(&mut self, old: &CheckpointKey, new: CheckpointKey, offset: i64, point: Checkpoint) {
        self.ack(old, offset);
        if new.is_mixed_up_with(old) {
            if new.end_ms() >= old.end_ms() {
                self.points.remove(old);
            }
            if new.end_ms() <= old.end_ms() {
                return;
            }
        }
        self.add(new, point);
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
