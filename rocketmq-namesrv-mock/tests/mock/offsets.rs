//! Offsets of groups and queues.

use std::time::Duration;

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for _ in 0..3 {
        assert_eq!(peer.call(send_to("T")).await.code, 0);
    }
    (cluster, peer)
}

fn of_group(code: RequestCode, more: &[(&str, &str)]) -> RemotingCommand {
    with(request(code, &[("consumerGroup", "g"), ("topic", "T"), ("queueId", "0")]), more)
}

fn of_queue(code: RequestCode, topic: &str, more: &[(&str, &str)]) -> RemotingCommand {
    with(request(code, &[("topic", topic), ("queueId", "0")]), more)
}

#[tokio::test]
async fn a_group_that_never_committed_starts_at_0_where_messages_are() {
    let (_cluster, mut peer) = start().await;
    let query = |more: &[(&str, &str)]| of_group(RequestCode::QUERY_CONSUMER_OFFSET, more);
    let answer = peer.call(query(&[])).await;
    assert_eq!((answer.code, field(&answer, "offset")), (0, "0".into()));
    let first_boot = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first";
    for more in [[("topic", "missing")], [("queueId", "9")]] {
        let answer = peer.call(query(&more)).await;
        assert_eq!(verdict(&answer), (22, first_boot));
        assert!(answer.ext_fields.is_present() && answer.ext_fields.is_empty());
    }
    let answer = peer.call(query(&[("setZeroIfNotFound", "false")])).await;
    assert_eq!(verdict(&answer), (22, "Not found, do not set to zero, maybe this group boot first"));
}

#[tokio::test]
async fn commits_are_kept_whatever_they_are() {
    let (cluster, mut peer) = start().await;
    let commit = |more: &[(&str, &str)]| of_group(RequestCode::UPDATE_CONSUMER_OFFSET, more);
    let unknown = peer.call(commit(&[("commitOffset", "1")])).await;
    assert_eq!(verdict(&unknown), (26, "Group g not exist!"));
    peer.call(with(pull_from("T", 0), &[("consumerGroup", "g")])).await;
    let queue = cluster.queue_offsets("T")[0].queue.clone();
    for (offset, kept) in [("2", Some(2)), ("99", Some(99)), ("1", Some(1)), ("-1", None)] {
        let answer = peer.call(commit(&[("commitOffset", offset)])).await;
        assert_eq!((answer.code, answer.ext_fields.is_present()), (0, true));
        assert_eq!(cluster.committed_offset("g", &queue), kept);
    }
    assert_eq!(peer.call(commit(&[("commitOffset", "5"), ("queueId", "77")])).await.code, 0);
    assert_eq!(verdict(&peer.call(commit(&[])).await), (29, "Offset is null, topic is T"));
    let topic = peer.call(commit(&[("commitOffset", "5"), ("topic", "no")])).await;
    assert_eq!(verdict(&topic), (17, "Topic no not exist!"));
    let queried = of_group(RequestCode::QUERY_CONSUMER_OFFSET, &[("queueId", "77")]);
    assert_eq!(field(&peer.call(queried).await, "offset"), "5");
}

#[tokio::test]
async fn queues_tell_where_they_begin_and_end() {
    let (cluster, mut peer) = start().await;
    let first = cluster.messages("T")[0].store_timestamp().to_string();
    let ask = [
        (RequestCode::GET_MAX_OFFSET, "offset", "3", "0"),
        (RequestCode::GET_MIN_OFFSET, "offset", "0", "0"),
        (RequestCode::GET_EARLIEST_MSG_STORETIME, "timestamp", first.as_str(), "-1"),
    ];
    for (code, name, known, unknown) in ask {
        for (topic, expected) in [("T", known), ("missing", unknown)] {
            let answer = peer.call(of_queue(code, topic, &[])).await;
            assert_eq!((answer.code, field(&answer, name)), (0, expected.to_owned()), "{code}");
            let remark = (code == RequestCode::GET_MIN_OFFSET).then_some("");
            assert_eq!(answer.remark.as_deref(), remark);
        }
        let answer = peer.call(without(of_queue(code, "T", &[]), "queueId")).await;
        assert_eq!(answer.code, 1);
    }
}

#[tokio::test]
async fn queues_are_searched_by_time() {
    let (cluster, mut peer) = start().await;
    let last = cluster.messages("T")[2].store_timestamp() + 1;
    for (timestamp, boundary, offset) in
        [(0, "LOWER", "0"), (last, "LOWER", "3"), (last, "upper", "2"), (0, "UPPER", "0"), (last, "", "3")]
    {
        let more = [("timestamp", timestamp.to_string()), ("boundaryType", boundary.to_owned())];
        let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = peer.call(of_queue(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, "T", &more)).await;
        assert_eq!((answer.code, field(&answer, "offset")), (0, offset.to_owned()), "{timestamp} {boundary}");
    }
    let unknown = of_queue(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, "missing", &[("timestamp", "9")]);
    assert_eq!(field(&peer.call(unknown).await, "offset"), "0");
}

#[tokio::test]
async fn offsets_beyond_all_queues_are_summed_up_without_harm() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    peer.call(request(RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", "g")])).await;
    let far = i64::MAX.to_string();
    for queue_id in ["0", "1", "2"] {
        let fields = [("consumerGroup", "g"), ("topic", "T"), ("queueId", queue_id), ("commitOffset", &far)];
        assert_eq!(peer.call(request(RequestCode::UPDATE_CONSUMER_OFFSET, &fields)).await.code, 0);
    }
    let fields = [("topic", "T"), ("group", "g"), ("consumerGroup", "g"), ("compareGroup", "g")];
    for code in [
        RequestCode::GET_BROKER_CONSUME_STATS,
        RequestCode::QUERY_CONSUME_TIME_SPAN,
        RequestCode::QUERY_CORRECTION_OFFSET,
        RequestCode::GET_ALL_CONSUMER_OFFSET,
        RequestCode::GET_CONSUME_STATS,
    ] {
        assert_eq!(peer.call(request(code, &fields)).await.code, 0, "{code:?}");
    }
}

#[tokio::test]
async fn a_queue_tells_when_what_was_read_last_was_written() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for _ in 0..3 {
        peer.call(send_to("T")).await;
        cluster.advance(Duration::from_secs(1)).await;
    }
    peer.call(request(RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", "g")])).await;
    peer.call(of_group(RequestCode::UPDATE_CONSUMER_OFFSET, &[("commitOffset", "2")])).await;
    let ask = request(RequestCode::QUERY_CONSUME_TIME_SPAN, &[("topic", "T"), ("group", "g")]);
    let body: serde_json::Value = serde_json::from_slice(&peer.call(ask).await.body).unwrap();
    let span = &body["consumeTimeSpanSet"][0];
    let time = |name: &str| span[name].as_i64().unwrap() - span["minTimeStamp"].as_i64().unwrap();
    assert_eq!([time("consumeTimeStamp"), time("maxTimeStamp")], [1000, 2000]);
    assert_eq!(span["delayTime"], 1000, "so long the next one waits");
}
