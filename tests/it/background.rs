//! The background work of a producer: brokers learn who it is, learn it again after a reconnect, and hear when it
//! leaves.

use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{CapturedRequest, MockCluster};
use rocketmq_remoting::protocol::RequestCode;

/// Requests of one code that have reached the cluster, once there are at least `count`.
async fn requests(cluster: &MockCluster, code: RequestCode, count: usize) -> Vec<CapturedRequest> {
    let began = Instant::now();
    loop {
        let found: Vec<_> = cluster.requests().into_iter().filter(|request| request.code == code).collect();
        if found.len() >= count {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{} of {count} requests {code}", found.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn producer(cluster: &MockCluster, group: &str) -> Producer {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name(group);
    option.set_heartbeat_broker_interval(20);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    producer
}

#[tokio::test]
async fn brokers_get_heartbeats_and_a_goodbye() {
    let cluster = MockCluster::start().await.unwrap();
    let producer = producer(&cluster, "heartbeat_group").await;
    producer.send(Message::new("TopicTest", "x")).await.unwrap();
    requests(&cluster, RequestCode::HEART_BEAT, 3).await;
    assert!(producer.shutdown().await.unwrap().brokers_not_told.is_empty());
    let goodbye = requests(&cluster, RequestCode::UNREGISTER_CLIENT, 1).await;
    let heartbeats = requests(&cluster, RequestCode::HEART_BEAT, 3).await;
    assert_eq!(goodbye.len(), 1);
    assert!(
        heartbeats.iter().all(|heartbeat| heartbeat.at <= goodbye[0].at),
        "a heartbeat after the goodbye"
    );
}

#[tokio::test]
async fn a_producer_that_is_dropped_leaves_no_task_behind() {
    let cluster = MockCluster::start().await.unwrap();
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let mut option = ProducerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name("dropped_group");
    // Everything that has tasks of its own.
    option.set_heartbeat_broker_interval(20).set_auto_batch(true).set_enable_trace(true);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    producer.send(Message::new("TopicTest", "x")).await.unwrap();
    requests(&cluster, RequestCode::HEART_BEAT, 2).await;
    assert!(metrics.num_alive_tasks() > before);
    drop(producer);
    let began = Instant::now();
    // The mock's ends of the connections go as well, once the client's are closed.
    while metrics.num_alive_tasks() > before {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{} tasks left",
            metrics.num_alive_tasks() - before
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
