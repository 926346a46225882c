//! A broker as a whole: tools read and change its state. Java: `AdminBrokerProcessor`.
//!
//! - [`config`]: its settings: 25, 26.
//! - [`runtime`]: its run-time figures: 28.
//! - [`stats`]: counters of messages: 315.
//! - [`timers`]: progress of timer messages: 60, 61.
//! - [`unused`]: parts that the mock lacks, such as light topics and users of ACL 2.0: 200056, 3001 ….
//! - [`upkeep`]: cleaning, replicas, cold data: 306, 316, 329, 907, 2003.

mod config;
mod runtime;
mod stats;
mod timers;
mod unused;
mod upkeep;

pub(crate) use config::{change, config};
pub(crate) use runtime::runtime_info;
pub(crate) use stats::stats;
pub(crate) use timers::{timer_checkpoint, timer_metrics};
pub(crate) use unused::unused;
pub(crate) use upkeep::{COLD_DATA, clean, cold_data, replicas};
