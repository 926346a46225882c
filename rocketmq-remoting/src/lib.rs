//! The remoting protocol of Apache RocketMQ: codec, connections, pool, server.
