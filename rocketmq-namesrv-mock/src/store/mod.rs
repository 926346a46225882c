//! What a broker keeps: records, queues of them, and the form in which properties are stored.

mod commit_log;
mod consume_queue;
mod decode;
mod java_properties;

pub(crate) use commit_log::{AppendError, CommitLog};
pub(crate) use consume_queue::{ConsumeQueue, QueueEntry};
pub(crate) use decode::{decode_head, decode_stored};
pub(crate) use java_properties::{JavaProperties, property, property_entries, with_properties};
