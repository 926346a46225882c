//! The store of a broker.
//!
//! * `commit_log`: all records. `consume_queue`: the entries of a queue. `decode`: reads records back.
//! * `java_properties`: properties in the order in which Apache's broker stores them.

mod commit_log;
mod consume_queue;
mod decode;
mod java_properties;

pub(crate) use commit_log::{AppendError, CommitLog};
pub(crate) use consume_queue::{ConsumeQueue, QueueEntry};
pub(crate) use decode::{decode_head, decode_stored};
pub(crate) use java_properties::{JavaProperties, property, property_entries, with_properties};
