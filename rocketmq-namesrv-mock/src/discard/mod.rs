//! Brokers that discard messages, as fast as it goes: what measures a client must not wait for its server.
//!
//! Sends are answered at the socket, without a command being made of them, and answers to all that one read brings go
//! out in one write. Everything else is left to the broker behind.

mod acceptor;
mod send_frame;
mod stream;

pub(crate) use acceptor::DiscardAcceptor;
