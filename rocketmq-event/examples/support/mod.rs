//! What the examples share: a bus for the address on the command line, or for a mock cluster.

use rocketmq_event::Bus;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::OnceCell;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Connects to the address on the command line. With none, it starts a mock of RocketMQ, which lives as long as the process.
pub(crate) async fn connect() -> Result<Bus> {
    if let Some(address) = std::env::args().nth(1) {
        return Ok(Bus::connect(&address).await?);
    }
    static CLUSTER: OnceCell<MockCluster> = OnceCell::const_new();
    let cluster = CLUSTER.get_or_try_init(MockCluster::start).await?;
    Ok(Bus::connect(&format!("rocketmq://{}", cluster.name_server_addr())).await?)
}
