//! Signed requests, judged by Apache's broker with ACL 2.0.

use std::sync::OnceLock;

use crate::cases::acl::{self, ACCESS_KEY, SECRET_KEY};
use crate::for_each_acl_case;
use crate::support::acl::acl_conf;
use crate::support::{ApacheCluster, Boot, Ready};

pub(crate) fn cluster() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let conf = acl_conf(ACCESS_KEY, SECRET_KEY);
        let boot = Boot { broker_conf: &conf, ready: Ready::Refuses, ..Boot::default() };
        ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"))
    })
}

macro_rules! on_apache_with_acl {
    ($($case:ident),+) => {
        $(#[tokio::test]
        async fn $case() {
            acl::$case(cluster().name_server_addr()).await;
        })+
    };
}

for_each_acl_case!(on_apache_with_acl);
