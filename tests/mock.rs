//! The end-to-end cases, on the mock.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod cases;

use rocketmq_namesrv_mock::MockCluster;

macro_rules! on_the_mock {
    ($($room:ident: $($case:ident),+;)+) => {
        $(mod $room {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let cluster = MockCluster::start().await.unwrap();
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
