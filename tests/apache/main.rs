//! The suite that runs against Apache RocketMQ's own NameServer and broker.
//!
//! It needs a JVM and the jars that `apache/fetch` copies, so it is not part of a plain `cargo test`: run it by name,
//! `cargo test --test apache`. `docs/testing.md` says more. Without JVM or jars every test fails and says what is missing.
//!
//! - `cases`: what holds on any cluster, as a user sees it; `tests/it` runs the same functions on the mock
//! - `conformance`: what brokers answer to raw requests; the mock's `tests/mock` runs the same functions
//! - `stage`: boots the clusters of both
//! - `smoke`: the servers run, answer and end with their owner
//! - `examples`: each example works on a real cluster
//! - `java_table`: the table for readers from Java names every method of Java's classes
//! - `consumers_by_tool`: Apache's tool shows and moves consumers of this client
//! - `ordered_topics`, `trace`: Apache's tool agrees with this client
//! - `proxy`: the mock's proxy before Apache's servers
//! - `tls`: servers that want certificates (feature `tls`)
//! - `vip`, `zone`: the second port of a broker; brokers of other zones
//! - `takeovers`: members of a group, in processes of their own (`members`), that leave, are killed or fall silent
//! - `mqadmin`, `restarts`, `support`: Apache's tool, brokers that stop and start, servers in processes

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "the cases spawn tasks of their own")]

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../../rocketmq-namesrv-mock/tests/conformance/mod.rs"]
mod conformance;
mod consumers_by_tool;
mod examples;
mod java_table;
#[path = "../members/mod.rs"]
mod members;
mod mqadmin;
mod ordered_topics;
mod proxy;
mod restarts;
mod smoke;
mod stage;
mod support;
mod takeovers;
#[cfg(feature = "tls")]
mod tls;
mod trace;
mod vip;
mod zone;
