//! The serving side: for the mock, and for users of this crate alone.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};

use crate::net::{
    Accepted, Connection, ConnectionOptions, Ends, RequestHandler, TaskOwner, start_connection, tune,
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
    /// When the address cannot be bound, or outside a tokio runtime.
    pub async fn bind(
        address: impl ToSocketAddrs,
        handler: Arc<dyn RequestHandler>,
        options: ConnectionOptions,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        let tasks = TaskOwner::new().map_err(io::Error::other)?;
        let connections = Arc::new(Mutex::new(Vec::new()));
        tasks.spawn(accept_all(
            listener,
            local_addr,
            handler,
            Arc::new(options),
            tasks.clone(),
            connections.clone(),
        ));
        Ok(Self { local_addr, tasks, connections })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The connections that are open now.
    pub fn connections(&self) -> Vec<Connection> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(Connection::is_usable);
        connections.clone()
    }

    /// Stops listening and closes all connections, without waiting for requests being handled. Waits for its
    /// tasks for at most `limit`; returns whether all ended.
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

async fn accept_all(
    listener: TcpListener,
    local_addr: SocketAddr,
    handler: Arc<dyn RequestHandler>,
    options: Arc<ConnectionOptions>,
    tasks: TaskOwner,
    connections: Arc<Mutex<Vec<Connection>>>,
) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Err(error) = tune(&stream) {
            tracing::debug!(%peer, %error, "cannot set socket options");
        }
        let (options, handler) = (options.clone(), handler.clone());
        let ends = Ends { peer: peer.to_string().into(), accepted: Some(Accepted::new(peer, local_addr)) };
        let connection = start_connection(ends, Box::new(stream), options, handler, &tasks);
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(Connection::is_usable);
        connections.push(connection);
    }
}
