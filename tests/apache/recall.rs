//! Recalling, which a broker has to be configured for.

use crate::cases;
use crate::support::ApacheCluster;

#[tokio::test]
async fn a_recalled_message_does_not_arrive() {
    let cluster =
        ApacheCluster::start("recallMessageEnable=true\n").unwrap_or_else(|reason| panic!("{reason}"));
    cases::delay::a_recalled_message_does_not_arrive(cluster.name_server_addr()).await;
}
