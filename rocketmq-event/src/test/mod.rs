//! Tests of handlers without a broker: the real runtime, over the broker in memory.
//!
//! - `harness`: [`Harness`]
//! - `outcome`: what became of an event

mod harness;
mod outcome;

pub use harness::{Harness, HarnessError};
pub use outcome::HandlerOutcome;
