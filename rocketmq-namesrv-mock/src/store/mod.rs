//! What a broker keeps: records, queues of them, and the form in which properties are stored.

mod commit_log;
mod consume_queue;
mod java_properties;

pub(crate) use commit_log::{AppendError, CommitLog};
pub(crate) use consume_queue::{ConsumeQueue, QueueEntry};
pub(crate) use java_properties::{JavaProperties, property, property_entries, with_properties};
