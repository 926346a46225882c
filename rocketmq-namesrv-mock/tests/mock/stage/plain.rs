//! A broker for cases without special wishes. The cases of the workspace root use it, too.

use std::ops::Deref;
use std::time::Duration;

use rocketmq_namesrv_mock::{MockCluster, MockClusterBuilder};

/// The address of a NameServer. Its cluster runs until this value is dropped.
pub(crate) struct NameServer {
    address: String,
    _cluster: MockCluster,
}

impl NameServer {
    pub(crate) async fn start(builder: MockClusterBuilder) -> Self {
        let cluster = builder.start().await.expect("the mock starts");
        Self { address: cluster.name_server_addr(), _cluster: cluster }
    }
}

impl Deref for NameServer {
    type Target = str;

    fn deref(&self) -> &str {
        &self.address
    }
}

/// Starts one broker with filters over properties. It asks about transactions soon: the defaults are 6 s and 30 s.
pub(crate) async fn name_server() -> NameServer {
    let builder = MockCluster::builder().transaction_timeout(Duration::from_secs(1));
    let builder = builder.transaction_check_interval(Duration::from_millis(200));
    NameServer::start(builder.enable_property_filter(true)).await
}
