//! Where a queue is read from.
//!
//! - [`StartMachine`]: finds the first position of a queue; ignorance never becomes a position
//! - [`CorrectionMachine`]: decides whether a claim of the broker moves the position
//! - [`GroupHistory`]: whether a group has consumed a topic before

mod correction;
mod start;
#[cfg(test)]
mod tests;

pub(crate) use correction::{CorrectionEvent, CorrectionMachine, CorrectionStep};
pub(crate) use start::{
    Bounds, GroupHistory, OffsetReading, StartEvent, StartFrom, StartMachine, StartRule, StartStep,
};
