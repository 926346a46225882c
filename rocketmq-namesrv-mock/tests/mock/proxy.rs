//! The proxy, before a cluster of the mock.

use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_namesrv_mock::{MockCluster, MockProxy};
use rocketmq_remoting::protocol::body::{ClusterInfo, TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode, SerializeType};

use crate::clients::producer_heartbeat;
use crate::support::*;

fn route(topic: &str) -> RemotingCommand {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)])
}

/// A cluster with a topic, a proxy before it, and a connection to the broker through the proxy.
async fn start(rules: &[&str]) -> (MockCluster, MockProxy, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let proxy = MockProxy::start(cluster.name_server_addr()).await.unwrap();
    for rule in rules {
        proxy.inject(rule.parse().unwrap()).unwrap();
    }
    let peer = Peer::connect(broker_addr(&proxy).await).await;
    (cluster, proxy, peer)
}

/// Where the route through the proxy says that the broker is.
async fn broker_addr(proxy: &MockProxy) -> String {
    let answer = Peer::connect(proxy.name_server_addr()).await.call(route("T")).await;
    let route: TopicRouteData = decode_body(&answer.body).unwrap();
    route.broker_datas[0].broker_addrs[&0].clone()
}

#[tokio::test]
async fn only_addresses_differ_from_what_the_servers_say_with_both_header_encodings() {
    for form in [SerializeType::Json, SerializeType::RocketMq] {
        let cluster = MockCluster::builder().brokers(2).serialize_type(form).start().await.unwrap();
        cluster.create_topic("T", 4).unwrap();
        let proxy = MockProxy::start(cluster.name_server_addr()).await.unwrap();
        let mut direct = Peer::connect(cluster.name_server_addr()).await;
        let mut through = Peer::connect(proxy.name_server_addr()).await;
        for version in [400, 513] {
            let mut ask = route("T");
            ask.version = version;
            let (expected, found) = (direct.call(ask.clone()).await, through.call(ask).await);
            let (mut text, expected_text) = (body(&found), body(&expected));
            assert_ne!(text, expected_text);
            let found_route: TopicRouteData = decode_body(&found.body).unwrap();
            for broker in found_route.broker_datas {
                let real = cluster.broker_addr(&broker.broker_name).unwrap().to_string();
                text = text.replace(&broker.broker_addrs[&0], &real);
            }
            assert_eq!((text, &found.ext_fields), (expected_text, &expected.ext_fields));
            assert_eq!(found.serialize_type, form);
        }
        let info = through.call(request(RequestCode::GET_BROKER_CLUSTER_INFO, &[])).await;
        let info: ClusterInfo = decode_body(&info.body).unwrap();
        let address = &info.broker_addr_table["broker-b"].broker_addrs[&0];
        assert_ne!(*address, cluster.broker_addr("broker-b").unwrap().to_string());
        let mut broker = Peer::connect(address).await;
        broker.serialize_type = form;
        assert_eq!(broker.call(send_to("T")).await.code, 0);
        let pulled: Vec<MessageExt> = records(&broker.call(pull_from("T", 0)).await);
        assert_eq!(pulled[0].broker_name(), "");
        assert_eq!(cluster.messages("T")[0].broker_name(), "broker-b");
        proxy.shutdown().await;
        assert!(tokio::net::TcpStream::connect(proxy.name_server_addr()).await.is_err());
    }
}

fn body(answer: &RemotingCommand) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn rules_do_what_they_do_in_a_cluster() {
    for (rule, expected, stored) in [
        ("do=refuse code=2 remark=busy", &[(2, "busy")][..], 0),
        ("do=go_away", &[(1500, "please go away")], 0),
        ("do=answer_with code=10 remark=late", &[(10, "late")], 1),
        ("do=answer_twice", &[(0, ""), (0, "")], 1),
        ("do=delay ms=5", &[(0, "")], 1),
        ("do=delay_answer ms=5", &[(0, "")], 1),
        ("do=trickle ms=0", &[(0, "")], 1),
    ] {
        let (cluster, proxy, mut peer) = start(&[&format!("{rule} on=sends times=1 server=broker-a")]).await;
        let opaque = peer.send(send_to("T")).await;
        for verdict_of_one in expected {
            let answer = peer.receive().await;
            assert_eq!((verdict(&answer), answer.opaque), (*verdict_of_one, opaque), "{rule}");
        }
        assert_eq!(cluster.message_count("T"), stored, "{rule}");
        assert_eq!(proxy.fault_hits()[0].1, 1);
        // The connection goes on as if nothing had been.
        assert_eq!(peer.call(send_to("T")).await.code, 0, "{rule}");
    }
}

#[tokio::test]
async fn connections_end_and_answers_get_lost_through_the_proxy() {
    for (rule, stored, bytes, was_reset) in [
        ("do=close", 0, 0, false),
        ("do=close_afterwards", 1, 0, false),
        ("do=reset", 0, 0, true),
        ("do=cut_answer byte=9", 1, 9, false),
    ] {
        let (cluster, _proxy, mut peer) = start(&[&format!("{rule} on=sends")]).await;
        peer.send(send_to("T")).await;
        let (read, reset) = peer.read_to_end().await;
        assert_eq!((read.len(), reset, cluster.message_count("T")), (bytes, was_reset, stored), "{rule}");
    }
    let rules = [
        "do=drop_request on=sends times=1",
        "do=drop_answer on=sends times=1",
        "do=garbage text=HTTP on=sends times=1",
    ];
    let (cluster, _proxy, mut peer) = start(&rules).await;
    for _ in 0..2 {
        peer.send(send_to("T")).await;
    }
    peer.send(send_to("T")).await;
    assert_eq!(peer.read_exact(4).await, b"HTTP");
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "1");
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn a_stray_answer_comes_before_the_right_one_and_a_corrupt_one_has_one_other_byte() {
    let (_cluster, _proxy, mut peer) = start(&["do=stray_answer on=sends times=1"]).await;
    let opaque = peer.send(send_to("T")).await;
    let (stray, right) = (peer.receive().await, peer.receive().await);
    assert!(stray.opaque != opaque && right.opaque == opaque);
    let (_cluster, _proxy, mut peer) = start(&["do=corrupt_answer byte=-1 on=PULL_MESSAGE times=1"]).await;
    peer.call(send_to("T")).await;
    let (corrupt, whole) = (peer.call(pull_from("T", 0)).await, peer.call(pull_from("T", 0)).await);
    let last = whole.body.len() - 1;
    assert_eq!((&corrupt.body[..last], corrupt.body[last]), (&whole.body[..last], !whole.body[last]));
}

#[tokio::test]
async fn a_client_that_is_not_read_any_more_is_alone_with_that() {
    let (cluster, proxy, mut peer) = start(&["do=stop_reading on=sends times=1 ms=40"]).await;
    peer.send(send_to("T")).await;
    proxy.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 1).await.unwrap();
    assert_eq!(Peer::connect(broker_addr(&proxy).await).await.call(send_to("T")).await.code, 0);
    assert_eq!(peer.call(send_to("T")).await.code, 0, "read again after a while");
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn a_broker_goes_away_and_comes_back_on_another_port_of_the_proxy() {
    let (cluster, proxy, mut peer) =
        start(&["do=crash on=sends times=1 back_after_ms=0 new_port=true"]).await;
    let before = broker_addr(&proxy).await;
    peer.send(send_to("T")).await;
    peer.expect_closed().await;
    assert_eq!(cluster.message_count("T"), 1, "it was carried out");
    let after = loop {
        let now = broker_addr(&proxy).await;
        if now != before {
            break now;
        }
    };
    assert_eq!(Peer::connect(after).await.call(send_to("T")).await.code, 0);
    assert!(tokio::net::TcpStream::connect(before).await.is_err());
}

#[tokio::test]
async fn what_brokers_ask_of_clients_comes_through_and_meets_rules() {
    let builder = MockCluster::builder().virtual_clock(true).transaction_timeout(Duration::ZERO);
    let cluster = builder.start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let proxy = MockProxy::start(cluster.name_server_addr()).await.unwrap();
    let mut peer = Peer::connect(broker_addr(&proxy).await).await;
    peer.call(producer_heartbeat("pg", "c1")).await;
    let half = wire("TRAN_MSG=true PGROUP=pg UNIQ_KEY=U");
    peer.call(with(send_to("T"), &[("i", &half), ("f", "4")])).await;
    proxy.inject("do=drop_request on=CHECK_TRANSACTION_STATE times=1".parse().unwrap()).unwrap();
    proxy.inject("do=answer_twice on=CHECK_TRANSACTION_STATE times=1".parse().unwrap()).unwrap();
    for _ in 0..2 {
        assert_eq!(cluster.check_transactions().await, 1);
    }
    let questions = [peer.receive().await, peer.receive().await];
    assert_eq!(questions[0].request_code(), RequestCode::CHECK_TRANSACTION_STATE);
    assert_eq!(questions[0], questions[1]);
    assert_eq!(
        field(&questions[0], "tranStateTableOffset"),
        "2",
        "the second question is the first that came"
    );
}

#[tokio::test]
async fn requests_through_the_proxy_are_remembered_with_their_answers() {
    let (cluster, proxy, mut peer) = start(&["do=drop_answer on=sends times=1"]).await;
    peer.send(send_to("T")).await;
    peer.call(with(send_to("T"), &[("a", "mine")])).await;
    let sends = proxy.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 2).await.unwrap();
    assert_eq!(sends.iter().map(|send| send.answer).collect::<Vec<_>>(), [None, Some(ResponseCode::SUCCESS)]);
    assert_eq!(
        (&*sends[1].server, sends[1].group().unwrap(), sends[1].took().is_some()),
        ("broker-a", "mine".into(), true)
    );
    assert_eq!(cluster.requests().len(), proxy.requests().len());
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_passed_on() {
    let (cluster, proxy, _peer) = start(&[]).await;
    let mut peer = Peer::connect(broker_addr(&proxy).await).await;
    peer.write(b"GET / HTTP/1.1\r\n\r\n").await;
    // The broker makes nothing of it and hangs up, which comes through as well.
    peer.expect_closed().await;
    drop(cluster);
    let mut peer = Peer::connect(proxy.name_server_addr()).await;
    peer.expect_closed().await;
}

#[tokio::test]
async fn what_only_a_name_server_could_do_is_refused() {
    let (_cluster, proxy, _peer) = start(&[]).await;
    for rule in ["do=stop", "do=read_only"] {
        let error = proxy.inject(rule.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is not allowed before real servers"), "{error}");
    }
    assert!(MockProxy::start(" ; ").await.is_err());
}
