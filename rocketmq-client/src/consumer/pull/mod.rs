//! Pulls: what decides about them, and what carries them out.
//!
//! - [`PullJudge`]: what the answer to a pull means
//! - [`FlowLimits`]: whether a queue may pull, and which limit forbids it
//! - [`pull`](fn@pull): sends a pull, and takes its answer
//! - [`settle`](fn@settle): what the end of messages changes
//! - [`Refusal`]: how long a broker has refused a queue, and when that is final
//! - `decode`: the records of an answer
//! - [`mind_queues`]: looks up positions, checks claims, and finds the way to a server

mod answer;
mod attendant;
mod decode;
mod flow;
mod puller;
mod refusal;
mod settle;
#[cfg(test)]
mod tests;

pub(crate) use super::watch::Throttle;
pub(crate) use answer::{PullAnswer, PullEvent, PullJudge, PullRefusal, PullVerdict, ReadFrom, WhatNext};
pub(crate) use attendant::{find_start, mind_queues};
pub(crate) use decode::{admit, apart, event_of, show_topic, stand_in_of};
pub(crate) use flow::{FlowLimits, FlowLoad};
pub(crate) use puller::{SLACK, pull, reset, send_held, tell, unreachable};
pub(crate) use refusal::{Refusal, final_refusal};
pub(crate) use settle::{give_back, settle, settle_one};
