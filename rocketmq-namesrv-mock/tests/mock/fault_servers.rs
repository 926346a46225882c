//! Servers that go down, come back elsewhere, refuse to be written to, and disagree.

use std::time::Instant;

use rocketmq_common::PermName;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn route(topic: &str) -> RemotingCommand {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)])
}

/// Address and permission of the one broker in a route; `None` without a route.
async fn seen(name_server: &mut Peer, topic: &str) -> Option<(String, i32)> {
    let answer = name_server.call(route(topic)).await;
    if answer.code != 0 {
        assert_eq!(answer.code, 17);
        return None;
    }
    let route: TopicRouteData = decode_body(&answer.body).unwrap();
    Some((route.broker_datas[0].broker_addrs[&0].clone(), route.queue_datas[0].perm))
}

async fn start(name_servers: usize) -> (MockCluster, Vec<Peer>) {
    let cluster = MockCluster::builder().name_servers(name_servers).start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let mut peers = Vec::new();
    for address in cluster.name_server_addr().split(';') {
        peers.push(Peer::connect(address).await);
    }
    (cluster, peers)
}

#[tokio::test]
async fn a_broker_crashes_after_it_stored_and_comes_back_on_another_port() {
    let (cluster, mut name_servers) = start(1).await;
    let before = cluster.broker_addr("broker-a").unwrap();
    cluster.inject("do=crash on=sends times=1 back_after_ms=50 new_port=true".parse().unwrap());
    let mut peer = Peer::broker(&cluster).await;
    peer.send(send_to("T")).await;
    peer.expect_closed().await;
    assert_eq!(cluster.message_count("T"), 1);
    assert_eq!(seen(&mut name_servers[0], "T").await.unwrap().0, before.to_string(), "nobody noticed");
    let began = Instant::now();
    cluster.wait_until(|cluster| cluster.broker_addr("broker-a") != Some(before), SOON).await.unwrap();
    assert!(began.elapsed() < SOON, "its return wakes those who wait");
    let after = cluster.broker_addr("broker-a").unwrap();
    assert_eq!(seen(&mut name_servers[0], "T").await.unwrap().0, after.to_string());
    let answer = Peer::connect(after).await.call(send_to("T")).await;
    assert_eq!((answer.code, field(&answer, "queueOffset")), (0, "1".into()));
    assert!(
        field(&answer, "msgId")[8..16].ends_with(&format!("{:04X}", after.port())),
        "ids name the new port"
    );
}

#[tokio::test]
async fn a_broker_and_a_name_server_move() {
    let (cluster, mut name_servers) = start(1).await;
    let before = (cluster.broker_addr("broker-a").unwrap(), cluster.name_server_addr());
    let mut peer = Peer::broker(&cluster).await;
    cluster.move_broker("broker-a").await.unwrap();
    peer.expect_closed().await;
    let moved = cluster.broker_addr("broker-a").unwrap();
    assert_ne!(moved, before.0);
    assert_eq!(seen(&mut name_servers[0], "T").await.unwrap().0, moved.to_string());
    cluster.move_name_server(0).await.unwrap();
    assert_ne!(cluster.name_server_addr(), before.1);
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    assert_eq!(seen(&mut name_server, "T").await.unwrap().0, moved.to_string());
}

#[tokio::test]
async fn a_name_server_stops_by_a_rule_and_comes_back() {
    let (cluster, mut name_servers) = start(1).await;
    cluster.inject("do=stop server=namesrv-0 back_after_ms=0 times=1".parse().unwrap());
    name_servers[0].send(route("T")).await;
    name_servers[0].expect_closed().await;
    let address = cluster.name_server_addr();
    let mut again = loop {
        // It may still be on its way back.
        match tokio::net::TcpStream::connect(&address).await {
            Ok(_) => break Peer::connect(&address).await,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(seen(&mut again, "T").await.is_some());
}

#[tokio::test]
async fn a_broker_that_is_read_only_says_so_in_routes() {
    let (cluster, mut name_servers) = start(1).await;
    cluster.set_broker_perm("broker-a", PermName::READ).unwrap();
    assert_eq!(seen(&mut name_servers[0], "T").await.unwrap().1, 4);
    cluster.create_topic("S", 1).unwrap();
    assert_eq!(seen(&mut name_servers[0], "S").await.unwrap().1, 4, "so is a topic that comes later");
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(peer.call(send_to("T")).await.code, 0, "Apache's broker stores what comes all the same");
    cluster.set_broker_perm("broker-a", PermName::READ_WRITE).unwrap();
    assert_eq!(seen(&mut name_servers[0], "T").await.unwrap().1, 6);
    cluster.inject("do=read_only on=sends ms=20 times=1".parse().unwrap());
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    while seen(&mut name_servers[0], "T").await.unwrap().1 != 4 {}
    while seen(&mut name_servers[0], "T").await.unwrap().1 != 6 {}
}

#[tokio::test]
async fn name_servers_disagree() {
    let (cluster, mut name_servers) = start(2).await;
    cluster.cut_off_name_server(1).unwrap();
    cluster.create_topic("S", 1).unwrap();
    cluster.move_broker("broker-a").await.unwrap();
    let (first, second) = name_servers.split_at_mut(1);
    let address = cluster.broker_addr("broker-a").unwrap().to_string();
    assert_eq!(seen(&mut first[0], "S").await.unwrap().0, address);
    assert_eq!(seen(&mut second[0], "S").await, None);
    assert_ne!(seen(&mut second[0], "T").await.unwrap().0, address, "an old address");
    cluster.reconnect_name_server(1).await.unwrap();
    for topic in ["S", "T"] {
        assert_eq!(seen(&mut second[0], topic).await.unwrap().0, address);
    }
    cluster.forget_topic(0, "T").unwrap();
    assert_eq!(seen(&mut first[0], "T").await, None);
    assert!(seen(&mut second[0], "T").await.is_some());
    assert!(cluster.cut_off_name_server(2).is_err());
}

#[tokio::test]
async fn a_slave_becomes_the_master_with_all_that_was_stored() {
    let cluster = MockCluster::builder().slaves(1).start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    let address = |name| cluster.broker_addr(name).unwrap().to_string();
    let before = [address("broker-a"), address("broker-a-s1")];
    cluster.switch_roles("broker-a-s1").await.unwrap();
    peer.expect_closed().await;
    let answer = Peer::connect(cluster.name_server_addr()).await.call(route("T")).await;
    let route: TopicRouteData = decode_body(&answer.body).unwrap();
    let addresses = &route.broker_datas[0].broker_addrs;
    assert_eq!([&addresses[&1], &addresses[&0]], [&before[0], &before[1]]);
    let answer = Peer::connect(&before[1]).await.call(send_to("T")).await;
    assert_eq!((answer.code, field(&answer, "queueOffset")), (0, "1".into()));
    assert_eq!(Peer::connect(&before[0]).await.call(send_to("T")).await.code, 2, "a slave takes no sends");
    let error = cluster.switch_roles("broker-a").await.unwrap_err();
    assert!(error.to_string().starts_with("broker-a is no slave"), "{error}");
}
