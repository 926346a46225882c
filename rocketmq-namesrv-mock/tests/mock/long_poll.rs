//! Pulls that wait.

use std::time::{Duration, Instant};

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::RemotingCommand;

use crate::support::*;

fn waiting(offset: i64, millis: &str) -> RemotingCommand {
    with(pull_from("T", offset), &[("sysFlag", "6"), ("suspendTimeoutMillis", millis)])
}

async fn start() -> (MockCluster, Peer, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 2).unwrap();
    let (consumer, producer) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    (cluster, consumer, producer)
}

/// The consumer's request is held once the broker has answered the next one on the same connection.
async fn hold(consumer: &mut Peer, request: RemotingCommand) -> i32 {
    let opaque = consumer.send(request).await;
    assert_eq!(consumer.call(pull_from("T", 99)).await.code, 21);
    opaque
}

#[tokio::test]
async fn a_message_wakes_all_that_wait_for_it() {
    let (_cluster, mut consumer, mut producer) = start().await;
    let first = hold(&mut consumer, waiting(0, "60000")).await;
    let second = hold(&mut consumer, waiting(0, "60000")).await;
    assert_eq!(producer.call(send_to("T")).await.code, 0);
    let answers = [consumer.receive().await, consumer.receive().await];
    assert_eq!(answers.each_ref().map(|answer| answer.opaque), [first, second]);
    for answer in answers {
        assert_eq!((verdict(&answer), records(&answer).len()), ((0, "FOUND"), 1));
    }
}

#[tokio::test]
async fn messages_of_other_queues_and_tags_do_not_wake() {
    let (_cluster, mut consumer, mut producer) = start().await;
    hold(&mut consumer, with(waiting(0, "60000"), &[("subscription", "B")])).await;
    producer.call(with(send_to("T"), &[("e", "1"), ("i", &wire("TAGS=B"))])).await;
    producer.call(with(send_to("T"), &[("i", &wire("TAGS=A"))])).await;
    assert_eq!(consumer.call(pull_from("T", 99)).await.code, 21);
    producer.call(with(send_to("T"), &[("i", &wire("TAGS=B"))])).await;
    let answer = consumer.receive().await;
    assert_eq!((records(&answer)[0].tags(), field(&answer, "nextBeginOffset")), (Some("B"), "2".into()));
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_over() {
    let (_cluster, mut consumer, _producer) = start().await;
    let before = Instant::now();
    let answer = consumer.call(waiting(0, "80")).await;
    assert_eq!(verdict(&answer), (19, "NO_MESSAGE_IN_QUEUE"));
    assert!(before.elapsed() >= Duration::from_millis(80));
    // A shorter wait that comes later ends sooner.
    let long = hold(&mut consumer, waiting(0, "400")).await;
    let answer = consumer.call(waiting(0, "1")).await;
    assert_eq!(answer.code, 19);
    assert_eq!(consumer.receive().await.opaque, long);
}

#[tokio::test]
async fn only_pulls_at_the_end_of_the_queue_wait() {
    let (_cluster, mut consumer, mut producer) = start().await;
    producer.call(send_to("T")).await;
    assert_eq!(consumer.call(waiting(5, "60000")).await.code, 21);
    assert_eq!(consumer.call(waiting(0, "60000")).await.code, 0);
    assert_eq!(consumer.call(with(waiting(0, "60000"), &[("subscription", "X")])).await.code, 20);
}

#[tokio::test]
async fn a_topic_that_is_deleted_is_missed_when_the_wait_ends() {
    let (cluster, mut consumer, _producer) = start().await;
    let opaque = hold(&mut consumer, waiting(0, "50")).await;
    cluster.delete_topic("T");
    let answer = consumer.receive().await;
    assert_eq!((answer.opaque, answer.code), (opaque, 17));
}

#[tokio::test]
async fn a_connection_that_ends_takes_its_pulls_along() {
    let (cluster, mut consumer, _producer) = start().await;
    hold(&mut consumer, waiting(0, "60000")).await;
    assert_eq!(cluster.held_pulls("T"), 1);
    drop(consumer);
    let deadline = Instant::now() + SOON;
    while cluster.held_pulls("T") > 0 {
        assert!(Instant::now() < deadline, "the pull is still held");
        tokio::task::yield_now().await;
    }
}
