//! Consumers under faults: the rows of `docs/consumer-faults.md`.
//!
//! - `offsets`: offsets that cannot be read or committed, and claims that move them (C7, C8, C9)
//! - `failing`: messages that no broker takes back (C10)
//! - `locks`: locks that are late, partial or stolen (C11)
//! - `table`: the rows, and the document that a run writes
//! - `support`: a cluster, its producer and its consumers, on paused time in one thread
//! - `record`: what listeners saw, and when
//! - `checker`: what must hold of every history of brokers and listeners
//! - `assignment`: wrong lists of members, wrong routes (C5, C6)
//! - `connections`: connections that are half-open, brokers that restart (C3, C4)
//! - `members`: members that are killed, leave and join (C1, C2)

#![allow(dead_code, unreachable_pub)]

mod assignment;
pub(crate) mod checker;
mod connections;
mod failing;
mod locks;
mod members;
mod offsets;
pub(crate) mod record;
pub(crate) mod support;
mod table;
