//! Halves of transactions, their end, and the broker's question about them.

use std::time::Duration;

use rocketmq_common::mix_all::{RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC};
use rocketmq_namesrv_mock::{MockCluster, MockClusterBuilder};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::producer_heartbeat;
use crate::support::*;

const NOT_SET: &str = "not set any response code";

async fn start(builder: MockClusterBuilder) -> (MockCluster, Peer) {
    let cluster = builder.virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(peer.call(producer_heartbeat("pg", "c1")).await.code, 0);
    (cluster, peer)
}

fn half(properties: &str) -> RemotingCommand {
    let properties = wire(&format!("TRAN_MSG=true PGROUP=pg UNIQ_KEY=U TAGS=A WAIT=true{properties}"));
    with(send_to("T"), &[("i", &properties), ("e", "1"), ("f", "4")])
}

/// The end of the half that this answer located, or of a question's.
fn end(queue_offset: &str, commit_log_offset: &str, how: &str) -> RemotingCommand {
    let fields = [
        ("topic", "T"),
        ("producerGroup", "pg"),
        ("tranStateTableOffset", queue_offset),
        ("commitLogOffset", commit_log_offset),
        ("commitOrRollback", how),
        ("fromTransactionCheck", "false"),
        ("msgId", "U"),
    ];
    request(RequestCode::END_TRANSACTION, &fields)
}

fn end_of(sent: &RemotingCommand, how: &str) -> RemotingCommand {
    let msg_id = field(sent, "msgId");
    let offset = i64::from_str_radix(&msg_id[16..], 16).unwrap().to_string();
    end(&field(sent, "queueOffset"), &offset, how)
}

async fn seconds(cluster: &MockCluster, seconds: u64) {
    cluster.advance(Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn a_half_is_kept_apart_until_it_is_committed() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let sent = peer.call(half("")).await;
    // The answer names the queue that was asked for, and the place of the half.
    assert_eq!(
        (sent.code, field(&sent, "queueId"), field(&sent, "transactionId")),
        (0, "1".into(), "U".into())
    );
    assert_eq!(cluster.message_count("T"), 0);
    let halves = cluster.messages(RMQ_SYS_TRANS_HALF_TOPIC);
    assert_eq!((halves[0].queue_id(), halves[0].sys_flag().bits()), (0, 0));
    assert_eq!(field(&sent, "msgId"), halves[0].offset_msg_id());
    let expected = "UNIQ_KEY=U CLUSTER=DefaultCluster PGROUP=pg __transactionId__=U TAGS=A TRAN_MSG=true \
                    WAIT=true TRACE_ON=true REAL_TOPIC=T REAL_QID=1";
    assert_eq!(properties(&halves[0]), format!("MSG_REGION=DefaultRegion {expected}"));

    assert_eq!(verdict(&peer.call(end_of(&sent, "8")).await), (0, ""));
    let messages = cluster.messages("T");
    assert_eq!((messages.len(), messages[0].queue_id(), messages[0].sys_flag().bits()), (1, 1, 8));
    assert_eq!(messages[0].prepared_transaction_offset(), halves[0].commit_log_offset());
    let committed = expected.trim_end_matches(" REAL_TOPIC=T REAL_QID=1");
    assert_eq!(properties(&messages[0]), format!("MSG_REGION=DefaultRegion {committed}"));
    seconds(&cluster, 600).await;
    assert_eq!(cluster.message_count(RMQ_SYS_TRANS_HALF_TOPIC), 1);
}

#[tokio::test]
async fn the_property_alone_makes_a_half() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    assert_eq!(peer.call(with(half(""), &[("f", "0")])).await.code, 0);
    assert_eq!(peer.call(with(send_to("T"), &[("i", &wire("TRAN_MSG=false"))])).await.code, 0);
    assert_eq!((cluster.message_count("T"), cluster.message_count(RMQ_SYS_TRANS_HALF_TOPIC)), (1, 1));
}

#[tokio::test]
async fn an_end_has_to_fit_its_half() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let sent = peer.call(half("")).await;
    let right = end_of(&sent, "8");
    for (wrong, code, remark) in [
        (with(right.clone(), &[("producerGroup", "other")]), 1, "The producer group wrong"),
        (
            with(right.clone(), &[("tranStateTableOffset", "7")]),
            1,
            "The transaction state table offset wrong",
        ),
        (with(right.clone(), &[("commitLogOffset", "7")]), 1, "Find prepared transaction message failed"),
        (end_of(&sent, "12"), 0, NOT_SET),
    ] {
        let answer = peer.call(wrong).await;
        assert_eq!(verdict(&answer), (code, remark));
        assert!(!answer.ext_fields.is_present());
    }
    let odd = peer.call(end_of(&sent, "4")).await;
    assert!(odd.code == 1 && odd.remark().ends_with("commitOrRollback field wrong"), "{odd:?}");
    assert_eq!(cluster.message_count("T"), 0);
}

#[tokio::test]
async fn an_unknown_end_is_not_answered_and_keeps_the_half() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let sent = peer.call(half("")).await;
    peer.send(end_of(&sent, "0")).await;
    // The next answer belongs to the next request.
    assert_eq!(peer.call(send_to("S")).await.code, 0);
    seconds(&cluster, 30).await;
    assert_eq!(peer.receive().await.code, 39);
}

#[tokio::test]
async fn nobody_notices_that_a_half_was_ended_before() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let sent = peer.call(half("")).await;
    for (how, count) in [("12", 0), ("8", 1), ("8", 2)] {
        assert_eq!(peer.call(end_of(&sent, how)).await.code, 0);
        assert_eq!(cluster.message_count("T"), count);
    }
}

#[tokio::test]
async fn halves_are_asked_about_every_thirty_seconds_once_they_are_six_seconds_old() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    seconds(&cluster, 25).await;
    peer.call(half("")).await;
    seconds(&cluster, 5).await;
    assert_eq!(cluster.message_count(RMQ_SYS_TRANS_HALF_TOPIC), 1);
    seconds(&cluster, 30).await;
    // The half was stored anew before the question went out.
    let question = peer.receive().await;
    assert_eq!(
        (question.code, question.flag.0, field(&question, "tranStateTableOffset")),
        (39, 2, "1".into())
    );
    let halves = cluster.messages(RMQ_SYS_TRANS_HALF_TOPIC);
    assert_eq!(properties(&halves[1]).matches("WAIT=true").count(), 1);
    assert_eq!(halves[1].property("TRANSACTION_CHECK_TIMES"), Some("1"));
    // An answer to the question ends it.
    let end = end("1", &field(&question, "commitLogOffset"), "8");
    assert_eq!(peer.call(with(end, &[("fromTransactionCheck", "true")])).await.code, 0);
    assert_eq!(cluster.messages("T")[0].property("TRANSACTION_CHECK_TIMES"), Some("1"));
    assert_eq!(cluster.check_transactions().await, 0);
}

#[tokio::test]
async fn an_end_with_the_first_place_leaves_the_later_half_to_be_asked_about() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let sent = peer.call(half("")).await;
    seconds(&cluster, 30).await;
    assert_eq!(peer.receive().await.code, 39);
    assert_eq!(peer.call(end_of(&sent, "8")).await.code, 0);
    assert_eq!(cluster.message_count("T"), 1);
    seconds(&cluster, 30).await;
    assert_eq!(peer.receive().await.code, 39);
}

#[tokio::test]
async fn a_half_is_given_up_after_some_questions() {
    let (cluster, mut peer) = start(MockCluster::builder().transaction_check_max(3)).await;
    peer.call(half("")).await;
    for time in ["1", "2", "3"] {
        seconds(&cluster, 30).await;
        let question = peer.receive().await;
        assert_eq!(records(&question)[0].property("TRANSACTION_CHECK_TIMES"), Some(time));
    }
    assert_eq!(cluster.message_count(RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC), 0);
    seconds(&cluster, 90).await;
    let given_up = cluster.messages(RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC);
    assert_eq!((given_up.len(), given_up[0].queue_id()), (1, 0));
    assert_eq!(cluster.message_count(RMQ_SYS_TRANS_HALF_TOPIC), 4);
}

#[tokio::test]
async fn questions_go_round_the_producers_of_the_group() {
    let (cluster, mut first) = start(MockCluster::builder()).await;
    let mut second = Peer::broker(&cluster).await;
    let mut stranger = Peer::broker(&cluster).await;
    assert_eq!(second.call(producer_heartbeat("pg", "c2")).await.code, 0);
    assert_eq!(stranger.call(producer_heartbeat("other", "c3")).await.code, 0);
    for _ in 0..4 {
        first.call(half("")).await;
    }
    cluster.advance(Duration::from_secs(6)).await;
    assert_eq!(cluster.check_transactions().await, 4);
    for peer in [&mut first, &mut second] {
        for _ in 0..2 {
            assert_eq!(peer.receive().await.code, 39);
        }
    }
    // Nobody is left to be asked once all have said goodbye.
    let goodbye = request(RequestCode::UNREGISTER_CLIENT, &[("clientID", "c"), ("producerGroup", "pg")]);
    for peer in [&mut first, &mut second] {
        assert_eq!(peer.call(goodbye.clone()).await.code, 0);
    }
    assert_eq!(cluster.check_transactions().await, 0);
    assert_eq!(stranger.call(send_to("S")).await.code, 0);
}

#[tokio::test]
async fn immunity_keeps_questions_away_and_late_ends_too() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let long = peer.call(half(" CHECK_IMMUNITY_TIME_IN_SECONDS=40")).await;
    // Less than the broker's own limit counts as that.
    let short = peer.call(half(" CHECK_IMMUNITY_TIME_IN_SECONDS=3")).await;
    seconds(&cluster, 4).await;
    assert_eq!(peer.call(end_of(&short, "8")).await.code, 0);
    seconds(&cluster, 26).await;
    assert_eq!(verdict(&peer.call(end_of(&short, "8")).await), (604, NOT_SET));
    assert_eq!(cluster.check_transactions().await, 0);
    seconds(&cluster, 30).await;
    assert_eq!(peer.receive().await.code, 39);
    assert_eq!(verdict(&peer.call(end_of(&long, "12")).await), (604, NOT_SET));
    let from_check = with(end_of(&long, "8"), &[("fromTransactionCheck", "true")]);
    assert_eq!(peer.call(from_check).await.code, 0);
}

#[tokio::test]
async fn questions_come_by_the_clock_of_the_system_too() {
    let moment = Duration::from_millis(20);
    let builder = MockCluster::builder().transaction_timeout(moment).transaction_check_interval(moment);
    let cluster = builder.start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert_eq!(peer.call(producer_heartbeat("pg", "c1")).await.code, 0);
    assert_eq!(peer.call(half("")).await.code, 0);
    assert_eq!(peer.receive().await.code, 39);
}

#[tokio::test]
async fn producers_are_listed_with_their_connections() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let ask = |group| request(RequestCode::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", group)]);
    let listed = peer.call(ask("pg")).await;
    let expected = format!(
        r#"{{"connectionSet":[{{"clientAddr":"{}","clientId":"c1","language":"RUST","version":"#,
        peer.local_addr()
    );
    let body = std::str::from_utf8(&listed.body).unwrap();
    assert!(body.starts_with(&expected), "{body}");
    assert_eq!(verdict(&peer.call(ask("other")).await), (1, "the producer group[other] not exist"));
    drop(cluster);
}

#[tokio::test]
async fn a_producer_that_answers_is_asked_once_however_far_the_clock_goes() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    for _ in 0..3 {
        peer.call(half("")).await;
    }
    let answers = async {
        for _ in 0..3 {
            let question = peer.receive().await;
            let named = |name| question.ext_fields.get(name).unwrap().into_owned();
            let commit = end(&named("tranStateTableOffset"), &named("commitLogOffset"), "8");
            peer.send(with(commit, &[("fromTransactionCheck", "true")])).await;
        }
    };
    tokio::join!(cluster.advance(Duration::from_secs(24 * 3600)), answers);
    assert_eq!(cluster.message_count("T"), 3);
    assert_eq!(cluster.messages(RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC).len(), 0);
}
