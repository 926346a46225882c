//! Decisions about pulls.
//!
//! - [`PullJudge`]: what the answer to a pull means
//! - [`FlowLimits`]: whether a queue may pull, and which limit forbids it

mod answer;
mod flow;
#[cfg(test)]
mod tests;

pub(crate) use answer::{PullAnswer, PullEvent, PullJudge, PullRefusal, PullVerdict, ReadFrom, WhatNext};
pub(crate) use flow::{FlowLimits, FlowLoad};

pub(crate) use super::watch::Throttle;
