//! Offsets: ranges of queues, and progress of groups.
//!
//! - [`queues`]: reads and commits offsets: 14, 15, 29, 30, 31, 32.
//! - [`reset`]: moves a group to other offsets: 222.
//! - [`tables`]: all offsets, for slaves: 43, 45.

mod queues;
mod reset;
mod tables;

pub(crate) use queues::{
    earliest_store_time, max_offset, min_offset, query_consumer_offset, search_by_timestamp,
    update_consumer_offset,
};
pub(crate) use reset::reset_offset;
pub(crate) use tables::{all_offsets, delay_offsets};
