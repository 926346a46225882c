//! A broker: topics, messages, offsets and members, in memory, with the answers of Apache's broker 5.5.0.
//!
//! The rooms, from the bottom to the top. Each imports only rooms on lines above its own, and rooms on one line do not
//! import each other:
//!
//! - [`filters`]: filters of groups, by tag or by SQL92 expression.
//! - [`state`]: the tables of a broker, one file for each, and the lock around all of them.
//! - [`records`]: records on their way into the store and out of it.
//! - [`topics`], [`groups`], [`offsets`], [`clients`], [`lookup`], [`admin`]: all requests that move no
//!   messages.
//! - [`later`]: messages that are delivered later: delay levels, timers, half messages, recalls.
//! - [`send`], [`pull`], [`pop`], [`transactions`]: messages on their way in and out.
//! - [`replication`]: slaves, which copy their masters.
//! - [`duties`]: work that a broker does by itself.
//! - [`dispatch`]: maps request codes to handlers.

mod admin;
mod clients;
mod dispatch;
mod duties;
mod filters;
mod groups;
mod later;
mod lookup;
mod offsets;
mod pop;
mod pull;
mod records;
mod replication;
mod send;
mod state;
mod topics;
mod transactions;

pub(crate) use dispatch::BrokerHandler;
pub(crate) use duties::{
    drop_clients, drop_silent_clients, expire_held_requests, keep_time, watch_for_silence,
};
pub(crate) use replication::follow_master;
pub(crate) use state::{
    Acl, Broker, BrokerOptions, INVALID_GROUP, INVALID_TOPIC, Identity, Obeyed, TopicSettings,
    TransactionOptions, check_group, check_topic,
};
pub use state::{BrokerSnapshot, SlaveLag};
pub(crate) use transactions::check_transactions;
