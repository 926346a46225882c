//! What Apache's broker stored and sent for delay levels, timers and transactions, field by field.

use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_common::mix_all::{RMQ_SYS_SCHEDULE_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC, RMQ_SYS_WHEEL_TIMER_TOPIC};
use rocketmq_common::record::RecordDecoder;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::producer_heartbeat;
use crate::support::*;

/// Properties whose values are times.
const TIMES: [&str; 3] = ["TIMER_OUT_MS", "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS"];

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

fn record(name: &str) -> MessageExt {
    RecordDecoder::new(captured(name).into()).next().unwrap().unwrap()
}

/// All but when and where it was stored, by whom it was born, and times in properties.
fn comparable(message: &MessageExt) -> impl PartialEq + std::fmt::Debug + use<> {
    let text = properties(message);
    let untimed = |entry: &str| {
        let name = entry.split('=').next().unwrap().to_owned();
        if TIMES.contains(&&*name) { name } else { entry.to_owned() }
    };
    let properties: Vec<_> = text.split(' ').map(untimed).collect();
    let header = message.header();
    (
        (message.topic().to_owned(), message.body().clone(), message.flag(), properties),
        (header.queue_id, header.sys_flag.bits(), header.reconsume_times),
        header.prepared_transaction_offset != 0,
    )
}

#[track_caller]
fn assert_same(ours: &MessageExt, name: &str) {
    assert_eq!(format!("{:?}", comparable(ours)), format!("{:?}", comparable(&record(name))), "{name}");
}

/// The send of which a captured record remains.
fn send_of(name: &str) -> RemotingCommand {
    let message = record(name);
    let added = ["MSG_REGION", "CLUSTER", "TRACE_ON", "REAL_TOPIC", "REAL_QID", "__transactionId__"];
    let is_sent = |entry: &&str| {
        let name = entry.split('=').next().unwrap();
        !added.contains(&name) && !TIMES.contains(&name)
    };
    let text = properties(&message);
    let sent: Vec<_> = text.split(' ').filter(is_sent).collect();
    let queue = message.property("REAL_QID").unwrap().to_owned();
    let topic = message.property("REAL_TOPIC").unwrap().to_owned();
    with(send_to(&topic), &[("i", &wire(&sent.join(" "))), ("e", &queue)]).with_body(message.body().clone())
}

fn names(command: &RemotingCommand) -> Vec<String> {
    fields(command).into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn answers_to_the_java_client_have_the_fields_of_apache_s_broker() {
    let cases = [
        ("send.delay", RMQ_SYS_SCHEDULE_TOPIC, "record.schedule"),
        ("send.timer", RMQ_SYS_WHEEL_TIMER_TOPIC, "record.timer"),
        ("send.half", RMQ_SYS_TRANS_HALF_TOPIC, "record.half"),
    ];
    for (name, topic, stored) in cases {
        for form in ["json", "binary"] {
            let (cluster, mut peer) = start().await;
            peer.write(&captured(&format!("{name}.{form}.request"))).await;
            let (ours, theirs) = (peer.receive().await, captured_frame(&format!("{name}.{form}.response")));
            assert_eq!((ours.code, ours.opaque, names(&ours)), (0, theirs.opaque, names(&theirs)), "{name}");
            for field_name in ["queueId", "transactionId"] {
                assert_eq!(field(&ours, field_name), field(&theirs, field_name), "{name} {field_name}");
            }
            if form == "json" {
                assert_same(&cluster.messages(topic)[0], stored);
            }
        }
    }
}

#[tokio::test]
async fn what_was_delayed_is_stored_like_apache_s_broker_does() {
    for (name, seconds) in [("record_delayed", 1), ("record_timer", 2)] {
        let (cluster, mut peer) = start().await;
        assert_eq!(peer.call(send_of(name)).await.code, 0);
        cluster.advance(Duration::from_secs(seconds)).await;
        assert_same(&cluster.messages("GoldTopic")[0], name);
    }
}

#[tokio::test]
async fn a_transaction_is_stored_asked_about_and_committed_like_apache_s_broker_does() {
    let (cluster, mut peer) = start().await;
    peer.call(producer_heartbeat("gold_pg", "c1")).await;
    assert_eq!(names(&peer.call(send_of("record_half")).await), names(&captured_frame("half_send_response")));
    assert_same(&cluster.messages(RMQ_SYS_TRANS_HALF_TOPIC)[0], "record_half");
    cluster.advance(Duration::from_secs(30)).await;

    let (ours, theirs) = (peer.receive().await, captured_frame("check_39"));
    assert_eq!((ours.code, ours.flag, names(&ours)), (theirs.code, theirs.flag, names(&theirs)));
    for name in ["topic", "bname", "msgId", "transactionId"] {
        assert_eq!(field(&ours, name), field(&theirs, name), "{name}");
    }
    let (body, theirs) = (&records(&ours)[0], &records(&theirs)[0]);
    assert_eq!(format!("{:?}", comparable(body)), format!("{:?}", comparable(theirs)));
    assert_eq!(body.queue_offset().to_string(), field(&ours, "tranStateTableOffset"));
    assert_eq!(body.commit_log_offset().to_string(), field(&ours, "commitLogOffset"));
    assert_eq!(body.offset_msg_id(), field(&ours, "offsetMsgId"));
    // The times are those of the first half.
    let first = &cluster.messages(RMQ_SYS_TRANS_HALF_TOPIC)[0];
    assert_eq!(body.store_timestamp(), first.store_timestamp());

    let fields = [
        ("producerGroup", "gold_pg"),
        ("tranStateTableOffset", &field(&ours, "tranStateTableOffset")),
        ("commitLogOffset", &field(&ours, "commitLogOffset")),
        ("commitOrRollback", "8"),
        ("fromTransactionCheck", "true"),
    ];
    assert_eq!(peer.call(request(RequestCode::END_TRANSACTION, &fields)).await.code, 0);
    assert_same(&cluster.messages("GoldTopic")[0], "record_committed");
}
