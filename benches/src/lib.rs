//! Code that the benchmarks of this package share. `docs/performance.md` tells how to run them, and their results.
//!
//! | to find | look in |
//! |---|---|
//! | a NameServer and brokers that answer sends at once and store nothing | [`server`] |
//! | such servers in a process of their own | [`process`] |
//! | frames without a client | [`raw`] |
//! | messages, headers and answers in the form of clients and brokers | [`samples`] |
//!
//! Beside the library: `send/` (criterion and a table), `codecs/` (criterion), `instructions/` (counted by
//! `.ci/instructions`), `peers/` (other clients).

#![allow(clippy::expect_used, reason = "a measurement that went wrong has no other answer")]

pub mod process;
pub mod raw;
pub mod samples;
pub mod server;
