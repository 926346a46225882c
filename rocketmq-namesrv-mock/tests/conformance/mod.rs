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
//! - `peer`: a client that is little more than a connection

mod admin_answers;
mod assignments;
mod consumption;
mod filters;
mod group_admin;
mod groups;
pub(crate) mod peer;
mod pop;
mod send_back;
mod settings;
