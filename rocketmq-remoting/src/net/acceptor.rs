use std::fmt;

use super::{Connecting, Socket};

/// Adds a protocol, such as TLS, above the sockets that a server accepts.
pub trait Acceptor: fmt::Debug + Send + Sync + 'static {
    /// Makes a byte stream of an accepted socket, for example by a TLS handshake. The caller bounds the time: it drops
    /// the future after the connect time-out.
    fn accept(&self, socket: Socket) -> Connecting<'_>;
}

/// The socket as it is, for servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpAcceptor;

impl Acceptor for TcpAcceptor {
    fn accept(&self, socket: Socket) -> Connecting<'_> {
        Box::pin(std::future::ready(Ok(socket.into())))
    }
}
