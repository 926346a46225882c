//! Topics that are full from the start.

use rocketmq_common::MessageQueue;
use rocketmq_namesrv_mock::MockCluster;

use crate::support::*;

#[tokio::test]
async fn preloaded_queues_are_read_as_if_the_messages_had_been_sent() {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    cluster.preload("T", 2, 70, b"hello").unwrap();
    assert_eq!(cluster.message_count("T"), 280);
    let mut peer = Peer::connect(cluster.broker_addr("broker-b").unwrap()).await;
    for queue_id in ["0", "1"] {
        let mut offset = 0;
        for expected in [32, 32, 6] {
            let answer = peer.call(with(pull_from("T", offset), &[("queueId", queue_id)])).await;
            let messages = records(&answer);
            assert_eq!(
                (answer.code, field(&answer, "maxOffset"), messages.len()),
                (0, "70".into(), expected)
            );
            for message in messages {
                assert_eq!(
                    (message.queue_id().to_string(), message.queue_offset()),
                    (queue_id.into(), offset)
                );
                assert_eq!((message.topic(), &message.body()[..]), ("T", &b"hello"[..]));
                offset += 1;
            }
            assert_eq!(field(&answer, "nextBeginOffset"), offset.to_string());
        }
        assert_eq!(peer.call(with(pull_from("T", offset), &[("queueId", queue_id)])).await.code, 19);
    }
}

#[tokio::test]
async fn a_preloaded_queue_goes_on_with_what_is_sent_and_can_be_trimmed() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    cluster.preload("T", 4, 3, b"x").unwrap();
    peer.call(send_to("T")).await;
    let texts =
        |answer| -> Vec<_> { records(&answer).iter().map(|message| message.body().to_vec()).collect() };
    let pulled = peer.call(pull_from("T", 0)).await;
    let positions: Vec<_> = records(&pulled).iter().map(|message| message.commit_log_offset()).collect();
    assert!(positions.is_sorted());
    assert_eq!(texts(pulled), [&b"hello"[..], b"x", b"x", b"x", b"hello"]);
    cluster.trim_queue(&MessageQueue::new("T", "broker-a", 0), 2).unwrap();
    assert_eq!(texts(peer.call(pull_from("T", 2)).await).len(), 3);
    assert_eq!(texts(peer.call(with(pull_from("T", 2), &[("maxMsgNums", "2")])).await), [b"x", b"x"]);
    assert_eq!(texts(peer.call(with(pull_from("T", 0), &[("queueId", "3")])).await).len(), 3);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let cluster = MockCluster::builder().store_limit(10_000).start().await.unwrap();
    let refused = cluster.preload("T", 1, 1000, b"hello").unwrap_err();
    assert!(refused.to_string().contains("the store takes 10000 bytes"), "{refused}");
    assert!(cluster.preload("no topic", 1, 1, b"hello").is_err());
}
