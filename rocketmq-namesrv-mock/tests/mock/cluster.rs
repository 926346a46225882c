//! The cluster as a test sees it.

use std::time::{Duration, Instant};

use rocketmq_namesrv_mock::{MockCluster, MockError};
use rocketmq_remoting::protocol::RequestCode;

use crate::support::*;

#[tokio::test]
async fn a_cluster_starts_within_a_blink_on_the_loopback() {
    // The best of several, because other tests run at the same time.
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let before = Instant::now();
        let cluster = MockCluster::start().await.unwrap();
        fastest = fastest.min(before.elapsed());
        assert!(cluster.broker_addr("broker-a").unwrap().ip().is_loopback());
    }
    println!("started in {fastest:?}");
    assert!(fastest < Duration::from_millis(5), "{fastest:?}");
}

#[tokio::test]
async fn messages_are_kept_for_each_broker_and_topic() {
    let cluster = MockCluster::builder().brokers(3).start().await.unwrap();
    assert_eq!(cluster.broker_names(), ["broker-a", "broker-b", "broker-c"]);
    for (broker, count) in [("broker-c", 1), ("broker-a", 2)] {
        let mut peer = Peer::connect(cluster.broker_addr(broker).unwrap()).await;
        for _ in 0..count {
            assert_eq!(peer.call(send_to("T")).await.code, 0);
        }
    }
    let names: Vec<_> =
        cluster.messages("T").iter().map(|message| message.broker_name().to_owned()).collect();
    assert_eq!(names, ["broker-a", "broker-a", "broker-c"]);
    assert_eq!((cluster.message_count("T"), cluster.message_count("S")), (3, 0));
    assert_eq!(cluster.broker_addr("broker-d"), None);
}

#[tokio::test]
async fn a_full_store_says_so_and_what_to_do() {
    let cluster = MockCluster::builder().store_limit(10_000).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(peer.call(send_to("T").with_body(vec![0; 9_000])).await.code, 0);
    let answer = peer.call(send_to("T").with_body(vec![0; 900])).await;
    assert_eq!(answer.code, 14);
    assert!(answer.remark().contains("the store of this mock is full [10000 bytes]"), "{answer:?}");
    assert_eq!(peer.call(send_to("T").with_body("small")).await.code, 0);
}

#[tokio::test]
async fn topics_are_created_and_deleted_from_the_test() {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    cluster.create_topic("T", 3).unwrap();
    let queues: Vec<_> =
        cluster.queue_offsets("T").into_iter().map(|offsets| offsets.queue.to_string()).collect();
    assert_eq!(queues.len(), 6);
    assert!(matches!(cluster.create_topic("a.b", 1), Err(MockError::Refused { .. })));
    cluster.delete_topic("T");
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    assert_eq!(peer.call(request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")])).await.code, 17);
}

#[tokio::test]
async fn the_last_requests_are_remembered() {
    let cluster = MockCluster::builder().captured_requests(2).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for topic in ["A", "B"] {
        peer.call(send_to(topic)).await;
    }
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    name_server.call(request(RequestCode::GET_BROKER_CLUSTER_INFO, &[])).await;
    let requests = cluster.requests();
    let seen: Vec<_> = requests.iter().map(|request| (&*request.server, request.code)).collect();
    let expected =
        [("broker-a", RequestCode::SEND_MESSAGE_V2), ("namesrv-0", RequestCode::GET_BROKER_CLUSTER_INFO)];
    assert_eq!(seen, expected);
    assert_eq!(*requests[0].peer, *peer.local_addr().to_string());
}

#[tokio::test]
async fn a_cluster_that_is_shut_down_or_dropped_closes_its_sockets() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    cluster.shutdown().await;
    peer.expect_closed().await;
    let address = cluster.broker_addr("broker-a").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert_eq!(cluster.message_count("T"), 1);

    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    drop(cluster);
    peer.expect_closed().await;
}

#[tokio::test]
async fn a_cluster_has_at_least_one_server_of_each_kind() {
    for builder in [MockCluster::builder().brokers(0), MockCluster::builder().name_servers(0)] {
        assert!(matches!(builder.start().await, Err(MockError::None { .. })));
    }
}
