//! Consumer groups through the mock's own methods, and by the clock that a test moves. `conformance/groups.rs` has what
//! clients see of groups, on Apache's broker too.

use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::RequestCode;
use rocketmq_remoting::protocol::body::{
    LockBatchRequestBody, LockBatchResponseBody, MessageModel, SubscriptionGroupConfig, decode_body,
    encode_body,
};

use crate::clients::{heartbeat, producer_heartbeat};
use crate::support::*;

async fn standing() -> (MockCluster, Peer) {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

/// Locks queue 0 for a client, or says that it cannot.
async fn lock(peer: &mut Peer, client_id: &str) -> bool {
    let body = LockBatchRequestBody {
        client_id: client_id.into(),
        consumer_group: "g".into(),
        mq_set: vec![MessageQueue::new("T", "broker-a", 0)],
        only_this_broker: false,
    };
    let request = request(RequestCode::LOCK_BATCH_MQ, &[]).with_body(encode_body(&body).unwrap());
    let answer: LockBatchResponseBody = decode_body(&peer.call(request).await.body).unwrap();
    !answer.lock_ok_mq_set.is_empty()
}

#[tokio::test]
async fn a_lock_is_free_after_sixty_seconds_of_the_brokers_clock() {
    let (cluster, mut peer) = standing().await;
    assert!(lock(&mut peer, "a").await);
    cluster.advance(Duration::from_secs(60)).await;
    assert!(!lock(&mut peer, "b").await);
    let queue = MessageQueue::new("T", "broker-a", 0);
    assert_eq!(cluster.group_locks("g"), [(queue.clone(), "a".to_owned())].into());
    cluster.advance(Duration::from_millis(1)).await;
    assert!(cluster.group_locks("g").is_empty());
    assert!(lock(&mut peer, "b").await);
    assert_eq!(cluster.group_locks("g"), [(queue, "b".to_owned())].into());
}

#[tokio::test]
async fn silent_clients_are_given_up_and_nobody_is_told() {
    let (cluster, mut silent) = standing().await;
    let (mut loud, mut producer) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    silent.call(heartbeat("g", "silent", &[])).await;
    loud.call(heartbeat("g", "loud", &[])).await;
    producer.call(producer_heartbeat("p", "producer")).await;
    cluster.advance(Duration::from_secs(120)).await;
    assert_eq!(cluster.drop_silent_clients(), 0);
    loud.call(heartbeat("g", "loud", &[])).await;
    cluster.advance(Duration::from_millis(1)).await;
    assert_eq!(cluster.group_members("g").len(), 2, "the clock alone gives nobody up");
    assert_eq!(cluster.drop_silent_clients(), 2);
    let told = [silent.pushed().await.code, silent.pushed().await.code];
    assert_eq!(told, [40, 40], "of its own coming and that of the other");
    silent.expect_closed().await;
    producer.expect_closed().await;
    assert_eq!(cluster.group_members("g"), ["loud"]);
    let producers = request(RequestCode::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", "p")]);
    assert_eq!(loud.call(producers).await.code, 1);
    // It was told of its own coming, and of nobody's going.
    loud.call(heartbeat("h", "loud", &[])).await;
    let told = [loud.pushed().await, loud.pushed().await].map(|told| field(&told, "consumerGroup"));
    assert_eq!(told, ["g", "h"]);
}

#[tokio::test]
async fn a_test_sees_members_subscriptions_and_offsets() {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert!(cluster.group_connections("g").is_empty() && cluster.group_mode("g").is_none());
    peer.call(heartbeat("g", "c1", &[("T", "A", 7)])).await;
    let members = cluster.group_connections("g");
    assert_eq!((members.len(), &*members[0].client_id, &*members[0].broker), (1, "c1", "broker-a"));
    assert_eq!(*members[0].peer, *peer.local_addr().to_string());
    let subscriptions = cluster.group_subscriptions("g");
    assert_eq!((subscriptions.len(), &*subscriptions["T"].sub_string), (1, "A"));
    assert_eq!(cluster.group_mode("g").unwrap().message_model, MessageModel::Clustering);

    peer.call(send_to("T")).await;
    let fields = [("consumerGroup", "g"), ("topic", "T"), ("queueId", "0"), ("commitOffset", "1")];
    peer.call(request(RequestCode::UPDATE_CONSUMER_OFFSET, &fields)).await;
    let queue = MessageQueue::new("T", "broker-a", 0);
    assert_eq!(cluster.group_offsets("g", "T"), [(queue, 1)].into());
    assert!(cluster.group_offsets("g", "S").is_empty());
}

#[tokio::test]
async fn a_test_sets_groups_up() {
    let cluster = MockCluster::builder().auto_create_group(false).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    let pull = with(pull_from("T", 0), &[("consumerGroup", "g")]);
    assert_eq!(peer.call(pull.clone()).await.code, 26);
    assert!(cluster.group_config("g").is_none());
    let config =
        SubscriptionGroupConfig { group_name: Some("g".into()), ..SubscriptionGroupConfig::default() };
    cluster.create_group(&config).unwrap();
    assert_eq!(peer.call(pull.clone()).await.code, 0);
    cluster.create_group(&SubscriptionGroupConfig { consume_enable: false, ..config.clone() }).unwrap();
    assert_eq!(peer.call(pull).await.code, 16);
    assert_eq!(cluster.group_config("g").unwrap().retry_max_times, 16);
    let bad = SubscriptionGroupConfig { group_name: Some("a.b".into()), ..config };
    let error = cluster.create_group(&bad).unwrap_err();
    assert!(error.to_string().contains("illegal characters"), "{error}");
}
