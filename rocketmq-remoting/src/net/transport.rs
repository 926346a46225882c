use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream in both directions: TCP, TLS over TCP, or an in-memory pipe.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// The future of [`Transport::connect`] and [`Acceptor::accept`](super::Acceptor::accept): a byte stream, or the reason
/// why there is none.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// Opens the streams of connections.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Opens a stream to `address` (`host:port`). The caller bounds the time: it drops the future after the connect
    /// time-out.
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a>;
}

/// Plain TCP. Resolves names at every dial and tries every address of a name.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpTransport;

impl Transport for TcpTransport {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            tune(&stream)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

/// Sets `TCP_NODELAY`, since small frames must not wait for more, and keep-alive, to notice peers that vanished.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(30));
    socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}
