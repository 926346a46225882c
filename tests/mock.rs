//! The end-to-end cases, on the mock.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod cases;

use std::time::Duration;

use cases::brokers::Operator;
use rocketmq_namesrv_mock::MockCluster;

/// As the Apache suite has it: with filters over properties. Brokers ask about transactions after 6 s, every 30 s, by
/// default.
async fn a_cluster_with_quick_questions() -> MockCluster {
    let cluster = MockCluster::builder().transaction_timeout(Duration::from_secs(1));
    let cluster = cluster.transaction_check_interval(Duration::from_millis(200));
    cluster.enable_property_filter(true).start().await.unwrap()
}

macro_rules! on_the_mock {
    ($($room:ident: $($case:ident),+;)+) => {
        $(mod $room {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let cluster = a_cluster_with_quick_questions().await;
                cases::$room::$case(&cluster.name_server_addr()).await;
            })+
        })+
    };
}

for_each_case!(on_the_mock);

#[tokio::test]
async fn a_recalled_message_does_not_arrive() {
    let cluster = MockCluster::builder().recall_message(true).start().await.unwrap();
    cases::delay::a_recalled_message_does_not_arrive(&cluster.name_server_addr()).await;
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

macro_rules! on_the_mock_with_slaves {
    ($($case:ident),+) => {
        mod brokers {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let cluster = MockCluster::builder().brokers(2).slaves(1).slave_read(true);
                let cluster = cluster.order_message(true).start().await.unwrap();
                cases::brokers::$case(&cluster).await;
            })+
        }
    };
}

for_each_case_of_brokers!(on_the_mock_with_slaves);

#[tokio::test]
async fn a_master_that_waits_for_its_slave_says_when_it_has_none() {
    let cluster = MockCluster::builder().slaves(1).in_sync_replicas(2).start().await.unwrap();
    cases::brokers::a_master_that_waits_for_its_slave_says_when_it_has_none(&cluster).await;
}

macro_rules! on_the_mock_with_acl {
    ($($case:ident),+) => {
        mod acl {
            use super::*;
            use cases::acl::{ACCESS_KEY, SECRET_KEY};

            $(#[tokio::test]
            async fn $case() {
                let cluster = MockCluster::builder().acl(ACCESS_KEY, SECRET_KEY).start().await.unwrap();
                cases::acl::$case(&cluster.name_server_addr()).await;
            })+
        }
    };
}

for_each_acl_case!(on_the_mock_with_acl);
