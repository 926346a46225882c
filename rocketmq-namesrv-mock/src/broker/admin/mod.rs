//! A broker as a whole, as tools see and change it. Java: `AdminBrokerProcessor`.
//!
//! - [`config`]: its settings: 25, 26.
//! - [`runtime`]: what it says of itself: 28.
//! - [`stats`]: how many messages came and went: 315.
//! - [`upkeep`]: what a broker with files would clean, and how its slaves are: 306, 316, 329, 907, 2003.

mod config;
mod runtime;
mod stats;
mod upkeep;

pub(crate) use config::{change, config};
pub(crate) use runtime::runtime_info;
pub(crate) use stats::stats;
pub(crate) use upkeep::{COLD_DATA, clean, cold_data, replicas};
