//! Small enough to be started for each test.

use std::time::Duration;

use rocketmq_namesrv_mock::MockCluster;

/// The best of several tries: what a busy machine takes besides is not ours.
#[tokio::test]
async fn a_cluster_starts_in_less_than_five_milliseconds() {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let cluster = MockCluster::start().await.unwrap();
        best = best.min(cluster.started_in());
        cluster.shutdown().await;
    }
    println!("started in {best:?}");
    assert!(best < Duration::from_millis(5), "{best:?}");
}
