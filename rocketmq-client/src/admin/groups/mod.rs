//! Consumer groups: questions and changes of an operator.
//!
//! - `settings`: lists, describes, creates and deletes groups
//! - `members`: who is connected, how a member is, and a message that a member consumes on request
//! - `progress`: how far a group is, by queue and by member
//! - `reset`: moves a group to other offsets: first a plan, then the reset
//! - `clone_offsets`: copies the offsets of a group to another
//! - `dead_letters`: counts dead letters, and sends them to their consumers once more

mod clone_offsets;
mod dead_letters;
mod members;
mod progress;
mod reset;
mod settings;

pub use dead_letters::{DLQ_RESEND_TIMES, ResendTo, Resent};
pub use progress::{ConsumerProgress, QueueProgress};
pub use reset::{OffsetResetPlan, QueueReset};
pub use settings::{GroupOnBroker, Keep};
