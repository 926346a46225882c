//! A listener in front of one server.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use rocketmq_remoting::net::{ByteStream, TaskOwner};
use tokio::net::{TcpListener, TcpStream};

use super::{Site, relay};
use crate::MockError;

/// The longest time for connections to end.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(3);

/// A listener that passes its connections to one server.
#[derive(Debug)]
pub(super) struct Gate {
    /// The server's name in rules.
    pub(super) name: Arc<str>,
    /// The server's address, `host:port`.
    pub(super) upstream: String,
    pub(super) is_name_server: bool,
    site: Weak<Site>,
    address: RwLock<SocketAddr>,
    /// The listener and its connections; `None` while it is down.
    running: Mutex<Option<TaskOwner>>,
}

impl Gate {
    pub(super) async fn start(
        site: &Arc<Site>,
        name: String,
        upstream: String,
        port: u16,
        is_name_server: bool,
    ) -> Result<Arc<Self>, MockError> {
        let address = RwLock::new((site.address, port).into());
        let (name, site) = (name.into(), Arc::downgrade(site));
        let gate =
            Arc::new(Self { name, upstream, is_name_server, site, address, running: Mutex::default() });
        gate.listen(false).await?;
        Ok(gate)
    }

    /// The address on which it listens.
    pub(super) fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes down; comes back after `back_after`, if given.
    pub(super) async fn crash(self: Arc<Self>, back_after: Option<Duration>, new_port: bool) {
        self.stop().await;
        if let (Some(time), Some(site)) = (back_after, self.site.upgrade()) {
            site.clock.sleep(time).await;
            if let Err(error) = self.listen(new_port).await {
                tracing::warn!(server = %self.name, %error, "a gate of the proxy cannot come back");
            }
            site.changes.tell();
        }
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tasks) = running {
            tasks.shutdown(STOP_LIMIT).await;
        }
    }

    /// Stops without waiting, for `Drop`.
    pub(super) fn abandon(&self) {
        if let Some(tasks) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tasks.stop();
        }
    }

    async fn listen(self: &Arc<Self>, new_port: bool) -> Result<(), MockError> {
        let mut address = self.address();
        if new_port {
            address.set_port(0);
        }
        let failed = |source| MockError::Listen {
            server: self.name.to_string(),
            address: address.ip(),
            port: address.port(),
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        *self.address.write().unwrap_or_else(PoisonError::into_inner) =
            listener.local_addr().map_err(failed)?;
        let tasks = TaskOwner::new().map_err(MockError::NoRuntime)?;
        tasks.spawn(accept_all(listener, self.clone(), tasks.clone()));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(tasks);
        Ok(())
    }

    /// Opens a connection to the server.
    async fn dial(&self, site: &Site) -> std::io::Result<Box<dyn ByteStream>> {
        let no_port = || std::io::Error::other("an address without a port");
        let (host, port) = self.upstream.rsplit_once(':').ok_or_else(no_port)?;
        let host = host.trim_matches(['[', ']']);
        // Apache's servers announce IPv6 addresses without brackets.
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { self.upstream.clone() };
        site.transport.connect(&address).await
    }
}

async fn accept_all(listener: TcpListener, gate: Arc<Gate>, tasks: TaskOwner) {
    while let Some(site) = gate.site.upgrade() {
        match listener.accept().await {
            Ok((client, _)) => tasks.spawn(serve(site, gate.clone(), client)),
            // Usually the process has no file descriptors left: accepting again at once would spin.
            Err(_) => site.clock.sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Serves one client; ends its connection if the server cannot be reached. Boxed: serving may open further gates.
fn serve(site: Arc<Site>, gate: Arc<Gate>, client: TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(serve_client(site, gate, client))
}

async fn serve_client(site: Arc<Site>, gate: Arc<Gate>, client: TcpStream) {
    let ends = async {
        client.set_nodelay(true)?;
        let server = gate.dial(&site).await?;
        relay::run(&site, &gate, client, server).await
    };
    if let Err(error) = ends.await {
        tracing::debug!(server = %gate.name, upstream = %gate.upstream, %error, "a connection through the proxy ended");
    }
    site.changes.tell();
}
