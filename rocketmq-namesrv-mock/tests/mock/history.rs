//! What a history tells.

use rocketmq_common::MessageQueue;
use rocketmq_namesrv_mock::{BrokerEvent, MockCluster};
use rocketmq_remoting::protocol::body::{LockBatchRequestBody, UnlockBatchRequestBody, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::heartbeat;
use crate::support::*;

fn queue(topic: &str) -> MessageQueue {
    MessageQueue::new(topic, "broker-a", 0)
}

fn lock(client_id: &str) -> RemotingCommand {
    let body = LockBatchRequestBody {
        client_id: client_id.into(),
        consumer_group: "group".into(),
        mq_set: vec![queue("T")],
        only_this_broker: false,
    };
    request(RequestCode::LOCK_BATCH_MQ, &[]).with_body(encode_body(&body).unwrap())
}

fn unlock(client_id: &str) -> RemotingCommand {
    let body = UnlockBatchRequestBody {
        client_id: client_id.into(),
        consumer_group: "group".into(),
        mq_set: vec![queue("T")],
        only_this_broker: false,
    };
    request(RequestCode::UNLOCK_BATCH_MQ, &[]).with_body(encode_body(&body).unwrap())
}

/// All events but those of connections, heartbeats and notices.
fn told(cluster: &MockCluster) -> Vec<BrokerEvent> {
    let is_told = |event: &BrokerEvent| {
        use BrokerEvent::*;
        !matches!(event, Started | Connected { .. } | Heartbeat { .. } | Notified { .. })
    };
    cluster.history().into_iter().map(|entry| entry.event).filter(is_told).collect()
}

#[tokio::test]
async fn a_consumers_life_is_told_in_its_order() {
    let cluster = MockCluster::builder().virtual_clock(true).history(1000).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(heartbeat("group", "c1", &[])).await;
    let sent = peer.call(with(send_to("T"), &[("i", &wire("UNIQ_KEY=K"))])).await;
    peer.call(pull_from("T", 0)).await;
    let offset = [("consumerGroup", "group"), ("topic", "T"), ("queueId", "0"), ("commitOffset", "1")];
    peer.call(request(RequestCode::UPDATE_CONSUMER_OFFSET, &offset)).await;
    peer.call(lock("c1")).await;
    peer.call(lock("c2")).await;
    cluster.advance(std::time::Duration::from_secs(61)).await;
    peer.call(lock("c2")).await;
    peer.call(unlock("c2")).await;
    let position = i64::from_str_radix(&field(&sent, "msgId")[16..], 16).unwrap().to_string();
    let back =
        [("group", "group"), ("offset", position.as_str()), ("delayLevel", "-1"), ("originTopic", "T")];
    assert_eq!(peer.call(request(RequestCode::CONSUMER_SEND_MSG_BACK, &back)).await.code, 0);
    cluster.stop_broker("broker-a").await.unwrap();
    let (group, c1, c2) = (|| "group".into(), || "c1".into(), || "c2".into());
    let locked = |client, granted| BrokerEvent::Locked { group: group(), client, queue: queue("T"), granted };
    let stored = |topic: &str, reconsume_times| BrokerEvent::Stored {
        queue: queue(topic),
        offset: 0,
        id: "K".to_owned(),
        reconsume_times,
    };
    let disconnected = BrokerEvent::Disconnected { peer: peer.local_addr().to_string().into() };
    let expected = [
        BrokerEvent::Joined { group: group(), client: c1() },
        stored("T", 0),
        BrokerEvent::Pulled { group: group(), client: c1(), queue: queue("T"), from: 0, to: 1, count: 1 },
        BrokerEvent::Committed { group: group(), client: c1(), queue: queue("T"), offset: 1 },
        locked(c1(), true),
        locked(c2(), false),
        BrokerEvent::LockExpired { group: group(), client: c1(), queue: queue("T") },
        locked(c2(), true),
        BrokerEvent::Unlocked { group: group(), client: c2(), queue: queue("T") },
        stored("%DLQ%group", 1),
        BrokerEvent::SentBack {
            group: group(),
            client: c1(),
            queue: queue("T"),
            offset: 0,
            to: "%DLQ%group".to_owned(),
        },
        disconnected,
        BrokerEvent::Left { group: group(), client: c1() },
        BrokerEvent::Stopped,
    ];
    assert_eq!(told(&cluster), expected);
    let history = cluster.history();
    assert!(history.iter().enumerate().all(|(index, entry)| entry.number == index as u64));
    assert!(history.iter().all(|entry| &*entry.server == "broker-a"));
    assert_eq!(history.last().unwrap().at, cluster.now());
    let notified =
        |entry: &&rocketmq_namesrv_mock::HistoryEntry| matches!(entry.event, BrokerEvent::Notified { .. });
    assert_eq!(history.iter().filter(notified).count(), 1, "the coming was told, the going to nobody");
}

#[tokio::test]
async fn pops_and_acknowledgements_are_told() {
    let cluster = MockCluster::builder().history(100).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for _ in 0..2 {
        peer.call(send_to("T")).await;
    }
    let fields = [
        ("consumerGroup", "group"),
        ("topic", "T"),
        ("queueId", "0"),
        ("maxMsgNums", "32"),
        ("invisibleTime", "60000"),
        ("pollTime", "0"),
        ("bornTime", "0"),
        ("initMode", "0"),
    ];
    let popped = peer.call(request(RequestCode::POP_MESSAGE, &fields)).await;
    assert_eq!(records(&popped).len(), 2);
    let [time, hidden, revive] = ["popTime", "invisibleTime", "reviveQid"].map(|name| field(&popped, name));
    let handle = format!("0 {time} {hidden} {revive} 0 broker-a 0 1");
    let fields = [
        ("consumerGroup", "group"),
        ("topic", "T"),
        ("queueId", "0"),
        ("offset", "1"),
        ("extraInfo", &handle),
    ];
    assert_eq!(peer.call(request(RequestCode::ACK_MESSAGE, &fields)).await.code, 0);
    let client = peer.local_addr().to_string().into();
    let expected = [
        BrokerEvent::Popped { group: "group".into(), client, queue: queue("T"), offsets: vec![0, 1] },
        BrokerEvent::Acknowledged { group: "group".into(), queue: queue("T"), offset: 1 },
    ];
    assert_eq!(told(&cluster)[2..], expected);
}

#[tokio::test]
async fn without_being_asked_for_there_is_no_history() {
    let cluster = MockCluster::start().await.unwrap();
    Peer::broker(&cluster).await.call(send_to("T")).await;
    assert!(cluster.history().is_empty());
}
