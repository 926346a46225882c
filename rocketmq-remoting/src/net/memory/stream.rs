//! One end of a stream.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::network::Inner;
use super::pipe::{Found, Pipe};

/// Both directions between a client and a server.
#[derive(Debug, Default)]
pub(super) struct Link {
    to_server: Pipe,
    to_client: Pipe,
}

impl Link {
    pub(super) fn reset(&self) {
        self.to_server.reset();
        self.to_client.reset();
    }

    pub(super) fn stall(&self) {
        self.to_server.stall();
        self.to_client.stall();
    }
}

/// One end of a stream of an [`InMemoryNetwork`](super::InMemoryNetwork). Dropping it closes the stream, as with a
/// socket.
#[derive(Debug)]
pub struct MemoryStream {
    link: Arc<Link>,
    network: Arc<Inner>,
    is_server: bool,
    local: SocketAddr,
    peer: SocketAddr,
    /// Until what is under way arrives.
    arrival: Option<Pin<Box<Sleep>>>,
}

impl MemoryStream {
    /// Both ends of a new stream: the client's and the server's.
    pub(super) fn pair(
        network: &Arc<Inner>,
        link: Arc<Link>,
        client: SocketAddr,
        server: SocketAddr,
    ) -> (Self, Self) {
        let end = |is_server, local, peer| Self {
            link: link.clone(),
            network: network.clone(),
            is_server,
            local,
            peer,
            arrival: None,
        };
        (end(false, client, server), end(true, server, client))
    }

    /// The address of this end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of the other end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Resets the stream: both ends get an error, what is under way is lost.
    pub fn reset(&self) {
        self.link.reset();
    }

    fn incoming(&self) -> &Pipe {
        if self.is_server { &self.link.to_server } else { &self.link.to_client }
    }

    fn outgoing(&self) -> &Pipe {
        if self.is_server { &self.link.to_client } else { &self.link.to_server }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.incoming().read(buffer, Instant::now(), cx)? {
                Found::Bytes => return Poll::Ready(Ok(())),
                Found::NotBefore(None) => return Poll::Pending,
                Found::NotBefore(Some(arrival)) => {
                    let sleep = this.arrival.get_or_insert_with(|| Box::pin(sleep_until(arrival)));
                    if sleep.deadline() != arrival {
                        sleep.as_mut().reset(arrival);
                    }
                    ready!(sleep.as_mut().poll(cx));
                }
            }
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing().poll_write(bytes, self.network.arrival(), cx)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing().close(self.network.arrival());
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.outgoing().close(self.network.arrival());
        self.incoming().abandon();
    }
}
