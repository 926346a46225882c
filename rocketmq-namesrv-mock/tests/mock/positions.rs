//! What tests do to positions, locks, members, slaves and stores.

use rocketmq_common::MessageQueue;
use rocketmq_namesrv_mock::{MockCluster, MockError, RecordDamage, SlaveLag};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::heartbeat;
use crate::support::*;

fn queue() -> MessageQueue {
    MessageQueue::new("T", "broker-a", 0)
}

fn offsets(answer: &RemotingCommand) -> Vec<i64> {
    records(answer).iter().map(|message| message.queue_offset()).collect()
}

/// Sends so many messages to queue 0.
async fn fill(peer: &mut Peer, count: usize) {
    for _ in 0..count {
        assert_eq!(peer.call(send_to("T")).await.code, 0);
    }
}

#[tokio::test]
async fn committed_offsets_are_set_and_read() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    cluster.commit_offset("g", &queue(), 7).unwrap();
    let asked = [("consumerGroup", "g"), ("topic", "T"), ("queueId", "0")];
    let answer = peer.call(request(RequestCode::QUERY_CONSUMER_OFFSET, &asked)).await;
    assert_eq!((field(&answer, "offset"), cluster.committed_offset("g", &queue())), ("7".into(), Some(7)));
    let elsewhere = MessageQueue::new("T", "broker-z", 0);
    let nowhere = cluster.commit_offset("g", &elsewhere, 7);
    assert!(matches!(nowhere, Err(MockError::NoServer { server }) if server == "broker-z"));
}

#[tokio::test]
async fn a_trimmed_queue_begins_later_and_sends_readers_there() {
    let cluster = MockCluster::builder().slaves(1).slave_read(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    fill(&mut peer, 5).await;
    cluster.trim_queue(&queue(), 3).unwrap();
    let below = peer.call(pull_from("T", 1)).await;
    assert_eq!((verdict(&below), field(&below, "nextBeginOffset")), ((21, "OFFSET_TOO_SMALL"), "3".into()));
    assert_eq!(offsets(&peer.call(pull_from("T", 3)).await), [3, 4]);
    let mut slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    assert_eq!(field(&slave.call(pull_from("T", 1)).await, "minOffset"), "3");
    cluster.trim_queue(&queue(), 99).unwrap();
    let range = &cluster.queue_offsets("T")[0];
    assert_eq!((range.min, range.max), (5, 5));
    fill(&mut peer, 1).await;
    assert_eq!(offsets(&peer.call(pull_from("T", 5)).await), [5]);
}

#[tokio::test]
async fn pull_answers_suggest_the_broker_that_the_test_wants() {
    let cluster = MockCluster::builder().slaves(1).slave_read(true).start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let mut master = Peer::broker(&cluster).await;
    let mut slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    cluster.suggest_broker("broker-a", 1).unwrap();
    let suggested = [master.call(pull_from("T", 0)).await, slave.call(pull_from("T", 0)).await];
    assert_eq!(suggested.map(|answer| field(&answer, "suggestWhichBrokerId")), ["1", "0"]);
}

#[tokio::test]
async fn a_damaged_record_is_damaged_in_all_answers_and_its_neighbours_are_whole() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.preload("T", 1, 3, b"body").unwrap();
    let mut master = Peer::broker(&cluster).await;
    let whole = master.call(pull_from("T", 0)).await.body;
    assert!(cluster.damage_record(&queue(), 1, RecordDamage::Crc).unwrap());
    let mut at = 0;
    for _ in 0..2 {
        let damaged = master.call(pull_from("T", 0)).await.body;
        let differ: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != damaged[*at]).collect();
        let [differs] = differ[..] else { panic!("{differ:?}") };
        assert!((whole.len() / 3..whole.len() / 3 * 2).contains(&differs));
        at = differs;
    }
    // The first byte of the checksum, behind size and magic number.
    assert_eq!(at, whole.len() / 3 + 8);
    assert!(!cluster.damage_record(&queue(), 3, RecordDamage::Crc).unwrap(), "there is no such message");
}

#[tokio::test]
async fn a_slave_lags_by_messages_or_copies_nothing_until_told() {
    let cluster = MockCluster::builder().slaves(1).slave_read(true).start().await.unwrap();
    let mut master = Peer::broker(&cluster).await;
    let mut slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    fill(&mut master, 2).await;
    cluster.set_slave_lag("broker-a-s1", SlaveLag::Messages(2)).unwrap();
    fill(&mut master, 3).await;
    assert_eq!(offsets(&slave.call(pull_from("T", 0)).await), [0, 1, 2]);
    assert_eq!(slave.call(pull_from("T", 3)).await.code, 19);
    cluster.set_slave_lag("broker-a-s1", SlaveLag::Stopped).unwrap();
    fill(&mut master, 3).await;
    cluster.commit_offset("g", &queue(), 4).unwrap();
    assert_eq!(field(&slave.call(pull_from("T", 0)).await, "maxOffset"), "3");
    let asked = [("consumerGroup", "g"), ("topic", "T"), ("queueId", "0"), ("setZeroIfNotFound", "false")];
    assert_eq!(slave.call(request(RequestCode::QUERY_CONSUMER_OFFSET, &asked)).await.code, 22);
    cluster.set_slave_lag("broker-a-s1", SlaveLag::None).unwrap();
    assert_eq!(offsets(&slave.call(pull_from("T", 0)).await), (0..8).collect::<Vec<_>>());
    assert!(cluster.set_slave_lag("broker-a", SlaveLag::Stopped).is_err(), "a master copies nothing");
}

#[tokio::test]
async fn a_slave_that_lags_is_no_copy() {
    let cluster = MockCluster::builder().slaves(1).in_sync_replicas(2).start().await.unwrap();
    let mut master = Peer::broker(&cluster).await;
    let waits = with(send_to("T"), &[("i", &wire("WAIT=true"))]);
    assert_eq!(master.call(waits.clone()).await.code, 0);
    cluster.set_slave_lag("broker-a-s1", SlaveLag::Messages(1)).unwrap();
    assert_eq!(master.call(waits).await.code, 12);
}

#[tokio::test]
async fn a_broker_comes_back_with_older_messages_or_older_offsets() {
    let cluster = MockCluster::builder().slaves(1).slave_read(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    fill(&mut peer, 2).await;
    cluster.commit_offset("g", &queue(), 1).unwrap();
    let before = cluster.snapshot("broker-a").unwrap();
    let lost = peer.call(send_to("T")).await;
    fill(&mut peer, 2).await;
    cluster.commit_offset("g", &queue(), 5).unwrap();
    let later = cluster.snapshot("broker-a").unwrap();
    cluster.crash_broker("broker-a").await.unwrap();
    cluster.restore_offsets("broker-a", &before).unwrap();
    cluster.start_broker("broker-a").await.unwrap();
    assert_eq!((cluster.committed_offset("g", &queue()), cluster.message_count("T")), (Some(1), 5));
    cluster.restore_offsets("broker-a", &later).unwrap();
    cluster.restore_store("broker-a", &before).unwrap();
    assert_eq!((cluster.committed_offset("g", &queue()), cluster.message_count("T")), (Some(5), 2));
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(verdict(&peer.call(pull_from("T", 5)).await), (21, "OFFSET_OVERFLOW_BADLY"));
    // The offsets are given away again, and slaves follow.
    let sent = peer.call(send_to("T")).await;
    assert_eq!(field(&sent, "queueOffset"), "2");
    let position = |answer| field(answer, "msgId")[16..].to_owned();
    assert_eq!(position(&sent), position(&lost));
    let mut slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    let pulled = slave.call(pull_from("T", 0)).await;
    assert_eq!(records(&pulled)[2].offset_msg_id(), field(&sent, "msgId"));
    cluster.restore_store("broker-a", &later).unwrap();
    assert_eq!(offsets(&peer.call(pull_from("T", 0)).await), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn locks_are_stolen_and_forgotten_and_end_with_the_broker() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.steal_lock("g", &queue(), "a").unwrap();
    cluster.steal_lock("g", &queue(), "b").unwrap();
    assert_eq!(cluster.group_locks("g"), [(queue(), "b".to_owned())].into());
    assert_eq!((cluster.forget_locks("other"), cluster.forget_locks("g")), (0, 1));
    assert!(cluster.group_locks("g").is_empty());
    cluster.steal_lock("g", &queue(), "a").unwrap();
    cluster.crash_broker("broker-a").await.unwrap();
    cluster.start_broker("broker-a").await.unwrap();
    assert!(cluster.group_locks("g").is_empty(), "locks are in the memory of the broker alone");
}

#[tokio::test]
async fn a_member_expires_when_the_test_says_so() {
    let cluster = MockCluster::start().await.unwrap();
    let (mut gone, mut stays) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    gone.call(heartbeat("g", "gone", &[])).await;
    stays.call(heartbeat("g", "stays", &[])).await;
    assert_eq!((cluster.expire_member("nobody"), cluster.expire_member("gone")), (0, 1));
    assert_eq!(cluster.group_members("g"), ["stays"]);
    // It was told of its own coming and that of the other.
    assert_eq!([gone.pushed().await.code, gone.pushed().await.code], [40, 40]);
    gone.expect_closed().await;
}
