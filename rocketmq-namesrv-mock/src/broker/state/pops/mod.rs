//! State of pops.
//!
//! - [`checkpoints`]: messages that were popped and are not acknowledged.
//! - [`orders`]: queues that are popped in order, one batch at a time.
//! - [`held`]: pops and notifications that wait for a message.

mod checkpoints;
mod held;
mod orders;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use checkpoints::{Checkpoint, CheckpointKey, Checkpoints};
pub(crate) use held::{HeldPops, PopWait, WaitKind};
pub(crate) use orders::{Batch, Committed, Hidden, Orders};

use crate::clock::Clock;

/// A queue, for one group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueueKey {
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) queue_id: i32,
}

/// All state of pops.
#[derive(Debug)]
pub(crate) struct PopTable {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) orders: Orders,
    pub(crate) events: HashMap<u64, Event>,
    /// How many events there were.
    pub(crate) event_count: u64,
    /// How many pops there were.
    pub(crate) pop_count: i32,
    pub(crate) held: HeldPops,
}

/// A scheduled event.
#[derive(Debug)]
pub(crate) enum Event {
    /// Messages that were not acknowledged come again.
    Revive(CheckpointKey),
    /// A queue that is popped in order may go on.
    Unblock(QueueKey),
}

impl PopTable {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self {
            checkpoints: Checkpoints::default(),
            orders: Orders::default(),
            events: HashMap::new(),
            event_count: 0,
            pop_count: 0,
            held: HeldPops::new(clock),
        }
    }
}

impl QueueKey {
    pub(crate) fn new(topic: &str, group: &str, queue_id: i32) -> Self {
        Self { topic: topic.to_owned(), group: group.to_owned(), queue_id }
    }
}
