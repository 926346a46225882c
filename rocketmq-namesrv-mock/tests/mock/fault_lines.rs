//! Connections that end, stall or hold garbage.

use std::time::{Duration, Instant};

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::SerializeType;

use crate::support::*;

async fn start(rule: &str) -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    cluster.inject(rule.parse().unwrap());
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

#[tokio::test]
async fn an_answer_is_cut_at_every_byte_and_the_connection_closed_or_reset() {
    let (cluster, mut peer) = start("do=drop_answer on=all times=1").await;
    peer.send(send_to("T")).await;
    let whole = peer.call(send_to("T")).await;
    for reset in [false, true] {
        for at in [0, 1, 3, 4, 7, 8, 100] {
            let rule = format!("do=cut_answer byte={at} reset={reset}");
            let (cluster, mut peer) = start(&rule).await;
            peer.send(send_to("T")).await;
            let (read, was_reset) = peer.read_to_end().await;
            assert_eq!((read.len(), was_reset), (if reset { read.len() } else { at }, reset), "{rule}");
            assert_eq!(cluster.message_count("T"), 1, "it was carried out");
        }
    }
    assert_eq!((whole.code, cluster.message_count("T")), (0, 2));
}

#[tokio::test]
async fn a_request_is_answered_by_a_reset() {
    let (cluster, mut peer) = start("do=reset on=sends times=1").await;
    peer.send(send_to("T")).await;
    assert!(peer.read_to_end().await.1);
    assert_eq!(cluster.message_count("T"), 0);
    assert_eq!(Peer::broker(&cluster).await.call(send_to("T")).await.code, 0);
}

#[tokio::test]
async fn garbage_comes_between_whole_frames() {
    let (cluster, mut peer) = start("do=garbage hex=7fffffff after=1 times=1").await;
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    peer.send(send_to("T")).await;
    assert_eq!(peer.read_exact(4).await, [0x7f, 255, 255, 255]);
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn answers_come_twice_and_to_requests_that_nobody_made() {
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        let cluster = MockCluster::builder().serialize_type(serialize_type).start().await.unwrap();
        cluster.inject("do=answer_twice times=1".parse().unwrap());
        cluster.inject("do=stray_answer times=1".parse().unwrap());
        let mut peer = Peer::broker(&cluster).await;
        let opaque = peer.send(send_to("T")).await;
        let twice = [peer.receive().await, peer.receive().await];
        assert_eq!(twice[0], twice[1]);
        assert_eq!((twice[0].opaque, twice[0].serialize_type), (opaque, serialize_type));
        let opaque = peer.send(send_to("T")).await;
        let (stray, real) = (peer.receive().await, peer.receive().await);
        assert_ne!(stray.opaque, opaque);
        assert_eq!((real.opaque, field(&real, "queueOffset")), (opaque, field(&stray, "queueOffset")));
        assert_eq!(cluster.message_count("T"), 2);
    }
}

#[tokio::test]
async fn a_corrupt_answer_differs_in_one_byte() {
    let (_cluster, mut peer) = start("do=corrupt_answer byte=-1 on=VIEW_MESSAGE_BY_ID times=1").await;
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    let view = || request(rocketmq_remoting::protocol::RequestCode::VIEW_MESSAGE_BY_ID, &[("offset", "0")]);
    let (corrupt, whole) = (peer.call(view()).await.body, peer.call(view()).await.body);
    let last = whole.len() - 1;
    assert_eq!((&corrupt[..last], corrupt[last]), (&whole[..last], !whole[last]));
}

#[tokio::test]
async fn a_made_up_answer_has_what_the_rule_says() {
    let rule =
        r#"{"do":"answer","on":11,"code":0,"fields":{"nextBeginOffset":"9"},"body_hex":"0001","times":1}"#;
    let (_cluster, mut peer) = start(rule).await;
    let answer = peer.call(pull_from("T", 0)).await;
    assert_eq!(
        (answer.code, field(&answer, "nextBeginOffset"), &answer.body[..]),
        (0, "9".into(), &[0, 1][..])
    );
}

#[tokio::test]
async fn a_trickling_answer_comes_byte_by_byte_and_nothing_in_between() {
    let (_cluster, mut peer) = start("do=trickle ms=1 times=1").await;
    let before = Instant::now();
    let slow = peer.send(send_to("T")).await;
    let next = peer.send(send_to("T")).await;
    assert_eq!(peer.receive().await.opaque, slow);
    assert!(before.elapsed() > Duration::from_millis(100), "{:?}", before.elapsed());
    assert_eq!(peer.receive().await.opaque, next);
}

#[tokio::test]
async fn a_server_that_stops_reading_does_so_for_a_while_or_for_ever() {
    let (cluster, mut peer) = start("do=stop_reading ms=50 after=1 times=1").await;
    // Some that are in the buffer of the server already are lost as well.
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    let before = Instant::now();
    peer.send(send_to("T")).await;
    cluster.wait_until(|cluster| cluster.fault_hits()[0].1 == 1, SOON).await.unwrap();
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    assert!(before.elapsed() >= Duration::from_millis(45));
    cluster.inject("do=stop_reading".parse().unwrap());
    peer.send(send_to("T")).await;
    cluster.wait_until(|cluster| cluster.fault_hits()[1].1 == 1, SOON).await.unwrap();
    // Far more than the buffers of both sockets hold.
    let filled = tokio::time::timeout(Duration::from_millis(300), async {
        loop {
            peer.write(&[0; 1 << 20]).await;
        }
    });
    assert!(filled.await.is_err(), "the writer was stopped");
    cluster.clear_faults();
    assert_eq!(Peer::broker(&cluster).await.call(send_to("T")).await.code, 0, "others are served");
    assert_eq!(cluster.message_count("T"), 3);
}

#[tokio::test]
async fn late_answers_are_overtaken_and_requests_carried_out_at_once() {
    let (cluster, mut peer) = start("do=delay_answer ms=60 times=1").await;
    let (slow, quick) = (peer.send(send_to("T")).await, peer.send(send_to("T")).await);
    let answers = [peer.receive().await, peer.receive().await];
    assert_eq!([answers[0].opaque, answers[1].opaque], [quick, slow]);
    assert_eq!([0, 1].map(|at| field(&answers[at], "queueOffset")), ["1", "0"]);
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn only_clients_that_know_the_word_are_told_to_go_away() {
    let (cluster, mut peer) = start("do=go_away on=sends").await;
    assert_eq!(verdict(&peer.call(send_to("T")).await), (1500, "please go away"));
    let mut old = send_to("T");
    old.version = 475;
    assert_eq!(peer.call(old).await.code, 0);
    assert_eq!(cluster.message_count("T"), 1);
}
