//! The remoting protocol of Apache RocketMQ, usable alone: codec, connections, pool, server.
//!
//! | layer | does |
//! |---|---|
//! | [`protocol`] | commands, their headers and bodies, and both header encodings; no I/O |
//! | [`session`] | one connection without its socket: ids, requests in flight, deadlines; no I/O, no clock |
//! | [`net`] | one task for each connection, the pool, the byte streams (TCP, TLS) |
//! | [`client`] / [`server`] | typed requests to an address / requests from peers to a handler |

pub mod client;
pub mod net;
pub mod protocol;
pub mod server;
pub mod session;
