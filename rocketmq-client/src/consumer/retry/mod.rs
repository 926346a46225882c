//! What becomes of a message that failed.
//!
//! - [`RetryLadder`]: give it back, else send it to the retry topic, else try again here
//! - `properties`: the properties of a message that is sent to the retry topic
//! - `tests`: whole ladders on virtual time

mod ladder;
mod properties;
#[cfg(test)]
mod tests;

pub(crate) use ladder::{RetryEnd, RetryEvent, RetryLadder, RetryPlan, RetrySend, RetryStep, StepFailure};
pub(crate) use properties::DLQ_REASON;
