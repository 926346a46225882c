//! Pulls: what is found, what is put right and who may not read.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::heartbeat;
use crate::support::*;

const FAQ: &str = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// A topic with three messages, tagged A, B and not at all.
async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for properties in ["TAGS=A", "TAGS=B", ""] {
        assert_eq!(peer.call(with(send_to("T"), &[("i", &wire(properties))])).await.code, 0);
    }
    (cluster, peer)
}

fn offsets(answer: &RemotingCommand) -> [String; 3] {
    ["nextBeginOffset", "minOffset", "maxOffset"].map(|name| field(answer, name))
}

/// A refusal with `extFields:{}`.
#[track_caller]
fn assert_refused(answer: &RemotingCommand, code: i32, remark: &str) {
    assert_eq!(verdict(answer), (code, remark));
    assert!(answer.ext_fields.is_present() && answer.ext_fields.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn what_is_stored_is_found_byte_for_byte() {
    let (cluster, mut peer) = start().await;
    let answer = peer.call(pull_from("T", 1)).await;
    assert_eq!(verdict(&answer), (0, "FOUND"));
    assert_eq!(offsets(&answer), ["3", "0", "3"]);
    let names =
        ["groupSysFlag", "maxOffset", "minOffset", "nextBeginOffset", "suggestWhichBrokerId", "topicSysFlag"];
    assert_eq!(fields(&answer).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    let mut stored = cluster.messages("T").split_off(1);
    stored.iter_mut().for_each(|message| message.set_broker_name(""));
    assert_eq!(records(&answer), stored);
    let lite = peer.call(RemotingCommand { code: 361, ..pull_from("T", 2) }).await;
    assert_eq!((lite.code, records(&lite).len()), (0, 1));
}

#[tokio::test]
async fn offsets_outside_the_queue_are_put_right() {
    let (cluster, mut peer) = start().await;
    for (offset, code, remark, next) in [
        (3, 19, "OFFSET_OVERFLOW_ONE", "3"),
        (4, 21, "OFFSET_OVERFLOW_BADLY", "3"),
        (-1, 21, "OFFSET_TOO_SMALL", "0"),
    ] {
        let answer = peer.call(pull_from("T", offset)).await;
        assert_eq!(
            (verdict(&answer), offsets(&answer)),
            ((code, remark), [next.into(), "0".into(), "3".into()])
        );
    }
    cluster.create_topic("Empty", 1).unwrap();
    for (offset, code) in [(0, 19), (5, 21), (-1, 21)] {
        let answer = peer.call(pull_from("Empty", offset)).await;
        assert_eq!(verdict(&answer), (code, "NO_MESSAGE_IN_QUEUE"));
        assert_eq!(offsets(&answer), ["0", "0", "0"]);
    }
}

#[tokio::test]
async fn tags_are_filtered_by_their_hash() {
    let (_cluster, mut peer) = start().await;
    for (subscription, tags) in
        [("A", vec![Some("A")]), ("A || B", vec![Some("A"), Some("B")]), ("C||B", vec![Some("B")])]
    {
        let answer = peer.call(with(pull_from("T", 0), &[("subscription", subscription)])).await;
        assert_eq!(records(&answer).iter().map(|message| message.tags()).collect::<Vec<_>>(), tags);
        assert_eq!(field(&answer, "nextBeginOffset"), "3");
    }
    let nothing = peer.call(with(pull_from("T", 0), &[("subscription", "C")])).await;
    assert_eq!(
        (verdict(&nothing), field(&nothing, "nextBeginOffset")),
        ((20, "NO_MATCHED_MESSAGE"), "3".into())
    );
    let bad = peer.call(with(pull_from("T", 0), &[("subscription", "||")])).await;
    assert_refused(&bad, 23, "parse the consumer's subscription failed");
    let sql =
        peer.call(with(pull_from("T", 0), &[("expressionType", "SQL92"), ("subscription", "a > 1")])).await;
    assert_refused(&sql, 1, "The broker does not support consumer to filter message by SQL92");
}

#[tokio::test]
async fn a_pull_is_checked_in_the_order_of_apache_s_broker() {
    let (cluster, mut peer) = start().await;
    let all_wrong = with(pull_from("T", 0), &[("consumerGroup", "a.b"), ("topic", "no"), ("queueId", "9")]);
    let remark = format!("subscription group [a.b] does not exist, {FAQ}");
    assert_refused(&peer.call(all_wrong.clone()).await, 26, &remark);
    let remark = format!("topic[no] not exist, apply first please! {FAQ}");
    assert_refused(&peer.call(with(all_wrong, &[("consumerGroup", "g")])).await, 17, &remark);
    for queue in ["4", "-1"] {
        let answer = peer.call(with(pull_from("T", 0), &[("queueId", queue)])).await;
        let remark = format!(
            "queueId[{queue}] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/{}]",
            peer.local_addr()
        );
        assert_refused(&answer, 29, &remark);
    }
    let write_only = [
        ("topic", "W"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "2"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    assert_eq!(peer.call(request(RequestCode::UPDATE_AND_CREATE_TOPIC, &write_only)).await.code, 0);
    let answer = peer.call(pull_from("W", 0)).await;
    assert_eq!(verdict(&answer), (16, "the topic[W] pulling message is forbidden"));
    assert_eq!(fields(&answer), [("forbiddenType".to_owned(), "3".to_owned())]);
    drop(cluster);
}

#[tokio::test]
async fn without_a_subscription_in_the_header_that_of_heartbeats_counts() {
    let (_cluster, mut peer) = start().await;
    let plain = with(pull_from("T", 0), &[("sysFlag", "0"), ("subVersion", "5")]);
    let remark = format!("the consumer's group info not exist{FAQ}");
    assert_refused(&peer.call(plain.clone()).await, 24, &remark);
    peer.call(heartbeat("group", "c1", &[("Other", "*", 5)])).await;
    let remark = format!("the consumer's subscription not exist{FAQ}");
    assert_refused(&peer.call(plain.clone()).await, 24, &remark);
    peer.call(heartbeat("group", "c1", &[("T", "B", 4)])).await;
    assert_refused(&peer.call(plain.clone()).await, 25, "the consumer's subscription not latest");
    peer.call(heartbeat("group", "c1", &[("T", "B", 5)])).await;
    let answer = peer.call(plain).await;
    assert_eq!(records(&answer).iter().map(|message| message.tags()).collect::<Vec<_>>(), [Some("B")]);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let (cluster, mut peer) = start().await;
    for _ in 0..40 {
        peer.call(send_to("Many")).await;
        peer.call(send_to("Large").with_body(vec![b'x'; 100 * 1024])).await;
    }
    assert_eq!(cluster.message_count("Many"), 40);
    let count = |answer: &RemotingCommand| records(answer).len();
    assert_eq!(count(&peer.call(with(pull_from("Many", 0), &[("maxMsgNums", "64")])).await), 32);
    assert_eq!(count(&peer.call(with(pull_from("Many", 0), &[("maxMsgNums", "0")])).await), 1);
    assert_eq!(count(&peer.call(pull_from("Large", 0)).await), 2);
}

#[tokio::test]
async fn missing_fields_of_a_pull_fail_like_java() {
    let (_cluster, mut peer) = start().await;
    for name in ["consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums", "sysFlag"] {
        let answer = peer.call(without(pull_from("T", 0), name)).await;
        assert!(answer.remark().starts_with("java.lang.NullPointerException"), "{name}: {answer:?}");
        assert_eq!((answer.code, answer.ext_fields.is_present()), (1, false));
    }
    for name in ["queueOffset", "subVersion"] {
        let answer = peer.call(with(pull_from("T", 0), &[(name, "x")])).await;
        assert!(answer.remark().starts_with("java.lang.NumberFormatException"), "{name}: {answer:?}");
    }
    for name in ["subscription", "subVersion", "commitOffset", "suspendTimeoutMillis", "expressionType"] {
        assert_eq!(peer.call(without(pull_from("T", 0), name)).await.code, 0, "{name}");
    }
}

#[tokio::test]
async fn a_pull_commits_if_it_says_so() {
    let (cluster, mut peer) = start().await;
    let queue = cluster.queue_offsets("T")[0].queue.clone();
    for (offset, committed) in [(0, "2"), (9, "1")] {
        peer.call(with(pull_from("T", offset), &[("sysFlag", "5"), ("commitOffset", committed)])).await;
        assert_eq!(cluster.committed_offset("group", &queue), committed.parse().ok());
    }
    peer.call(with(pull_from("T", 0), &[("commitOffset", "7")])).await;
    assert_eq!(cluster.committed_offset("group", &queue), Some(1));
}

#[tokio::test]
async fn a_message_is_viewed_at_its_place() {
    let (cluster, mut peer) = start().await;
    let stored = cluster.messages("T");
    let offset = stored[1].commit_log_offset();
    let view = |offset: i64| request(RequestCode::VIEW_MESSAGE_BY_ID, &[("offset", &offset.to_string())]);
    let answer = peer.call(view(offset)).await;
    assert_eq!((answer.code, answer.ext_fields.is_present()), (0, false));
    assert_eq!(records(&answer)[0].queue_offset(), 1);
    for wrong in [offset + 1, -1] {
        let answer = peer.call(view(wrong)).await;
        assert_eq!(verdict(&answer), (1, format!("can not find message by the offset, {wrong}").as_str()));
    }
}
