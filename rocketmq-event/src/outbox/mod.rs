//! Outbox: a row and its event, never one without the other. A service writes both in one transaction of its database, and a
//! [`Relay`] publishes the events afterwards.
//!
//! - `event`: [`OutboxEvent`], an event as a table keeps it; [`UnreadableRow`]
//! - `store`: [`OutboxStore`], the duties of the table
//! - `memory`: [`MemoryOutbox`], a store for tests
//! - `pass`: one pass of a relay over the table, which keeps the order of each key
//! - `relay`: [`Relay`], the passes, the waits between them, and the end
//!
//! # What holds
//!
//! An event is marked after the broker said that it has the event, never before. So each event is published **at least once**. A crash
//! between the two, and an error that says *maybe stored*, publish the event again: with its id, so that
//! [`Dedupe`](crate::consume::Dedupe) of the readers drops the second event.
//!
//! Events of one key are published in the order of their sequences, and the next only after the broker has the one before. Run one relay
//! for a table: two at a time publish everything twice, and mix the order.
//!
//! A row that the broker never takes (too large, not valid), and a row that cannot be read as an event, is set aside: an error in the log and
//! [`RelayHealth::last_refused`] name its sequence, and the table keeps it with the reason. Later rows go on, also those of its key: the key of
//! a row that cannot be read is often unknown, so waiting for it would stop all keys. A row that is repaired and put back is published
//! then, behind later events of its key.
//!
//! The package `examples/outbox` has a store over SQLite.

#[cfg(test)]
mod crashes;
mod event;
mod memory;
mod pass;
mod relay;
mod store;

pub use event::{OutboxEvent, OutboxRow, UnreadableRow};
pub use memory::MemoryOutbox;
pub use relay::{Relay, RelayBuilder, RelayError, RelayHealth, RelayReport};
pub use store::{Backlog, OutboxError, OutboxStore};
