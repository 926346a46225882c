//! The suite that runs against Apache RocketMQ's own NameServer and broker.
//!
//! It needs a JVM and the jars that `apache/fetch` copies, so it is not part of a plain `cargo test`: run it by name,
//! `cargo test --test apache`. `docs/testing.md` says more. Without JVM or jars every test fails and says what is missing.

#![allow(clippy::expect_used, clippy::panic, reason = "test support fails by panicking")]

mod acl;
mod brokers;
#[path = "../cases/mod.rs"]
mod cases;
mod end_to_end;
mod examples;
mod java_table;
mod mqadmin;
mod proxy;
mod recall;
mod restarts;
mod shared;
mod smoke;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod trace;
mod vip;
mod zone;
