//! Consumer groups: settings, progress, assignment of queues.
//!
//! - [`settings`]: creates, changes, deletes and shows a group: 200, 201, 207, 225, 352, 353.
//! - [`progress`]: offsets of groups, and which groups and topics belong together: 208, 300, 314, 343, 345.
//! - [`consumption`]: progress of all groups: 303, 308, 317.
//! - [`assignment`]: assignment of queues by the broker: 400, 401, 402.

mod assignment;
mod consumption;
mod progress;
mod settings;

pub(crate) use assignment::{query_assignment, request_modes, set_mode};
pub(crate) use consumption::{all_groups, correction_offsets, time_spans};
pub(crate) use progress::{clone_offsets, consume_stats, consumed_by_whom, subscription, topics_of_group};
pub(crate) use settings::{all, config, delete, forbidden, update, update_list};
