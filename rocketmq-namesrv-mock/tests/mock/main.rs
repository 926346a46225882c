//! The mock seen from its sockets: frames in, frames out.
//!
//! `conformance` holds on Apache's broker too, and `stage` starts its clusters. The other rooms are named after what they
//! send, or after what the mock can do that no broker does: faults, captures, a proxy. `support` is their client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod batch;
mod binary;
mod change_answer;
mod clients;
mod clocks;
mod cluster;
#[path = "../conformance/mod.rs"]
mod conformance;
mod fault_lines;
mod fault_rules;
mod fault_servers;
mod faults;
mod frames;
mod golden;
mod golden_later;
mod groups;
mod history;
mod later;
mod long_poll;
mod lookup;
mod name_server;
mod offsets;
mod pop;
mod positions;
mod preload;
mod proxy;
#[cfg(feature = "tls")]
mod proxy_tls;
mod pull;
mod reply;
mod send;
mod settings;
mod slaves;
mod speed;
mod stage;
mod support;
mod topics;
mod transactions;
mod waiting;
