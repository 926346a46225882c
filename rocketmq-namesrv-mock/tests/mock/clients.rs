//! Heartbeats and members of groups.

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{
    ConsumerData, HeartbeatData, ProducerData, SubscriptionData, encode_body,
};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn data(group: &str, client_id: &str, subscriptions: &[(&str, &str, i64)]) -> HeartbeatData {
    let subscription_data_set = subscriptions.iter().map(|(topic, expression, version)| SubscriptionData {
        topic: (*topic).into(),
        sub_string: (*expression).into(),
        sub_version: *version,
        code_set: if *expression == "*" { Vec::new() } else { vec![java_string_hash(expression)] },
        ..SubscriptionData::default()
    });
    let consumer = ConsumerData {
        group_name: group.into(),
        subscription_data_set: subscription_data_set.collect(),
        ..ConsumerData::default()
    };
    HeartbeatData {
        client_id: client_id.into(),
        consumer_data_set: vec![consumer],
        ..HeartbeatData::default()
    }
}

fn beat(data: &HeartbeatData) -> RemotingCommand {
    request(RequestCode::HEART_BEAT, &[]).with_body(encode_body(data).unwrap())
}

/// A heartbeat of a consumer with subscriptions to topics: expression (one tag) and version.
pub(crate) fn heartbeat(
    group: &str,
    client_id: &str,
    subscriptions: &[(&str, &str, i64)],
) -> RemotingCommand {
    beat(&data(group, client_id, subscriptions))
}

/// A heartbeat of a producer.
pub(crate) fn producer_heartbeat(group: &str, client_id: &str) -> RemotingCommand {
    let producer_data_set = vec![ProducerData { group_name: group.into() }];
    beat(&HeartbeatData { client_id: client_id.into(), producer_data_set, ..HeartbeatData::default() })
}

fn members(group: &str) -> RemotingCommand {
    request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", group)])
}

async fn listed(peer: &mut Peer, group: &str) -> String {
    String::from_utf8(peer.call(members(group)).await.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_heartbeat_registers_and_creates_the_retry_topic() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let answer = peer.call(heartbeat("g", "c1", &[("T", "*", 1)])).await;
    assert_eq!((answer.code, answer.version), (0, 513));
    assert_eq!(
        answer.ext_fields,
        [("IS_SUPPORT_HEART_BEAT_V2", "true"), ("IS_SUB_CHANGE", "true")].into_iter().collect()
    );
    assert_eq!(cluster.queue_offsets("%RETRY%g").len(), 1);
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    let route = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "%RETRY%g")]);
    assert_eq!(name_server.call(route).await.code, 0);
}

#[tokio::test]
async fn members_come_and_go() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let none = peer.call(members("g")).await;
    assert_eq!(verdict(&none), (1, "no consumer for this group, g"));
    assert!(none.ext_fields.is_present() && none.ext_fields.is_empty());
    let mut second = Peer::broker(&cluster).await;
    peer.call(heartbeat("g", "c1", &[])).await;
    second.call(heartbeat("g", "c2", &[])).await;
    assert_eq!(listed(&mut peer, "g").await, r#"{"consumerIdList":["c1","c2"]}"#);
    let leave = request(RequestCode::UNREGISTER_CLIENT, &[("clientID", "c2"), ("consumerGroup", "g")]);
    let answer = second.call(leave.clone()).await;
    assert_eq!((answer.code, answer.ext_fields.is_present(), answer.ext_fields.is_empty()), (0, true, true));
    assert_eq!(second.call(leave).await.code, 0);
    assert_eq!(listed(&mut peer, "g").await, r#"{"consumerIdList":["c1"]}"#);
}

#[tokio::test]
async fn a_connection_that_ends_takes_its_member_along() {
    let cluster = MockCluster::start().await.unwrap();
    let (mut peer, mut gone) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    gone.call(heartbeat("g", "c1", &[])).await;
    drop(gone);
    let deadline = tokio::time::Instant::now() + SOON;
    while peer.call(members("g")).await.code == 0 {
        assert!(tokio::time::Instant::now() < deadline, "the member is still there");
    }
}

#[tokio::test]
async fn the_second_version_tells_whether_the_fingerprint_changed() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let mut data = data("g", "c1", &[("T", "*", 1)]);
    for (fingerprint, changed) in [(7, "false"), (7, "false"), (8, "true"), (8, "false"), (0, "true")] {
        data.heartbeat_fingerprint = fingerprint;
        assert_eq!(field(&peer.call(beat(&data)).await, "IS_SUB_CHANGE"), changed, "{fingerprint}");
    }
}

#[tokio::test]
async fn bad_heartbeats_are_errors_but_bad_group_names_are_not() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for body in ["", "not json"] {
        let answer = peer.call(request(RequestCode::HEART_BEAT, &[]).with_body(body)).await;
        assert_eq!((answer.code, answer.ext_fields.is_present()), (1, false));
    }
    assert_eq!(peer.call(heartbeat("a.b", "c1", &[])).await.code, 0);
    assert!(cluster.queue_offsets("%RETRY%a.b").is_empty());
}

#[tokio::test]
async fn a_heartbeat_without_subscriptions_leaves_them_as_they_are() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    let mut data = data("group", "c1", &[("T", "*", 1)]);
    data.heartbeat_fingerprint = 7;
    peer.call(beat(&data)).await;
    (data.without_sub, data.consumer_data_set[0].subscription_data_set) = (true, Vec::new());
    peer.call(beat(&data)).await;
    let pull = with(pull_from("T", 0), &[("sysFlag", "0")]);
    assert_eq!(peer.call(pull.clone()).await.code, 0);
    // The first version of heartbeats knows no such thing.
    data.heartbeat_fingerprint = 0;
    peer.call(beat(&data)).await;
    assert_eq!(peer.call(pull).await.code, 24);
}
