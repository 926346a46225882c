//! The client from a user's side, on the mock and on scripted peers.
//!
//! One binary, because each binary is linked anew after every change of the client. Only `tests/allocations` is apart:
//! it counts what its process allocates.
//!
//! - `cases`: holds on any cluster; `tests/apache` runs the same functions on Apache's broker
//! - `stage`: starts the clusters of the cases
//! - `promises`: names, defaults and types of the public API
//! - `one_crate`: each type of the public interface has a path under `rocketmq`
//! - `options`: options in setters, configuration files, the environment and the documents
//! - `addresses`: address servers, translated addresses, IPv6 and names
//! - `retries`: sends while brokers fail, are silent or move
//! - `latency_fault`: slow and failing brokers that a producer avoids
//! - `hostile_peers`: peers that are down, silent or garbled
//! - `consumer_agreement`: a group whose broker does not say what its members want
//! - `consumer_races`: what users do to consumers at moments that do not suit
//! - `consumer_requests`: what users ask of consumers, and what they are told
//! - `consumer_rules`: rules of consumers, held against the history of the brokers
//! - `faults`: consumers under each fault, and what they keep: no loss, no disorder
//! - `listeners`: rate limits, commits by hand after a crash, and batches of a stream, on paused time
//! - `consumer_watch`: what push consumers tell of what is stuck, and when they end by themselves
//! - `pushes`: requests of brokers to producers: transaction checks and replies
//! - `background`: heartbeats, and tasks that end with their producer
//! - `shared_client`: a client that producers and an admin share, and one with a thread of its own
//! - `admin_in_parts`: admin calls of which a part fails
//! - `queue_streams`: streams over a queue whose messages are deleted or damaged, and whose broker is away
//! - `simulation`: clients and a cluster in one thread on paused time: half-open connections, and groups under random faults
//! - `secrets`: fields in each request, and secrets that no log shows
//! - `metrics`: what the metrics facade is told (feature `metrics`)
//! - `tls`: trust, refusals and traffic over TLS (feature `tls`)
//! - `peer_log`: what is logged of brokers and NameServers that go and come back
//! - `alone`: runs a test in a process of its own
//! - `world`: a cluster in memory, producers and consumers for `faults`, `listeners` and the rooms that begin with `consumer`
//! - `log`: takes what is logged, for `peer_log`, `secrets` and `consumer_requests`
//! - `peer`: the scripted server behind `retries`, `hostile_peers`, `pushes`, `admin_in_parts` and `secrets`

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test's peers are tasks of their own")]

mod addresses;
mod admin_in_parts;
mod alone;
mod background;
#[path = "../cases/mod.rs"]
mod cases;
mod consumer_agreement;
mod consumer_races;
mod consumer_requests;
mod consumer_rules;
mod consumer_watch;
mod faults;
mod hostile_peers;
mod latency_fault;
mod listeners;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod one_crate;
mod options;
mod peer;
mod peer_log;
mod promises;
mod pushes;
mod queue_streams;
mod retries;
mod secrets;
mod shared_client;
mod simulation;
mod stage;
#[cfg(feature = "tls")]
mod tls;
mod world;
