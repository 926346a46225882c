//! Urgent messages: which queue takes them, and which pops see them first.

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use serde_json::json;

use super::peer::{Fields, Peer, field, fresh_group, fresh_topic, number, records};
use crate::stage;

const PRIORITY: &str = "_SYS_MSG_PRIORITY_";

async fn new_topic(peer: &Peer) -> String {
    let topic = fresh_topic("priority");
    let texts = [("topic", &*topic), ("defaultTopic", "TBW102"), ("topicFilterType", "SINGLE_TAG")];
    let fields = Fields::from(&texts).with(&[("readQueueNums", "4"), ("writeQueueNums", "4"), ("perm", "6")]);
    let fields = fields.with(&[("attributes", "+message.type=PRIORITY"), ("order", "false")]);
    assert_eq!(peer.call(17, &fields.list(), "").await.code, 0);
    topic
}

/// Sends to a queue and returns the queue that the broker chose.
async fn send(peer: &Peer, topic: &str, queue: &str, properties: &[(&str, &str)]) -> RemotingCommand {
    let properties: String =
        properties.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
    let names = [("a", "p"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", queue), ("i", &properties)];
    let fields = Fields::from(&names).with(&[("f", "0"), ("g", "1700000000000"), ("h", "0")]);
    loop {
        let sent = peer.call(RequestCode::SEND_MESSAGE_V2, &fields.list(), "x").await;
        if sent.code != ResponseCode::SYSTEM_BUSY.0 {
            assert_eq!(sent.code, 0, "{sent:?}");
            return sent;
        }
    }
}

#[tokio::test]
async fn a_priority_chooses_the_queue() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = new_topic(&peer).await;
    for (asked, priority, chosen) in [
        ("0", "2", 2),
        ("0", "9", 3),
        ("3", "0", 0),
        ("-1", "1", 1),
        ("1", "+3", 3),
        ("1", "-1", 1),
        ("1", "x", 1),
        ("1", "99999999999", 1),
    ] {
        let sent = send(&peer, &topic, asked, &[(PRIORITY, priority)]).await;
        assert_eq!(number(&sent, "queueId"), chosen, "{priority} to {asked}");
    }
    // Topics of other kinds do the same.
    let plain = fresh_topic("plain");
    assert_eq!(field(&send(&peer, &plain, "0", &[(PRIORITY, "2")]).await, "queueId"), "2");
}

#[tokio::test]
async fn messages_of_other_kinds_lose_their_priority() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("kinds");
    for (offset, other) in [("__SHARDINGKEY", "k"), ("TIMER_DELIVER_MS", "1")].into_iter().enumerate() {
        let sent = send(&peer, &topic, "0", &[(PRIORITY, "2"), other]).await;
        assert_eq!(field(&sent, "queueId"), "0", "{other:?}");
        assert_eq!(peer.stored(&topic, offset as i64).await.property(PRIORITY), None);
    }
    for other in [("TRAN_MSG", "true"), ("DELAY", "1"), ("TIMER_DELAY_SEC", "1"), ("TIMER_DELAY_MS", "1")] {
        let sent = send(&peer, &topic, "1", &[(PRIORITY, "2"), other]).await;
        let at = i64::from_str_radix(&field(&sent, "msgId")[16..], 16).expect("an offset id").to_string();
        let found = peer.until(33, &[("offset", &at)], |answer| !answer.body.is_empty()).await;
        assert_eq!(records(&found)[0].property(PRIORITY), None, "{other:?}");
    }
    let half = send(&peer, &topic, "0", &[(PRIORITY, "2"), ("TRAN_MSG", "false")]).await;
    assert_eq!(field(&half, "queueId"), "2", "no half at all");
}

#[tokio::test]
async fn urgent_messages_are_popped_first() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = new_topic(&peer).await;
    for priority in ["0", "3", "1", "3", "2"] {
        send(&peer, &topic, "0", &[(PRIORITY, priority)]).await;
    }
    for (queue, count) in [("0", "1"), ("1", "1"), ("2", "1"), ("3", "2")] {
        let fields = [("topic", &*topic), ("queueId", queue)];
        peer.until(30, &fields, super::peer::has("offset", count)).await;
    }
    let group = fresh_group("priority");
    let names = [("consumerGroup", &*group), ("topic", &*topic), ("queueId", "-1"), ("maxMsgNums", "2")];
    let fields = Fields::from(&names).with(&[("invisibleTime", "60000"), ("pollTime", "0")]);
    let fields = fields.with(&[("bornTime", "0"), ("initMode", "0")]);
    let mut popped = Vec::new();
    for _ in 0..3 {
        let answer = peer.call(RequestCode::POP_MESSAGE, &fields.list(), "").await;
        popped.push(field(&answer, "msgOffsetInfo"));
    }
    assert_eq!(popped, ["0 3 0,1", "0 2 0;0 1 0", "0 0 0"]);
}

#[tokio::test]
async fn a_group_says_how_much_priorities_count() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let group = fresh_group("factor");
    let set = async |group: &str, attributes: serde_json::Value| {
        let settings = json!({ "groupName": group, "attributes": attributes });
        peer.ask(200, &[], settings.to_string()).await
    };
    let shown = async || peer.ask(352, &[("group", &group)], "").await;
    assert_eq!(set(&group, json!({ "+priority.factor": "0" })).await, "0");
    assert!(shown().await.contains("{\"priority.factor\":\"0\"}"));
    for (name, value, class) in [
        ("+priority.factor", "101", "RuntimeException"),
        ("+priority.factor", "x", "NumberFormatException"),
        ("priority.factor", "5", "RuntimeException"),
        ("+other", "5", "RuntimeException"),
    ] {
        let refused = format!("1 \"java.lang.{class}\"");
        assert_eq!(set(&group, json!({ name: value })).await, refused, "{name}={value}");
        assert_eq!(set(&fresh_group("new"), json!({ name: value })).await, refused, "{name}={value}");
    }
    assert!(shown().await.contains("{\"priority.factor\":\"0\"}"));
    assert_eq!(set(&group, json!({ "-priority.factor": "" })).await, "0");
    assert!(shown().await.contains("\"attributes\":{}"));
}
