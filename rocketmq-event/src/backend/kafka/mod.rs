//! Apache Kafka, by librdkafka, without TLS.
//!
//! - `connection`: [`KafkaBackend`], the backend
//! - `settings`: [`KafkaSettings`], and the configurations of librdkafka's clients
//! - `topics`: the topics of streams and groups
//! - `wire`: envelopes as headers
//! - `publisher`: publishing, idempotent, to all replicas in sync
//! - `start`: where a new group begins
//! - `member`: a member of a group
//! - `subscription`: what a member shares with its task, and with librdkafka's callbacks
//! - `intake`: the task that polls, pauses and stores offsets
//! - `offsets`: which offset of a partition may be committed
//! - `log`: reading a topic without a group
//!
//! | here | at the broker |
//! |---|---|
//! | stream | topic; the key of an event chooses the partition, as Java's clients do |
//! | group | consumer group `stream.group`; patterns are matched by the members |
//! | retry later | topic `stream.group.retry` with a partition for each delay: its reader pauses a partition until its first record is due |
//! | dead letters | topic `stream.group.dead`, which keeps them for ever |
//!
//! An offset is committed when all before it is finished, once a second and at the end. Clocks matter: a record is due by the
//! time that its publisher wrote into it.

mod connection;
mod intake;
mod log;
mod member;
mod offsets;
mod publisher;
mod settings;
mod start;
mod subscription;
mod topics;
mod wire;

pub use connection::KafkaBackend;
pub use settings::KafkaSettings;
