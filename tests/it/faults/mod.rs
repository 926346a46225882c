//! Consumers under faults: the rows of `docs/consumer-faults.md`.
//!
//! - `table`: the rows, and the document that a run writes
//! - `support`: a cluster, its producer and its consumers, on paused time in one thread
//! - `record`: what listeners saw, and when
//! - `checker`: what must hold of every history of brokers and listeners
//! - `members`: members that are killed, leave and join (C1, C2)

#![allow(dead_code, unreachable_pub)]

pub(crate) mod checker;
mod members;
pub(crate) mod record;
pub(crate) mod support;
mod table;
