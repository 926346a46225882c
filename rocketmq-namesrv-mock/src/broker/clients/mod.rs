//! Clients: connections, heartbeats, locks, and requests of the broker to clients.
//!
//! - [`heartbeats`]: heartbeats, unregistering, members of groups: 34, 35, 38.
//! - [`check_client`]: checks a subscription: 46.
//! - [`connections`], [`producers`]: connected clients: 203, 204, 328.
//! - [`locks`]: locks of queues, for orderly consumers: 41, 42.
//! - [`forward`]: requests that the broker forwards to consumers: 223, 307, 309.
//! - [`notify`]: tells the members of a group that it changed: 40.

mod check_client;
mod connections;
mod forward;
mod heartbeats;
mod locks;
mod notify;
mod producers;

pub(crate) use check_client::check_client;
pub(crate) use connections::{consumer_connections, producer_connections};
pub(crate) use forward::{consumer_status, forward};
pub(crate) use heartbeats::{consumer_list, heart_beat, unregister};
pub(crate) use locks::{lock, unlock};
pub(crate) use producers::all_producers;
