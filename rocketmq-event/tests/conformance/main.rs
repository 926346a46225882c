//! The suite of conformance: one body for all backends. docs/events-conformance.md holds the table of results.
//!
//! - `cases`: the cases, by topic, each a function; `cases::ALL` lists them
//! - `faulty`: a backend that refuses messages, loses answers, or forgets the beginning of its log
//! - `lab`: what a case works with: buses, a stream of its own, recorders
//! - `proxy`: cuts connections between a backend and its server
//! - `rigs`: the backends, and how each is started
//! - `table`: runs the cases and writes the results
//!
//! `EVENTS_CASES=20,25` runs these cases alone; `EVENTS_TABLE=write` writes the results of each backend that runs into the table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod cases;
mod faulty;
mod lab;
mod proxy;
mod rigs;
mod table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    table::run(rigs::Memory::default()).await;
}

#[cfg(feature = "rocketmq")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rocketmq_mock() {
    table::run(rigs::RocketMqMock::start().await).await;
}
