//! The streams that a server accepts, and the protocol above them.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::ByteStream;
use super::memory::{MemoryListener, MemoryStream};
use super::transport::{Connecting, tune};

/// Where a server listens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// On the network.
    Tcp(TcpListener),
    /// On a network in memory.
    Memory(MemoryListener),
}

impl Listener {
    /// The address.
    ///
    /// # Errors
    /// When the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Memory(listener) => Ok(listener.local_addr()),
        }
    }

    /// The next stream and the address of its client.
    pub(crate) async fn accept(&mut self) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                if let Err(error) = tune(&stream) {
                    tracing::debug!(%peer, %error, "cannot set socket options");
                }
                Ok((Socket::Tcp(stream), peer))
            }
            Self::Memory(listener) => {
                let stream = listener.accept().await?;
                let peer = stream.peer_addr();
                Ok((Socket::Memory(stream), peer))
            }
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<MemoryListener> for Listener {
    fn from(listener: MemoryListener) -> Self {
        Self::Memory(listener)
    }
}

/// A stream that a server accepted, before an [`Acceptor`] puts anything above it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// From the network.
    Tcp(TcpStream),
    /// From a network in memory.
    Memory(MemoryStream),
}

impl Socket {
    /// The address of this end.
    ///
    /// # Errors
    /// When the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr(),
            Self::Memory(stream) => Ok(stream.local_addr()),
        }
    }

    /// The address of the client.
    ///
    /// # Errors
    /// When the system does not know it, because the client is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Memory(stream) => Ok(stream.peer_addr()),
        }
    }

    /// Has the connection reset instead of closed: when it is dropped, or in memory at once.
    ///
    /// # Errors
    /// When the system refuses; then it is closed in the ordinary way.
    pub fn reset(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Self::Memory(stream) => {
                stream.reset();
                Ok(())
            }
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn ByteStream> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Memory(stream) => Pin::new(stream),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<Socket> for Box<dyn ByteStream> {
    fn from(socket: Socket) -> Self {
        match socket {
            Socket::Tcp(stream) => Box::new(stream),
            Socket::Memory(stream) => Box::new(stream),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Memory(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

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
