//! RabbitMQ from 3.10 on, over AMQP 0-9-1. TLS is there if the program builds the library `lapin` with TLS.
//!
//! - `connection`: [`RabbitMqBackend`], the backend, and [`RabbitMqSettings`]
//! - `link`: a connection that is made anew when it is lost
//! - `tls`: refuses `amqps:` where TLS is not built in
//! - `topology`: exchanges, queues and bindings, and their names
//! - `wire`: envelopes as properties and headers
//! - `publisher`: publishing with confirms
//! - `member`: a member of a group
//! - `subscription`: the channel of a member, and what it holds unsettled
//! - `dead`: the dead letters of a group
//! - `log`: the stream queue of a stream, read from positions
//!
//! | here | at the broker |
//! |---|---|
//! | stream | durable topic exchange of this name; the name of an event is its routing key |
//! | group | quorum queue `stream.group`, with a binding for each pattern |
//! | retry later | quorum queue `stream.group:retry-MILLISECONDS` for each delay, whose messages expire into the queue of the group |
//! | dead letters | quorum queue `stream.group:dead` |
//! | log, for an event store | stream queue `stream:log`, bound to the exchange by `#` |
//!
//! A queue keeps the bindings of patterns that its group no longer wants; the members acknowledge their events unseen.

mod connection;
mod dead;
mod link;
mod log;
mod member;
mod publisher;
mod subscription;
mod tls;
mod topology;
mod wire;

pub use connection::{RabbitMqBackend, RabbitMqSettings};
