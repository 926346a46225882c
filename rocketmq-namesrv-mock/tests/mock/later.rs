//! Messages that are delivered later: delay levels, timers, and taking timers back.

use std::time::Duration;

use rocketmq_common::mix_all::{RMQ_SYS_SCHEDULE_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC, RMQ_SYS_WHEEL_TIMER_TOPIC};
use rocketmq_namesrv_mock::{MockCluster, MockClusterBuilder};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

async fn start(builder: MockClusterBuilder) -> (MockCluster, Peer) {
    let cluster = builder.virtual_clock(true).start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

fn sent(properties: &str) -> RemotingCommand {
    with(send_to("T"), &[("i", &wire(&format!("UNIQ_KEY=U {properties}"))), ("e", "3")])
}

async fn millis(cluster: &MockCluster, millis: u64) {
    cluster.advance(Duration::from_millis(millis)).await;
}

fn now_ms(cluster: &MockCluster) -> u64 {
    cluster.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Moves the clock to the middle of a second.
async fn half_past(cluster: &MockCluster) {
    millis(cluster, 1500 - now_ms(cluster) % 1000).await;
}

#[tokio::test]
async fn a_level_delays_exactly_as_long_as_it_says() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    let answer = peer.call(sent("DELAY=3 WAIT=true")).await;
    let waiting = cluster.messages(RMQ_SYS_SCHEDULE_TOPIC);
    assert_eq!((waiting.len(), waiting[0].queue_id()), (1, 2));
    assert_eq!((answer.code, field(&answer, "queueId")), (0, "3".into()));
    assert_eq!(field(&answer, "msgId"), waiting[0].offset_msg_id());
    assert_eq!(answer.ext_fields.get("recallHandle"), None);
    millis(&cluster, 9_999).await;
    assert_eq!(cluster.message_count("T"), 0);
    millis(&cluster, 1).await;
    let delivered = cluster.messages("T");
    assert_eq!((delivered.len(), delivered[0].queue_id()), (1, 3));
    assert_eq!(delivered[0].store_timestamp() - waiting[0].store_timestamp(), 10_000);
    assert_eq!(delivered[0].born_timestamp(), waiting[0].born_timestamp());
    assert_eq!(properties(&delivered[0]), properties(&waiting[0]));
    assert!(properties(&delivered[0]).ends_with("DELAY=3 WAIT=true TRACE_ON=true REAL_TOPIC=T REAL_QID=3"));
}

#[tokio::test]
async fn levels_end_at_18_and_count_more_than_timers() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    assert_eq!(peer.call(sent("DELAY=99")).await.code, 0);
    assert_eq!(peer.call(sent("DELAY=1 TIMER_DELAY_SEC=60")).await.code, 0);
    let waiting = cluster.messages(RMQ_SYS_SCHEDULE_TOPIC);
    assert_eq!((waiting[0].property("DELAY"), waiting[0].queue_id()), (Some("18"), 17));
    millis(&cluster, 1000).await;
    assert_eq!(cluster.messages("T")[0].property("TIMER_DELAY_SEC"), None);
    cluster.advance(Duration::from_secs(7200)).await;
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn a_delivered_message_wakes_the_pull_that_waits_for_it() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    peer.call(sent("DELAY=1")).await;
    let mut consumer = Peer::broker(&cluster).await;
    let waiting = [("queueId", "3"), ("sysFlag", "6"), ("suspendTimeoutMillis", "15000")];
    consumer.send(with(pull_from("T", 0), &waiting)).await;
    while cluster.held_pulls("T") == 0 {
        tokio::task::yield_now().await;
    }
    millis(&cluster, 1000).await;
    assert_eq!(records(&consumer.receive().await).len(), 1);
}

#[tokio::test]
async fn a_timer_is_noted_for_the_second_before_and_never_early() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    half_past(&cluster).await;
    let asked_ms = now_ms(&cluster);
    let answer = peer.call(sent("TIMER_DELAY_SEC=2")).await;
    let waiting = cluster.messages(RMQ_SYS_WHEEL_TIMER_TOPIC);
    let out_ms = asked_ms + 1500;
    assert_eq!(waiting[0].property("TIMER_OUT_MS"), Some(&*out_ms.to_string()));
    assert_eq!((field(&answer, "msgId"), waiting[0].queue_id()), (waiting[0].offset_msg_id().to_owned(), 0));
    millis(&cluster, 2499).await;
    assert_eq!(cluster.message_count("T"), 0);
    millis(&cluster, 1).await;
    let delivered = cluster.messages("T");
    assert_eq!((delivered[0].queue_id(), delivered[0].store_timestamp() as u64), (3, asked_ms + 2500));
    let property = |name| delivered[0].property(name).unwrap().parse::<u64>().unwrap();
    assert_eq!(property("TIMER_DEQUEUE_MS"), asked_ms + 2500);
    assert_eq!(property("TIMER_ENQUEUE_MS"), asked_ms - 500);
    assert_eq!((property("TIMER_OUT_MS"), property("TIMER_DELAY_SEC")), (out_ms, 2));
    assert_eq!(delivered[0].property("REAL_TOPIC"), Some("T"));
}

#[tokio::test]
async fn an_exact_time_is_kept_exactly() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    half_past(&cluster).await;
    let at = now_ms(&cluster) + 1500;
    peer.call(sent(&format!("TIMER_DELIVER_MS={at}"))).await;
    millis(&cluster, 1499).await;
    assert_eq!(cluster.message_count("T"), 0);
    millis(&cluster, 1).await;
    assert_eq!(cluster.messages("T")[0].property("TIMER_OUT_MS"), Some(&*(at - 1000).to_string()));
}

#[tokio::test]
async fn a_half_that_is_delayed_is_half_of_nothing_useful() {
    let (cluster, mut peer) = start(MockCluster::builder()).await;
    peer.call(sent("DELAY=1 TRAN_MSG=true PGROUP=pg")).await;
    assert_eq!(cluster.message_count(RMQ_SYS_SCHEDULE_TOPIC), 1);
    millis(&cluster, 1000).await;
    let half = &cluster.messages(RMQ_SYS_TRANS_HALF_TOPIC)[0];
    assert_eq!(half.property("REAL_TOPIC"), Some(RMQ_SYS_TRANS_HALF_TOPIC));
}

#[tokio::test]
async fn levels_are_kept_by_the_clock_of_the_system_too() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(sent("DELAY=1")).await;
    let waiting = [("queueId", "3"), ("sysFlag", "6"), ("suspendTimeoutMillis", "15000")];
    let answer = peer.call(with(pull_from("T", 0), &waiting)).await;
    let lateness =
        records(&answer)[0].store_timestamp() - cluster.messages(RMQ_SYS_SCHEDULE_TOPIC)[0].store_timestamp();
    assert!(lateness >= 1000, "{lateness}");
}

fn recall(topic: &str, handle: &str) -> RemotingCommand {
    let fields = [("producerGroup", "pg"), ("topic", topic), ("recallHandle", handle)];
    request(RequestCode::RECALL_MESSAGE, &fields)
}

#[tokio::test]
async fn a_timer_that_was_taken_back_does_not_come() {
    let (cluster, mut peer) = start(MockCluster::builder().recall_message(true)).await;
    let handle = field(&peer.call(sent("TIMER_DELAY_SEC=5")).await, "recallHandle");
    let sibling = with(sent(""), &[("i", &wire("UNIQ_KEY=V TIMER_DELAY_SEC=5"))]);
    assert_eq!(peer.call(sibling).await.code, 0);
    for _ in 0..2 {
        let answer = peer.call(recall("T", &handle)).await;
        assert_eq!(verdict(&answer), (0, "not set any response code"));
        let expected = [("MSG_REGION", "DefaultRegion"), ("msgId", "U")];
        assert_eq!(fields(&answer), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    cluster.advance(Duration::from_secs(10)).await;
    let delivered = cluster.messages("T");
    assert_eq!((delivered.len(), delivered[0].unique_key()), (1, Some("V")));
    let late = peer.call(recall("T", &handle)).await;
    assert_eq!(verdict(&late), (604, "recall failed, timestamp invalid"));
    assert_eq!(field(&late, "MSG_REGION"), "DefaultRegion");
}

#[tokio::test]
async fn a_handle_has_to_fit_topic_and_broker() {
    let (cluster, mut peer) = start(MockCluster::builder().recall_message(true).brokers(2)).await;
    cluster.create_topic("S", 1).unwrap();
    let handle = field(&peer.call(sent("TIMER_DELAY_SEC=5")).await, "recallHandle");
    let mut other = Peer::connect(cluster.broker_addr("broker-b").unwrap()).await;
    other.call(send_to("T")).await;
    let elsewhere = other.call(recall("T", &handle)).await;
    assert_eq!(verdict(&elsewhere), (604, "recall failed, broker service not available"));
    for (topic, handle, code, remark) in [
        ("S", handle.as_str(), 604, "recall failed, topic not match"),
        ("X", handle.as_str(), 17, "recall failed, the topic[X] not exist"),
        ("T", "???", 604, "recall handle is invalid"),
        // "v1 T broker-a 9" and "v2 T broker-a 9 U"
        ("T", "djEgVCBicm9rZXItYSA5", 604, "recall handle is invalid"),
        ("T", "djIgVCBicm9rZXItYSA5IFU=", 604, "recall handle is invalid"),
    ] {
        assert_eq!(verdict(&peer.call(recall(topic, handle)).await), (code, remark));
    }
}

#[tokio::test]
async fn recall_is_off_unless_it_is_switched_on() {
    let (_cluster, mut peer) = start(MockCluster::builder()).await;
    let handle = field(&peer.call(sent("TIMER_DELAY_SEC=5")).await, "recallHandle");
    let answer = peer.call(recall("T", &handle)).await;
    assert_eq!(verdict(&answer), (16, "recall failed, operation is forbidden"));
}
