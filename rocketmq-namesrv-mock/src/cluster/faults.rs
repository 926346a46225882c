//! Servers that do not do what they should.

use std::time::Duration;

use rocketmq_remoting::net::{Acceptor, ConnectionOptions, RequestHandler};
use rocketmq_remoting::server::RemotingServer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Mutex;

use super::MockCluster;
use crate::faults::Fault;
use crate::{MockError, broker::Broker};

/// How long a server may take to close its connections.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// A server that can be stopped and started again on its port.
pub(super) struct Slot {
    name: Arc<str>,
    acceptor: Arc<dyn Acceptor>,
    address: SocketAddr,
    handler: Arc<dyn RequestHandler>,
    options: ConnectionOptions,
    running: Mutex<Option<RemotingServer>>,
}

impl Slot {
    /// Starts a server, with port 0 on a free one.
    pub(super) async fn start(
        name: Arc<str>,
        acceptor: Arc<dyn Acceptor>,
        address: SocketAddr,
        handler: Arc<dyn RequestHandler>,
        options: ConnectionOptions,
    ) -> Result<Self, MockError> {
        let mut slot = Self { name, acceptor, address, handler, options, running: Mutex::new(None) };
        let server = slot.bind().await?;
        slot.address = server.local_addr();
        slot.running = Mutex::new(Some(server));
        Ok(slot)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(&self) {
        if let Some(server) = self.running.lock().await.take() {
            server.shutdown(STOP_LIMIT).await;
        }
    }

    /// Listens again, unless it does already.
    async fn restart(&self) -> Result<(), MockError> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(self.bind().await?);
        }
        Ok(())
    }

    async fn bind(&self) -> Result<RemotingServer, MockError> {
        let (acceptor, handler) = (self.acceptor.clone(), self.handler.clone());
        let bound = RemotingServer::bind_with(acceptor, self.address, handler, self.options.clone()).await;
        let (server, address) = (self.name.to_string(), self.address.ip());
        bound.map_err(|source| MockError::Listen { server, address, source })
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl MockCluster {
    /// Lets requests go wrong from now on. Of several faults that fit a request, the first one counts that is not
    /// used up.
    pub fn inject(&self, fault: Fault) {
        self.faults.inject(fault);
    }

    /// Lets all requests go well again.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Stops a broker: it closes its connections, its port refuses new ones, and the NameServers drop it from their
    /// routes. It keeps what it stores. Nothing happens if it is stopped already. Dropping the future leaves the
    /// broker stopping.
    ///
    /// # Errors
    /// When there is no such broker.
    pub async fn stop_broker(&self, name: &str) -> Result<(), MockError> {
        let (broker, slot) = self.broker_slot(name)?;
        broker.withdraw();
        slot.stop().await;
        Ok(())
    }

    /// Stops a broker like [`stop_broker`](Self::stop_broker), but the NameServers do not notice and go on to give
    /// out its address. Dropping the future leaves the broker stopping.
    ///
    /// # Errors
    /// When there is no such broker.
    pub async fn crash_broker(&self, name: &str) -> Result<(), MockError> {
        let (_, slot) = self.broker_slot(name)?;
        slot.stop().await;
        Ok(())
    }

    /// Starts a broker again on the port that it had, with what it stored. Nothing happens if it runs. Dropping the
    /// future may leave the broker stopped.
    ///
    /// # Errors
    /// When there is no such broker, or its port was taken by somebody else.
    pub async fn start_broker(&self, name: &str) -> Result<(), MockError> {
        let (broker, slot) = self.broker_slot(name)?;
        slot.restart().await?;
        broker.announce(slot.address());
        Ok(())
    }

    /// Stops a NameServer, counted from 0: it closes its connections, and its port refuses new ones. Dropping the
    /// future leaves it stopping.
    ///
    /// # Errors
    /// When there is no such NameServer.
    pub async fn stop_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?.stop().await;
        Ok(())
    }

    /// Starts a NameServer again on the port that it had, with the routes that it knew. Dropping the future may leave
    /// it stopped.
    ///
    /// # Errors
    /// When there is no such NameServer, or its port was taken by somebody else.
    pub async fn start_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?.restart().await
    }

    fn broker_slot(&self, name: &str) -> Result<&(Arc<Broker>, Slot), MockError> {
        let found = self.brokers.iter().find(|(broker, _)| **broker.name() == *name);
        found.ok_or_else(|| MockError::NoServer { server: name.to_owned() })
    }

    fn name_server_slot(&self, index: usize) -> Result<&Slot, MockError> {
        let found = self.name_servers.get(index);
        found.ok_or_else(|| MockError::NoServer { server: format!("namesrv-{index}") })
    }
}
