//! Apache RocketMQ client: producers, consumers and administration, over the remoting protocol of 4.x and 5.x brokers.
//!
//! ```
//! use rocketmq_client::model::Message;
//! use rocketmq_client::producer::Producer;
//! use rocketmq_namesrv_mock::MockCluster;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = MockCluster::start().await?; // or the address of a real NameServer below
//! let address = cluster.name_server_addr();
//! let producer = Producer::builder("hello_group").name_server_addr(address).start().await?;
//! let sent = producer.send(Message::new("TopicTest", "hello")).await?;
//! println!("{} is at {} in {}", sent.msg_id, sent.queue_offset, sent.message_queue);
//! producer.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to find | look in |
//! |---|---|
//! | sending, transactions, requests and replies | [`producer`] |
//! | receiving: listeners, subscriptions, events and health | [`consumer`] |
//! | one client that producers, consumers and admins of a service share | [`client`] |
//! | messages, results, queues | [`model`] |
//! | options, from code, files or the environment | [`conf`] |
//! | counters and latencies for the `metrics` facade | `metrics` (feature of this name) |
//! | spans for OpenTelemetry, and the trace that a message carries | `otel` (feature of this name) |
//! | errors, and whether the message is stored | [`error`] |
//! | topics, offsets, stored messages, the cluster | [`admin`] |
//! | choosing the queue of a message | [`selector`] |
//! | seeing or forbidding sends; seeing consumed messages, or leaving some out | [`hook`] |
//! | signed requests | [`acl`] |
//! | requests, codes and fields, for hooks and tests | [`remoting`] |
//!
//! This crate has a path for every type of these interfaces: no other crate of the workspace is needed.

// Rooms that users do not see: `factory`, the core of a client with its connections, routes, groups and heartbeats;
// `mq_client_api`, the requests that it makes; `name_servers` and `top_addressing`, the NameServers to ask; `latency`,
// brokers to avoid; `strategy`, the queues of each member of a group; `trace`, records of sends; `life_cycle`, `waiting`
// and `clock` below all of them.

pub mod acl;
pub mod admin;
pub mod client;
mod clock;
pub mod conf;
pub mod consumer;
pub mod error;
mod factory;
pub mod hook;
mod latency;
mod life_cycle;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics/off.rs"]
mod metrics;
pub mod model;
mod mq_client_api;
mod name_servers;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(not(feature = "otel"))]
#[path = "otel/off.rs"]
mod otel;
mod peer_log;
pub mod producer;
pub mod remoting;
pub mod selector;
mod strategy;
mod top_addressing;
mod trace;
mod waiting;

#[doc(inline)]
pub use error::MQClientError as Error;

/// A result whose error type is [`Error`] by default.
///
/// ```
/// # use rocketmq_client::{model::Message, producer::Producer};
/// async fn place(producer: &Producer, order: &[&str]) -> rocketmq_client::Result<String> {
///     let body = serde_json::to_vec(order)?;
///     Ok(producer.send(Message::new("Orders", body)).await?.msg_id)
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;
