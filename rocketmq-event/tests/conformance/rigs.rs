use async_trait::async_trait;
use rocketmq_event::Bus;
use rocketmq_event::backend::memory::MemoryBroker;

/// A backend with its broker.
#[async_trait]
pub(crate) trait Rig: Send + Sync + 'static {
    /// The column of the table.
    fn name(&self) -> &'static str;

    /// A new connection, as a service of its own has it.
    async fn connect(&self) -> Bus;
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
pub(crate) struct RocketMqMock(rocketmq_namesrv_mock::MockCluster);

#[cfg(feature = "rocketmq")]
impl RocketMqMock {
    pub(crate) async fn start() -> Self {
        Self(rocketmq_namesrv_mock::MockCluster::start().await.unwrap())
    }
}

#[cfg(feature = "rocketmq")]
#[async_trait]
impl Rig for RocketMqMock {
    fn name(&self) -> &'static str {
        "RocketMQ (mock)"
    }

    async fn connect(&self) -> Bus {
        Bus::connect(&format!("rocketmq://{}", self.0.name_server_addr())).await.unwrap()
    }
}
