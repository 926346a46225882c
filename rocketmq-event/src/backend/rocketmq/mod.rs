//! RocketMQ, by the client of this workspace.
//!
//! A stream is a topic, a group the consumer group `stream__group`. Its retries are sent to `%RETRY%…` with a delay level, its
//! dead letters to `%DLQ%…`, each with the record of its failures in its properties.
//!
//! - `connection`: [`RocketMqBackend`]
//! - `mapping`: messages to envelopes and back
//! - `member`: a member of a group, over the client's stream of messages
//! - `reader`: a topic without a group
//! - `failures`: the client's errors in the words of this crate

mod connection;
mod failures;
mod mapping;
mod member;
mod reader;

pub use connection::RocketMqBackend;
