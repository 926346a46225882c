//! Servers that stop and come back.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use rocketmq_common::PermName;
use rocketmq_remoting::net::memory::InMemoryNetwork;
use rocketmq_remoting::net::{Acceptor, ConnectionOptions, RequestHandler, TaskOwner};
use rocketmq_remoting::server::RemotingServer;
use tokio::sync::Mutex;

use crate::MockError;
use crate::broker::Broker;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::history::BrokerEvent;

/// The longest time for a server to close its connections.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// A server that can be stopped and started again.
pub(crate) struct Slot {
    name: Arc<str>,
    /// The broker; `None` for a NameServer.
    broker: Option<Arc<Broker>>,
    acceptor: Arc<dyn Acceptor>,
    network: Option<InMemoryNetwork>,
    address: RwLock<SocketAddr>,
    handler: Arc<dyn RequestHandler>,
    options: ConnectionOptions,
    changes: Arc<Changes>,
    clock: Arc<Clock>,
    running: Mutex<Option<RemotingServer>>,
}

/// The parts of a server.
pub(super) struct Service {
    pub(super) name: Arc<str>,
    pub(super) broker: Option<Arc<Broker>>,
    pub(super) acceptor: Arc<dyn Acceptor>,
    /// The network in memory on which it listens, instead of the loopback.
    pub(super) network: Option<InMemoryNetwork>,
    /// The address to listen on; port 0 for a free port.
    pub(super) address: SocketAddr,
    pub(super) handler: Arc<dyn RequestHandler>,
    pub(super) options: ConnectionOptions,
    /// Notified when it goes down or comes back.
    pub(super) changes: Arc<Changes>,
    /// The clock for its way back.
    pub(super) clock: Arc<Clock>,
}

/// The servers of a cluster, for faults that take them down.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    slots: StdMutex<Vec<Weak<Slot>>>,
}

/// A change of a whole server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ServerChange {
    /// The server goes down.
    Down {
        /// Whether NameServers notice.
        noticed: bool,
        /// The time until it comes back; `None`: it stays down.
        back_after: Option<Duration>,
        /// Whether it comes back on another port.
        new_port: bool,
    },
    /// The broker becomes read-only, for this long or for ever.
    ReadOnly(Option<Duration>),
}

impl Slot {
    /// Starts a server. A broker announces itself.
    pub(super) async fn start(service: Service) -> Result<Arc<Self>, MockError> {
        let Service { name, broker, acceptor, network, address, handler, options, changes, clock } = service;
        let address = RwLock::new(address);
        let slot = Self {
            name,
            broker,
            acceptor,
            network,
            address,
            handler,
            options,
            changes,
            clock,
            running: Mutex::new(None),
        };
        slot.restart(false).await?;
        Ok(Arc::new(slot))
    }

    /// The address on which it listens, or listened last.
    pub(super) fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(&self) {
        if let Some(server) = self.running.lock().await.take() {
            if let Some(broker) = &self.broker {
                broker.set_up(false);
            }
            server.shutdown(STOP_LIMIT).await;
            if let Some(broker) = &self.broker {
                broker.forget_memory();
            }
            self.changes.tell();
        }
    }

    /// Listens again, unless it does already.
    pub(super) async fn restart(&self, new_port: bool) -> Result<(), MockError> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(());
        }
        let mut address = self.address();
        if new_port {
            address.set_port(0);
        }
        let bound = self.bind(address).await;
        let (server, ip): (_, IpAddr) = (self.name.to_string(), address.ip());
        let bound = bound.map_err(|source| MockError::Listen {
            server,
            address: ip,
            port: address.port(),
            source,
        })?;
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = bound.local_addr();
        *running = Some(bound);
        if let Some(broker) = &self.broker {
            broker.announce(self.address());
            broker.recorder.note(|| BrokerEvent::Started);
        }
        self.changes.tell();
        Ok(())
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<RemotingServer> {
        let (acceptor, handler) = (self.acceptor.clone(), self.handler.clone());
        match &self.network {
            Some(network) => {
                RemotingServer::serve(network.listen(address)?, acceptor, handler, self.options.clone())
            }
            None => RemotingServer::bind_with(acceptor, address, handler, self.options.clone()).await,
        }
    }

    /// Stops both servers and starts each on the other's address.
    pub(super) async fn exchange_addresses(&self, other: &Self) -> Result<(), MockError> {
        for slot in [self, other] {
            slot.stop().await;
        }
        let (here, there) = (self.address(), other.address());
        for (slot, address) in [(self, there), (other, here)] {
            *slot.address.write().unwrap_or_else(PoisonError::into_inner) = address;
            slot.restart(false).await?;
        }
        Ok(())
    }

    /// Whether it listens now.
    pub(super) async fn is_running(&self) -> bool {
        self.running.lock().await.is_some()
    }

    async fn change(&self, change: ServerChange) {
        match change {
            ServerChange::ReadOnly(time) => {
                let Some(broker) = &self.broker else { return };
                broker.set_perm(PermName::READ);
                self.changes.tell();
                if let Some(time) = time {
                    self.clock.sleep(time).await;
                    broker.set_perm(PermName::READ_WRITE);
                    self.changes.tell();
                }
            }
            ServerChange::Down { noticed, back_after, new_port } => {
                if let Some(broker) = self.broker.as_ref().filter(|_| noticed) {
                    broker.withdraw();
                }
                self.stop().await;
                if let Some(time) = back_after {
                    self.clock.sleep(time).await;
                    if let Err(error) = self.restart(new_port).await {
                        tracing::warn!(server = %self.name, %error, "a server cannot come back");
                    }
                }
            }
        }
    }
}

impl Servers {
    pub(super) fn add(&self, slot: &Arc<Slot>) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(slot));
    }

    /// Carries out a change of a server.
    pub(crate) fn change(&self, server: &str, change: ServerChange, tasks: &TaskOwner) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().filter_map(Weak::upgrade).find(|slot| *slot.name == *server);
        if let Some(slot) = found {
            tasks.spawn(async move { slot.change(change).await });
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.name)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
