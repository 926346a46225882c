//! The way of a message that failed.
//!
//! - [`RetryLadder`]: give it back, else send it to the retry topic, else try again here
//! - [`Company`]: whether the group may hold a lock
//! - `properties`: the properties of a message that is sent to the retry topic
//! - `requests`: carries the ladder out
//! - `tests`: whole ladders on virtual time

mod company;
mod ladder;
mod properties;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use company::Company;
pub(crate) use ladder::NO_COMMIT_LOG_OFFSET;
pub(crate) use ladder::{RetryEvent, RetryLadder, RetryPlan, RetrySend, RetryStep, StepFailure};
pub(crate) use properties::{DLQ_ORIGIN_BROKER, DLQ_ORIGIN_QUEUE_ID, DLQ_ORIGIN_QUEUE_OFFSET, DLQ_REASON};
pub(crate) use requests::{Failing, mind_parked, place, skip, store_dead_letter, try_here_or_skip};
