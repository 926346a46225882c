//! What administration tools ask of a broker beside topics and groups. Java: `AdminBrokerProcessor`.
//!
//! [`topic_lists`]: 21, 305; [`config`]: 25, 26; [`consumption`]: 303, 308, 317; [`tables`]: 43, 45, 402; [`producers`]: 328; [`queue_data`]: 321; [`stats`]: 315; [`upkeep`]: what a broker with files
//! would clean, 306, 316, 329, and how its slaves are, 907, 2003.

mod config;
mod consumption;
mod producers;
mod queue_data;
mod stats;
mod tables;
mod topic_lists;
mod upkeep;

pub(super) use config::{change, config};
pub(super) use consumption::{all_groups, correction_offsets, time_spans};
pub(super) use producers::producers;
pub(super) use queue_data::queue_data;
pub(super) use stats::stats;
pub(super) use tables::{all_offsets, delay_offsets, request_modes};
pub(super) use topic_lists::{all_configs, system_topics};
pub(super) use upkeep::{COLD_DATA, clean, cold_data, replicas};
