//! Answers of brokers to raw requests. Each case is an ordinary test. `tests/mock` compiles this folder for the mock,
//! `tests/apache` of the workspace root for Apache's broker; the `stage` module of each binary says where a case finds
//! its cluster. Every case uses topics and groups of its own.
//!
//! - `groups`: heartbeats, members, subscriptions and locks
//! - `assignments`: queues that brokers share out
//! - `filters`: expressions over properties
//! - `pop`: pops, acknowledgements and invisible times
//! - `send_back`: messages that a consumer sends back
//! - `consumption`: figures of groups and queues
//! - `group_admin`: groups that are made, moved and looked at
//! - `admin_answers`: lists and figures for an admin
//! - `settings`: settings that change at run time
//! - `dead_letters`: retries and dead letters that a consumer sends
//! - `offsets`: offsets that are unknown, committed or reset
//! - `members`: what members of a group do to each other
//! - `pop_again`: popped messages that come again
//! - `inner_batches`: batches that are one record
//! - `priority`: urgent messages
//! - `limits`: limits, and the settings that change them
//! - `rare_requests`: requests that few tools send
//! - `slaves`: what a slave does by itself
//! - `peer`: a client that is little more than a connection

mod admin_answers;
mod assignments;
mod consumption;
mod dead_letters;
mod filters;
mod group_admin;
mod groups;
mod inner_batches;
mod limits;
mod members;
mod offsets;
pub(crate) mod peer;
mod pop;
mod pop_again;
mod priority;
mod rare_requests;
mod send_back;
mod settings;
mod slaves;
