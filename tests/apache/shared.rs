//! The cluster that all tests of one run share.

use std::sync::OnceLock;

use crate::support::ApacheCluster;

/// Brokers ask about transactions after 6 s, every 30 s, by default.
const QUICK_QUESTIONS: &str = "transactionTimeOut=3000\ntransactionCheckInterval=1000\n";

/// The first caller waits until it is up (about five seconds).
///
/// Tests keep out of each other's way by using topics and groups of their own.
pub(crate) fn shared() -> &'static ApacheCluster {
    static SHARED: OnceLock<Result<ApacheCluster, String>> = OnceLock::new();
    match SHARED.get_or_init(|| ApacheCluster::start(QUICK_QUESTIONS)) {
        Ok(cluster) => cluster,
        Err(reason) => panic!("{reason}"),
    }
}
