use std::sync::Arc;

use async_trait::async_trait;
use rocketmq_event::Bus;
use rocketmq_event::backend::Positions;
use rocketmq_event::backend::memory::MemoryBroker;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::proxy::Proxy;

/// A backend with its broker.
#[async_trait]
pub(crate) trait Rig: Send + Sync + 'static {
    /// The column of the table.
    fn name(&self) -> &'static str;

    /// A new connection, as a service of its own has it.
    async fn connect(&self) -> Bus;

    /// The address of a broker that has a process of its own.
    fn address(&self) -> Option<String> {
        None
    }

    /// CloudEvents' SDK for Java, as a program that writes an event to the first stream and prints the first event of the second.
    fn java(&self, _writes: &str, _reads: &str) -> Option<tokio::process::Command> {
        None
    }

    /// Has the server delete what the log of a stream has before these positions. False: it deletes by age and by size alone, and the case
    /// takes a backend that answers as if it had deleted them.
    async fn delete_before(&self, _stream: &str, _before: &Positions) -> bool {
        false
    }

    /// The server that cases may end: one after the other.
    fn fragile(&self) -> Option<&Shared> {
        None
    }
}

/// A server that the case which has it may end and cut off.
#[async_trait]
pub(crate) trait Fragile: Send + Sync {
    /// Through the proxy.
    fn address(&self) -> String;
    fn proxy(&self) -> &Proxy;
    /// SIGKILL, or as near to it as the server knows.
    async fn kill(&mut self);
    /// With what it stored. Returns when it answers.
    async fn restart(&mut self);
}

type Start = Box<dyn Fn() -> futures_util::future::BoxFuture<'static, Box<dyn Fragile>> + Send + Sync>;

/// Starts the server for the first case that asks for it.
pub(crate) struct Shared {
    start: Start,
    server: Arc<Mutex<Option<Box<dyn Fragile>>>>,
}

impl Shared {
    pub(crate) fn new<F, S>(start: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        S: Fragile + 'static,
    {
        let start: Start = Box::new(move || {
            let starting = start();
            Box::pin(async move { Box::new(starting.await) as Box<dyn Fragile> })
        });
        Self { start, server: Arc::default() }
    }

    pub(crate) async fn take(&self) -> OwnedMutexGuard<Option<Box<dyn Fragile>>> {
        let mut server = self.server.clone().lock_owned().await;
        if server.is_none() {
            *server = Some((self.start)().await);
        }
        server
    }
}

/// The broker in memory.
#[derive(Default)]
pub(crate) struct Memory(MemoryBroker);

#[async_trait]
impl Rig for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn connect(&self) -> Bus {
        Bus::new(self.0.connect())
    }
}

/// RocketMQ's mock cluster: real sockets, no server.
#[cfg(feature = "rocketmq")]
pub(crate) struct RocketMqMock {
    cluster: rocketmq_namesrv_mock::MockCluster,
    fragile: Shared,
}

#[cfg(feature = "rocketmq")]
impl RocketMqMock {
    pub(crate) async fn start() -> Self {
        let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
        Self { cluster, fragile: Shared::new(FragileMock::start) }
    }
}

#[cfg(feature = "rocketmq")]
#[async_trait]
impl Rig for RocketMqMock {
    fn name(&self) -> &'static str {
        "RocketMQ (mock)"
    }

    async fn connect(&self) -> Bus {
        Bus::connect(&format!("rocketmq://{}", self.cluster.name_server_addr())).await.unwrap()
    }

    fn fragile(&self) -> Option<&Shared> {
        Some(&self.fragile)
    }
}

/// A mock of its own, behind a proxy.
#[cfg(feature = "rocketmq")]
struct FragileMock {
    cluster: rocketmq_namesrv_mock::MockCluster,
    brokers: Proxies,
}

#[cfg(feature = "rocketmq")]
impl FragileMock {
    async fn start() -> Self {
        let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
        let name_server: std::net::SocketAddr = cluster.name_server_addr().parse().unwrap();
        let broker = cluster.broker_addr("broker-a").unwrap();
        let brokers = Proxies::start(name_server.port(), broker.port());
        Self { cluster, brokers }
    }
}

#[cfg(feature = "rocketmq")]
#[async_trait]
impl Fragile for FragileMock {
    fn address(&self) -> String {
        self.brokers.address()
    }

    fn proxy(&self) -> &Proxy {
        &self.brokers.broker
    }

    async fn kill(&mut self) {
        self.cluster.crash_broker("broker-a").await.unwrap();
    }

    async fn restart(&mut self) {
        self.cluster.start_broker("broker-a").await.unwrap();
    }
}

/// The way to a broker of RocketMQ: its NameServer tells the address of the proxy in place of its own.
#[cfg(feature = "rocketmq")]
pub(crate) struct Proxies {
    name_server: Proxy,
    pub(crate) broker: Proxy,
}

#[cfg(feature = "rocketmq")]
impl Proxies {
    pub(crate) fn start(name_server: u16, broker: u16) -> Self {
        // The system gives ports of five digits, as the broker's is: a frame keeps its length.
        let proxy = Proxy::start(broker, 0, None);
        let rewrite = (format!(":{broker}\""), format!(":{}\"", proxy.port()));
        Self { name_server: Proxy::start(name_server, 0, Some(rewrite)), broker: proxy }
    }

    pub(crate) fn address(&self) -> String {
        format!("rocketmq://127.0.0.1:{}", self.name_server.port())
    }
}
