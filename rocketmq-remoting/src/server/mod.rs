//! The serving side: used by the mock, and by users of this crate without the client.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::timeout;

use crate::net::{
    Accepted, Acceptor, Connection, ConnectionOptions, Ends, Listener, RequestHandler, Socket, TaskOwner,
    TcpAcceptor, start_connection,
};

/// Listens on one address and gives every request to a [`RequestHandler`]. Java: `NettyRemotingServer`.
///
/// Dropping it stops the listener and all its connections.
pub struct RemotingServer {
    local_addr: SocketAddr,
    tasks: TaskOwner,
    connections: Arc<Mutex<Vec<Connection>>>,
}

impl RemotingServer {
    /// Binds and starts to serve; port 0 takes a free one, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// The address cannot be bound, or the call is outside a tokio runtime.
    pub async fn bind(
        address: impl ToSocketAddrs,
        handler: Arc<dyn RequestHandler>,
        options: ConnectionOptions,
    ) -> io::Result<Self> {
        Self::bind_with(Arc::new(TcpAcceptor), address, handler, options).await
    }

    /// Like [`bind`](Self::bind), with another kind of stream over the accepted sockets, such as TLS. The acceptor must
    /// finish with each client (its TLS handshake) within the connect time-out of `options`.
    ///
    /// # Errors
    /// The address cannot be bound, or the call is outside a tokio runtime.
    pub async fn bind_with(
        acceptor: Arc<dyn Acceptor>,
        address: impl ToSocketAddrs,
        handler: Arc<dyn RequestHandler>,
        options: ConnectionOptions,
    ) -> io::Result<Self> {
        Self::serve(TcpListener::bind(address).await?, acceptor, handler, options)
    }

    /// As [`bind_with`](Self::bind_with), on a listener that is bound already: a TCP listener, or one of an
    /// [`InMemoryNetwork`](crate::net::memory::InMemoryNetwork).
    ///
    /// # Errors
    /// When the listener does not know its address, or outside a tokio runtime.
    pub fn serve(
        listener: impl Into<Listener>,
        acceptor: Arc<dyn Acceptor>,
        handler: Arc<dyn RequestHandler>,
        options: ConnectionOptions,
    ) -> io::Result<Self> {
        let listener = listener.into();
        let local_addr = listener.local_addr()?;
        let tasks = TaskOwner::new().map_err(io::Error::other)?;
        let connections = Arc::new(Mutex::new(Vec::new()));
        let serving = Serving {
            local_addr,
            acceptor,
            handler,
            options: Arc::new(options),
            tasks: tasks.clone(),
            connections: connections.clone(),
        };
        tasks.spawn(accept_all(listener, Arc::new(serving)));
        Ok(Self { local_addr, tasks, connections })
    }

    /// The address on which the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The connections that are open now.
    pub fn connections(&self) -> Vec<Connection> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(Connection::is_usable);
        connections.clone()
    }

    /// Stops listening and closes all connections; does not wait for requests that are being handled. Waits at most
    /// `limit` for its tasks and returns whether all ended. Dropping the future leaves the tasks stopping.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.tasks.shutdown(limit).await
    }
}

impl Drop for RemotingServer {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl fmt::Debug for RemotingServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemotingServer").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

/// Everything that a new connection of the server needs.
struct Serving {
    local_addr: SocketAddr,
    acceptor: Arc<dyn Acceptor>,
    handler: Arc<dyn RequestHandler>,
    options: Arc<ConnectionOptions>,
    tasks: TaskOwner,
    connections: Arc<Mutex<Vec<Connection>>>,
}

async fn accept_all(mut listener: Listener, serving: Arc<Serving>) {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually the process has no file descriptors left: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A task per handshake: a slow client does not keep others from being accepted.
        serving.tasks.spawn(serving.clone().start(socket, peer));
    }
}

impl Serving {
    async fn start(self: Arc<Self>, socket: Socket, peer: SocketAddr) {
        let stream = match timeout(self.options.connect_timeout, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "turned a connection away"),
            Err(_) => return tracing::debug!(%peer, "turned away a connection that was too slow to begin"),
        };
        let (options, handler) = (self.options.clone(), self.handler.clone());
        let accepted = Some(Accepted::new(peer, self.local_addr));
        let ends = Ends { peer: peer.to_string().into(), accepted };
        let connection = start_connection(ends, stream, options, handler, &self.tasks);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(Connection::is_usable);
        connections.push(connection);
    }
}
