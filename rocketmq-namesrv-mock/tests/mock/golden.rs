//! What was captured from Apache's broker, and what the mock does with the same requests.

use rocketmq_common::record::RecordDecoder;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

/// Positions in a record with IPv4 addresses: queue offset, commit log offset, time and host of birth, time and host
/// of storing.
const PATCHED: [std::ops::Range<usize>; 5] = [20..28, 28..36, 40..48, 48..56, 56..72];

async fn stored_record(peer: &mut Peer, topic: &str, queue: &str) -> Vec<u8> {
    let answer = peer.call(with(pull_from(topic, 0), &[("queueId", queue)])).await;
    assert_eq!(verdict(&answer), (0, "FOUND"));
    answer.body.to_vec()
}

/// The record has the bytes of a captured one, but for where and when it was stored.
fn assert_same_record(mut ours: Vec<u8>, mut theirs: Vec<u8>) {
    let mut decoded =
        [&ours, &theirs].map(|bytes| RecordDecoder::new(bytes.clone().into()).next().unwrap().unwrap());
    for message in &mut decoded {
        message.update_header(|header| {
            let (flag, queue) = (header.sys_flag, header.queue_id);
            *header = Default::default();
            (header.sys_flag, header.queue_id) = (flag, queue);
        });
    }
    assert_eq!(decoded[0], decoded[1]);
    for range in PATCHED {
        ours[range.clone()].fill(0);
        theirs[range].fill(0);
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn a_message_is_stored_with_the_bytes_of_apache_s_broker() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.write(&captured("send_v2_bin_request")).await;
    let answer = peer.receive().await;
    let theirs = captured_frame("send_v2_response");
    assert_eq!((answer.code, answer.opaque, answer.remark.as_ref()), (0, theirs.opaque, None));
    for name in ["queueId", "queueOffset", "transactionId", "MSG_REGION", "TRACE_ON"] {
        assert_eq!(field(&answer, name), field(&theirs, name), "{name}");
    }
    assert_eq!(field(&answer, "msgId").len(), 32);
    assert_eq!(answer.ext_fields.len(), theirs.ext_fields.len());
    assert_same_record(stored_record(&mut peer, "GoldTopic", "1").await, captured("record_plain"));
}

#[tokio::test]
async fn a_batch_is_stored_with_the_bytes_of_apache_s_broker() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.write(&captured("batch_bin_request")).await;
    let (answer, theirs) = (peer.receive().await, captured_frame("batch_response"));
    for name in ["queueId", "queueOffset", "transactionId"] {
        assert_eq!(field(&answer, name), field(&theirs, name), "{name}");
    }
    assert_eq!(field(&answer, "msgId").len(), field(&theirs, "msgId").len());
    let both = stored_record(&mut peer, "GoldTopic", "2").await;
    let (first, second) = both.split_at(both.len() / 2);
    assert_same_record(first.to_vec(), captured("record_batch_0"));
    assert_same_record(second.to_vec(), captured("record_batch_1"));
}

/// Requests of the Java client, and the answers that it got.
#[tokio::test]
async fn the_java_client_gets_the_answers_of_apache_s_broker() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for form in ["json", "binary"] {
        for kind in ["send", "send.awkward", "send.zstd", "send-batch", "send.acl", "send.acl-token"] {
            assert_same_answer(&mut peer, &format!("{kind}.{form}"), &["msgId", "queueOffset"]).await;
        }
        for kind in [
            "heartbeat.producer",
            "heartbeat.consumer",
            "consumer-list",
            "unregister.producer",
            "unregister.consumer",
        ] {
            assert_same_answer(&mut peer, &format!("{kind}.{form}"), &[]).await;
        }
    }
}

async fn assert_same_answer(peer: &mut Peer, name: &str, differs: &[&str]) {
    peer.write(&captured(&format!("{name}.request"))).await;
    let (ours, theirs) = (peer.answer().await, captured_frame(&format!("{name}.response")));
    let comparable = |answer: &RemotingCommand| {
        let mut fields = fields(answer);
        fields.retain(|(name, _)| !differs.contains(&name.as_str()));
        let head =
            (answer.code, answer.version, answer.language, answer.flag, answer.ext_fields.is_present());
        (head, answer.remark.clone(), fields, answer.body.clone())
    };
    assert_eq!(comparable(&ours), comparable(&theirs), "{name}");
}

#[tokio::test]
async fn routes_have_the_bytes_of_apache_s_name_server() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("GoldTopic", 4).unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let address = cluster.broker_addr("broker-a").unwrap().to_string();
    for (version, name) in
        [(479, "route_105_v479"), (401, "route_105_v479"), (400, "route_105_v0"), (0, "route_105_v0")]
    {
        let mut ask = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "GoldTopic")]);
        ask.version = version;
        let answer = peer.call(ask).await;
        let theirs = String::from_utf8(captured_frame(name).body.to_vec()).unwrap();
        assert_eq!(std::str::from_utf8(&answer.body).unwrap(), theirs.replace("127.0.0.1:10911", &address));
        assert!(!answer.ext_fields.is_present());
    }
}
