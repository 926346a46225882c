//! What becomes of a message that failed.
//!
//! - [`RetryLadder`]: give it back, else send it to the retry topic, else try again here
//! - `properties`: the properties of a message that is sent to the retry topic
//! - `requests`: carries the ladder out

mod ladder;
mod properties;
mod requests;

pub(crate) use ladder::{RetryEnd, RetryEvent, RetryLadder, RetryPlan, RetrySend, RetryStep, SendBack};
pub(crate) use requests::{Failing, mind_parked, place, store_dead_letter};
