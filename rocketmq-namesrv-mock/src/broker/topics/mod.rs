//! Topics: tools read and change them.
//!
//! - [`settings`]: creates, changes, deletes and shows a topic: 17, 202, 215, 351.
//! - [`several`]: creates or changes several topics at once, or a static topic: 18, 513.
//! - [`attributes`]: the attributes in such a request.
//! - [`lists`]: all topics, and the system topics: 21, 305.

mod attributes;
mod lists;
mod settings;
mod several;

pub(crate) use attributes::changed_of_group;
pub(crate) use lists::{all_configs, system_topics};
pub(crate) use settings::{config, delete, stats, update_and_create};
pub(crate) use several::{create_static, update_and_create_list};
