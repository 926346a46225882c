//! Looks up stored messages for tools.
//!
//! - [`by_id`]: the message at a position in the commit log: 33.
//! - [`by_key`]: messages with a key: 12.
//! - [`queue_data`]: entries of a queue: 321.

mod by_id;
mod by_key;
mod queue_data;

pub(crate) use by_id::by_id;
pub(crate) use by_key::by_key;
pub(crate) use queue_data::queue_data;
