//! Batches: the flag in the header makes one, and all of its messages are stored or none.

use bytes::Bytes;
use rocketmq_common::{Message, MessageBatch};
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::RemotingCommand;

use crate::support::*;

const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. \
    msg body length limit 4194304B, msg properties length limit 32KB.";

fn body() -> Bytes {
    let messages = ["b0", "b1", "b2"].map(|body| Message::new("T", body).with_tags(body));
    MessageBatch::new(messages.to_vec()).unwrap().encode().unwrap()
}

fn batch(code: i32) -> RemotingCommand {
    let mut request = with(send_to("T"), &[("m", "true"), ("i", &wire("UNIQ_KEY=outer"))]).with_body(body());
    request.code = code;
    request
}

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

#[tokio::test]
async fn the_header_decides_and_not_the_code() {
    let (cluster, mut peer) = start().await;
    for code in [310, 320] {
        assert_eq!(peer.call(batch(code)).await.code, 0);
    }
    assert_eq!(cluster.message_count("T"), 6);
    let one = without(batch(320), "m");
    assert_eq!(peer.call(one).await.code, 0);
    assert_eq!(cluster.messages("T").last().unwrap().body(), &body());
}

#[tokio::test]
async fn the_answer_names_all_messages_and_the_first_offset() {
    let (cluster, mut peer) = start().await;
    peer.call(send_to("T")).await;
    let answer = peer.call(batch(320)).await;
    assert_eq!(
        (field(&answer, "queueOffset"), field(&answer, "transactionId")),
        ("1".into(), "outer".into())
    );
    let stored = cluster.messages("T").split_off(1);
    let ids: Vec<_> = stored.iter().map(|message| message.offset_msg_id()).collect();
    assert_eq!(field(&answer, "msgId"), ids.join(","));
    assert_eq!(stored.iter().map(|message| message.queue_offset()).collect::<Vec<_>>(), [1, 2, 3]);
    let without_key = peer.call(without(batch(320), "i")).await;
    assert!(without_key.ext_fields.get("transactionId").is_none());
}

#[tokio::test]
async fn inner_properties_are_stored_exactly_as_sent() {
    let (cluster, mut peer) = start().await;
    assert_eq!(peer.call(batch(320)).await.code, 0);
    assert_eq!(properties(&cluster.messages("T")[1]), "TAGS=b1");
    let only = with(pull_from("T", 0), &[("subscription", "b1")]);
    let found = peer.call(only).await;
    assert_eq!(records(&found).len(), 1);
}

#[tokio::test]
async fn batches_that_cannot_be_are_turned_down_whole() {
    let (cluster, mut peer) = start().await;
    for wrong in [("i", wire("DELAY=1")), ("f", "4".to_owned())] {
        let answer = peer.call(with(batch(320), &[(wrong.0, &wrong.1)])).await;
        assert_eq!(verdict(&answer), (13, ILLEGAL));
        assert_eq!(answer.ext_fields, region_fields());
    }
    let retry = peer.call(with(batch(320), &[("b", "%RETRY%g")])).await;
    assert_eq!(verdict(&retry), (13, "batch request does not support retry group %RETRY%g"));
    let cut = peer.call(batch(320).with_body(body().slice(..body().len() - 1))).await;
    let empty = peer.call(batch(320).with_body("")).await;
    let large = peer.call(batch(320).with_body(vec![0; 4_194_305])).await;
    for answer in [cut, empty, large] {
        assert_eq!((answer.code, answer.ext_fields.is_present()), (1, false), "{answer:?}");
    }
    let timer = peer.call(with(batch(320), &[("i", &wire("TIMER_DELAY_SEC=60"))])).await;
    assert!(timer.remark().ends_with("is not supported by this mock yet"));
    assert_eq!(cluster.message_count("T"), 0);
}

#[tokio::test]
async fn a_batch_that_does_not_fit_into_the_store_is_turned_down_whole() {
    let cluster = MockCluster::builder().store_limit(250).start().await.unwrap();
    let answer = Peer::broker(&cluster).await.call(batch(320)).await;
    assert_eq!((answer.code, cluster.message_count("T")), (14, 0));
}
