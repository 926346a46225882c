//! Looking at a consumer from outside.
//!
//! - `event`, `event_about`, `event_text`: what happened, what it is about, and the line that it prints
//! - `events`: a bounded broadcast of it, for which nothing waits
//! - `health`: how it is now, queue by queue
//! - `stats`: what it did since it was started
//! - `report`: what its shutdown left behind
//! - `stall`, `unread`: queues that do not move, and messages that nothing takes

mod event;
mod event_about;
mod event_text;
mod events;
mod health;
mod report;
mod stall;
mod stats;
mod unread;

pub use event::{ConsumerEvent, MessageIdentity};
pub use events::ConsumerEvents;
pub use health::{ConsumerHealth, QueueHealth, QueueState, Throttle};
pub use report::ConsumerShutdownReport;
pub use stats::ConsumerStats;

pub(crate) use events::EventSender;
pub(crate) use stall::{Glance, StallChange, StallWatch};
pub(crate) use stats::ConsumerRecorder;
pub(crate) use unread::UnreadWatch;
