//! The client of a cluster that any number of producers, consumers and admins of a service share.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::conf::ClientOption;
use crate::error::{MQClientError, invalid};
use crate::factory::MQClientInstance;
use crate::life_cycle::LifeCycle;
use crate::waiting;

pub use crate::life_cycle::ShutdownReport;

/// A client that its producers, consumers and admins share: one connection to each server, one client id, one heartbeat that names
/// all groups, one copy of each route.
///
/// It is a handle: clones share everything. Producers and admins made with its methods share it; a [`Producer`] or an
/// [`MQAdmin`] made alone has a client of its own. Java: `MQClientInstance`, which Java shares by instance name.
///
/// The client's options apply to its producers too. A producer with another value for one of these options does not
/// start: `InvalidOption` names the option.
///
/// ```
/// use rocketmq_client::client::MQClient;
/// use rocketmq_client::model::Message;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # let name_servers = cluster.name_server_addr();
/// let client = MQClient::connect(name_servers).await?;
/// let orders = client.producer("orders").start().await?;
/// let invoices = client.producer("invoices").start().await?;
/// orders.send(Message::new("Orders", "an order")).await?;
/// let sent = invoices.send(Message::new("Invoices", "an invoice")).await?;
/// let stored = client.admin().view_message(&sent.offset_msg_id).await?;
/// assert_eq!(&stored.body()[..], b"an invoice");
/// assert!(client.shutdown().await?.is_clean());
/// # Ok(())
/// # }
/// ```
///
/// [`MQAdmin`]: crate::admin::MQAdmin
/// [`Producer`]: crate::producer::Producer
#[derive(Debug, Clone)]
pub struct MQClient {
    shared: Arc<Shared>,
}

/// What is shut down with a client: a producer or a consumer.
pub(crate) trait ClientMember: fmt::Debug + Send + Sync {
    fn is_consumer(&self) -> bool {
        false
    }

    fn shut_down(
        self: Arc<Self>,
    ) -> Pin<Box<dyn Future<Output = Result<ShutdownReport, MQClientError>> + Send>>;
}

#[derive(Debug)]
struct Shared {
    option: ClientOption,
    life: LifeCycle<Arc<MQClientInstance>>,
    /// The producers and consumers to shut down before the client.
    members: Mutex<Vec<Weak<dyn ClientMember>>>,
}

impl MQClient {
    /// A client with these options, which `start` checks.
    pub fn new(option: ClientOption) -> Self {
        let (life, members) = (LifeCycle::new("client"), Mutex::default());
        Self { shared: Arc::new(Shared { option, life, members }) }
    }

    /// Makes and starts a client for the cluster behind these NameServers (`host:port;host:port`), with default
    /// options.
    ///
    /// # Errors
    /// The errors of [`start`](Self::start).
    pub async fn connect(name_server_addr: impl Into<String>) -> Result<Self, MQClientError> {
        let mut option = ClientOption::default();
        option.set_name_server_addr(name_server_addr);
        let client = Self::new(option);
        client.start().await?;
        Ok(client)
    }

    /// Checks the options, makes sure that a NameServer answers, and starts the background duties. If it fails or its
    /// future is dropped, the client is unchanged and `start` may be called again.
    ///
    /// # Errors
    /// `InvalidOption`, `NameServerUnreachable`, `AlreadyStarted`, `ShutDown`, or `NoRuntime`.
    pub async fn start(&self) -> Result<(), MQClientError> {
        let starting = self.shared.life.begin()?;
        let config = self.shared.option.client_config()?;
        let instance = Box::pin(MQClientInstance::start(config)).await?;
        tracing::debug!(client_id = instance.client_id(), "client started");
        starting.finish(Arc::new(instance));
        Ok(())
    }

    /// Shuts down all consumers of this client at the same time, then all producers, each like with its own `shutdown`,
    /// then closes the connections. The report is the sum, unfinished messages of consumers included. A second call does nothing. Dropping the future leaves the client closed
    /// for new messages; call it again to finish.
    ///
    /// # Errors
    /// `NotStarted`, or `NoRuntime` outside a tokio runtime.
    pub async fn shutdown(&self) -> Result<ShutdownReport, MQClientError> {
        let began = Instant::now();
        self.shared.life.started().ok_or(MQClientError::NotStarted { client: "client" })?;
        tokio::runtime::Handle::try_current().map_err(|_| MQClientError::NoRuntime)?;
        let instance = self.shared.life.shut_down()?;
        let members: Vec<_> = self.members().iter().filter_map(Weak::upgrade).collect();
        let mut report = ShutdownReport::default();
        // Consumers go first, so that their handlers can still send.
        let (consumers, producers): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.is_consumer());
        let mut left = waiting::all(consumers.into_iter().map(ClientMember::shut_down)).await;
        left.extend(waiting::all(producers.into_iter().map(ClientMember::shut_down)).await);
        for left in left {
            match left {
                Ok(left) => report.add(left),
                Err(error) => tracing::debug!(%error, "a member is not shut down with its client"),
            }
        }
        instance.shutdown(instance.api().timeout()).await;
        report.took = began.elapsed();
        Ok(report)
    }

    /// The instance of a client with one producer. Repeats a start that was interrupted.
    pub(crate) async fn started(&self) -> Result<Arc<MQClientInstance>, MQClientError> {
        if let Err(MQClientError::NotStarted { .. }) = self.running() {
            self.start().await?;
        }
        self.running().cloned()
    }

    pub(crate) fn running(&self) -> Result<&Arc<MQClientInstance>, MQClientError> {
        self.shared.life.running()
    }

    /// Closes a client whose last producer is shut down.
    pub(crate) async fn close(&self, limit: Duration) {
        if let Ok(instance) = self.shared.life.shut_down() {
            instance.shutdown(limit).await;
        }
    }

    pub(crate) fn option(&self) -> &ClientOption {
        &self.shared.option
    }

    /// Refuses options of a producer or consumer that differ from the client's. `differing` names such an option.
    pub(crate) fn check(
        &self,
        differing: impl FnOnce(&ClientOption) -> Option<&'static str>,
    ) -> Result<(), MQClientError> {
        match differing(&self.shared.option) {
            Some(option) => {
                Err(invalid(option, "it belongs to the client that is shared: set it in ClientOption"))
            }
            None => Ok(()),
        }
    }

    /// Registers a producer or consumer to be shut down with the client. The inner producer of a traced producer is not registered: it
    /// ends after it has sent the records of the traced one.
    pub(crate) fn adopt(&self, member: Weak<dyn ClientMember>) {
        let mut members = self.members();
        members.retain(|member| member.strong_count() > 0);
        members.push(member);
    }

    fn members(&self) -> MutexGuard<'_, Vec<Weak<dyn ClientMember>>> {
        self.shared.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
