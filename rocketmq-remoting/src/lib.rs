//! The remoting protocol of Apache RocketMQ: codec, connections, pool, server.

pub mod protocol;
