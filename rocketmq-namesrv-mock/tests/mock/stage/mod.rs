//! The clusters which the conformance cases run on: here, the mock. `tests/apache/stage.rs` has Apache's.
//!
//! - [`plain`]: a broker for cases without special wishes.

mod plain;

use rocketmq_namesrv_mock::MockCluster;

use plain::NameServer;
pub(crate) use plain::name_server;

/// Starts a broker whose settings the case may change.
pub(crate) async fn name_server_of_its_own() -> NameServer {
    name_server().await
}

/// A broker that the case may restart.
pub(crate) struct Restarts(MockCluster);

/// Starts a broker that the case may restart.
pub(crate) async fn a_broker_that_restarts() -> Restarts {
    Restarts(MockCluster::start().await.expect("the mock starts"))
}

impl Restarts {
    pub(crate) fn name_server(&self) -> String {
        self.0.name_server_addr()
    }

    pub(crate) async fn restart(&self) {
        self.0.stop_broker("broker-a").await.expect("it runs");
        self.0.start_broker("broker-a").await.expect("its port is free");
    }
}

/// A master with its slave.
pub(crate) struct Pair(MockCluster);

/// Starts a master and a slave that clients may not read.
pub(crate) async fn a_master_and_its_slave() -> Pair {
    Pair(MockCluster::builder().slaves(1).start().await.expect("the mock starts"))
}

impl Pair {
    pub(crate) fn master(&self) -> String {
        self.0.broker_addr("broker-a").expect("a master").to_string()
    }

    pub(crate) fn slave(&self) -> String {
        self.0.broker_addr("broker-a-s1").expect("a slave").to_string()
    }
}
