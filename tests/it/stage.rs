//! The clusters which the cases of `tests/cases` run on: here, the mock. `tests/apache/stage.rs` has Apache's.

#[path = "../../rocketmq-namesrv-mock/tests/mock/stage/plain.rs"]
mod plain;

use rocketmq_namesrv_mock::MockCluster;

use crate::cases::acl::{ACCESS_KEY, SECRET_KEY};
use crate::cases::brokers::Operator;

use plain::NameServer;
pub(crate) use plain::name_server;

/// Starts a broker that serves [`ACCESS_KEY`] alone.
pub(crate) async fn name_server_with_acl() -> NameServer {
    NameServer::start(MockCluster::builder().acl(ACCESS_KEY, SECRET_KEY)).await
}

/// Starts a broker that takes timer messages back.
pub(crate) async fn name_server_that_recalls() -> NameServer {
    NameServer::start(MockCluster::builder().recall_message(true)).await
}

/// Starts a broker whose settings the case may change.
pub(crate) async fn name_server_of_its_own() -> NameServer {
    NameServer::start(MockCluster::builder()).await
}

/// Starts two masters, each with a slave that may be read.
pub(crate) async fn masters_and_slaves() -> impl Operator {
    let builder = MockCluster::builder().brokers(2).slaves(1).slave_read(true);
    builder.order_message(true).start().await.unwrap()
}

/// Starts one master that acknowledges a message when its slave has the message too.
pub(crate) async fn a_master_that_waits_for_its_slave() -> impl Operator {
    MockCluster::builder().slaves(1).in_sync_replicas(2).start().await.unwrap()
}

impl Operator for MockCluster {
    fn name_server_addr(&self) -> String {
        self.name_server_addr()
    }

    fn brokers(&self) -> Vec<&str> {
        self.broker_names()
    }

    fn addr_of(&self, broker: &str) -> String {
        self.broker_addr(broker).unwrap().to_string()
    }

    async fn stop(&self, broker: &str) {
        self.stop_broker(broker).await.unwrap();
    }

    async fn start(&self, broker: &str) {
        self.start_broker(broker).await.unwrap();
    }
}
