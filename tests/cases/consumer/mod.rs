//! Push consumers, as a user sees them.
//!
//! - `support`: a consumer whose listener collects what comes
//! - `receiving`: messages from before and after the start, filters, batches
//! - `stream`: messages as a stream, settled by their reader
//! - `failing`: messages that come again, and dead letters
//! - `sharing`: members of a group that come and go
//! - `broadcast`: members that each get all messages, and their files
//! - `order`: one message of a queue at a time
//! - `popping`: messages that brokers hand out and hide, in each way to receive them
//! - `agreement`: members that subscribe differently, or have one client id
//! - `operators`: resets, looks at a consumer, messages that an operator chose
//! - `by_hand`: orderly listeners that commit by their outcomes
//! - `by_topic`: listeners of single topics, and the rate limit
//! - `pulling`: polls, positions and commits of a pull consumer
//! - `hooks`: what hooks see, and what filters leave out
//! - `namespaces`: names on the wire and names that users see
//! - `ending`: what a shutdown commits
//! - `watching`: probes, handlers that block, messages that nothing reads

mod agreement;
mod broadcast;
mod by_hand;
mod by_topic;
mod ending;
mod failing;
mod hooks;
mod namespaces;
mod operators;
mod order;
mod popping;
mod pulling;
mod receiving;
mod sharing;
mod stream;
pub(crate) mod support;
mod watching;
