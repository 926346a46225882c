//! Looking at a consumer from outside.
//!
//! - `event`, `event_text`: what happened, and the line that it prints
//! - `events`: a bounded broadcast of it, for which nothing waits
//! - `health`: how it is now, queue by queue
//! - `stats`: what it did since it was started
//! - `report`: what its shutdown left behind

mod event;
mod event_text;
mod events;
mod health;
mod report;
mod stats;

pub use event::{ConsumerEvent, MessageIdentity};
pub use events::ConsumerEvents;
pub use health::{ConsumerHealth, QueueHealth, QueueState, Throttle};
pub use report::ConsumerShutdownReport;
pub use stats::ConsumerStats;

pub(crate) use events::EventSender;
pub(crate) use stats::ConsumerRecorder;
