//! Cases that hold on any cluster. Each is an ordinary test. `tests/it` compiles this folder for the mock, `tests/apache`
//! for Apache's broker; the `stage` module of each binary says where a case finds its cluster. Every case uses topics
//! and groups of its own.
//!
//! - `round_trip`: bodies and properties, stored and read back
//! - `modes`: ways to send: awaited, callback, batch, selector, hooks, namespace, unit
//! - `auto_batch`: sends gathered into batches
//! - `delay`: delay levels, timers and recalls
//! - `sent_on`: received messages that are sent on
//! - `transactions`: commits, rollbacks and checks
//! - `request_reply`: requests and their replies
//! - `trace`: trace records
//! - `illegal`: messages and ids that are refused
//! - `lookups`: messages by key and id, and members of the cluster
//! - `admin`: topics and offsets
//! - `consumer`: push and pull consumers
//! - `groups`: consumer groups: settings, members, progress, resets, dead letters
//! - `replay`: plain pulls, and streams over a queue
//! - `brokers`: masters and slaves that stop and start
//! - `acl`: signed requests
//! - `support`: a producer and an admin of one cluster

pub(crate) mod acl;
mod admin;
mod auto_batch;
pub(crate) mod brokers;
pub(crate) mod consumer;
mod delay;
mod groups;
mod illegal;
mod lookups;
mod modes;
mod replay;
mod request_reply;
mod round_trip;
mod sent_on;
pub(crate) mod support;
mod trace;
mod transactions;
