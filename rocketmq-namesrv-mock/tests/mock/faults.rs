//! Servers that do not do what they should.

use std::time::{Duration, Instant};

use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster, MockError};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use crate::support::*;

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

fn refuse(code: i32, remark: &str) -> FaultAction {
    FaultAction::Refuse { code: ResponseCode(code), remark: remark.into() }
}

fn route(topic: &str) -> RemotingCommand {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)])
}

#[tokio::test]
async fn refused_requests_are_not_carried_out() {
    let (cluster, mut peer) = start().await;
    for (code, remark) in [
        (2, "[REJECTREQUEST]system busy, start flow control for a while"),
        (14, "service not available now"),
        (16, "the broker's permission"),
        (17, "topic[T] not exist"),
        (1500, "please go away"),
        (9999, ""),
    ] {
        cluster.inject(Fault::on_sends(refuse(code, remark)).times(1));
        assert_eq!(verdict(&peer.call(send_to("T")).await), (code, remark));
    }
    assert_eq!(cluster.message_count("T"), 0);
    assert_eq!(peer.call(send_to("T")).await.code, 0);
}

#[tokio::test]
async fn a_message_that_is_stored_weakly_says_so() {
    let (cluster, mut peer) = start().await;
    for code in [10, 11, 12] {
        let weakly = FaultAction::AnswerWith { code: ResponseCode(code), remark: String::new() };
        cluster.inject(Fault::on(RequestCode::SEND_MESSAGE_V2, weakly).times(1));
        let answer = peer.call(send_to("T")).await;
        assert_eq!((answer.code, field(&answer, "msgId").len()), (code, 32));
    }
    assert_eq!(cluster.message_count("T"), 3);
}

#[tokio::test]
async fn requests_and_answers_get_lost() {
    let (cluster, mut peer) = start().await;
    cluster.inject(Fault::on_sends(FaultAction::DropRequest).times(1));
    peer.send(send_to("T")).await;
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "0");
    cluster.inject(Fault::on_sends(FaultAction::DropAnswer).times(1));
    peer.send(send_to("T")).await;
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "2");
}

#[tokio::test]
async fn connections_end_before_or_after_the_request_is_carried_out() {
    for (action, stored) in [(FaultAction::Close, 0), (FaultAction::CloseAfterwards, 1)] {
        let (cluster, mut peer) = start().await;
        cluster.inject(Fault::on_sends(action).times(1));
        peer.send(send_to("T")).await;
        peer.expect_closed().await;
        assert_eq!(cluster.message_count("T"), stored);
        assert_eq!(Peer::broker(&cluster).await.call(send_to("T")).await.code, 0);
    }
}

#[tokio::test]
async fn a_slow_server_answers_late_and_out_of_order() {
    let (cluster, mut peer) = start().await;
    let slow = || FaultAction::Delay(Duration::from_millis(60));
    cluster.inject(Fault::on_sends(slow()).times(1).after(1));
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    let before = Instant::now();
    let (slow_one, quick_one) = (peer.send(send_to("T")).await, peer.send(send_to("T")).await);
    assert_eq!([peer.receive().await.opaque, peer.receive().await.opaque], [quick_one, slow_one]);
    cluster.inject(Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, slow()));
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    assert_eq!(name_server.call(route("T")).await.code, 0);
    assert!(before.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_fault_is_about_some_requests_of_some_servers() {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    let mut peers =
        [Peer::broker(&cluster).await, { Peer::connect(cluster.broker_addr("broker-b").unwrap()).await }];
    cluster.inject(Fault::on_sends(refuse(2, "busy")).topic("T").server("broker-b").after(1).times(2));
    for (broker, topic, expected) in
        [(0, "T", 0), (1, "S", 0), (1, "T", 0), (1, "T", 2), (0, "T", 0), (1, "T", 2), (1, "T", 0)]
    {
        assert_eq!(peers[broker].call(send_to(topic)).await.code, expected);
    }
    cluster.inject(Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, refuse(1, "no")).server("namesrv-0"));
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    for _ in 0..3 {
        assert_eq!(verdict(&name_server.call(route("T")).await), (1, "no"));
    }
    cluster.clear_faults();
    assert_eq!(name_server.call(route("T")).await.code, 0);
}

#[tokio::test]
async fn a_broker_stops_and_comes_back_with_what_it_stored() {
    let (cluster, mut peer) = start().await;
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    let address = cluster.broker_addr("broker-a").unwrap();
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    for is_noticed in [true, false] {
        match is_noticed {
            true => cluster.stop_broker("broker-a").await.unwrap(),
            false => cluster.crash_broker("broker-a").await.unwrap(),
        }
        peer.expect_closed().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        assert_eq!(name_server.call(route("T")).await.code, if is_noticed { 17 } else { 0 });
        cluster.start_broker("broker-a").await.unwrap();
        assert_eq!(name_server.call(route("T")).await.code, 0);
        peer = Peer::connect(address).await;
        assert_eq!(peer.call(send_to("T")).await.code, 0);
    }
    assert_eq!(cluster.message_count("T"), 3);
    assert!(matches!(cluster.stop_broker("broker-z").await, Err(MockError::NoServer { .. })));
}

#[tokio::test]
async fn a_name_server_stops_and_comes_back() {
    let cluster = MockCluster::builder().name_servers(2).start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let addresses = cluster.name_server_addr();
    let second = addresses.split(';').nth(1).unwrap();
    cluster.stop_name_server(1).await.unwrap();
    assert!(tokio::net::TcpStream::connect(second).await.is_err());
    cluster.start_name_server(1).await.unwrap();
    assert_eq!(Peer::connect(second).await.call(route("T")).await.code, 0);
    assert!(matches!(cluster.start_name_server(2).await, Err(MockError::NoServer { .. })));
}
