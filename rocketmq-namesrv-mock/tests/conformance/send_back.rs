//! Messages that a consumer sends back, and their way from there.

use rocketmq_common::MessageExt;
use serde_json::json;

use super::peer::{Peer, fresh_group, fresh_topic};
use crate::stage;

const NULL: &str = "1 \"java.lang.NullPointerException\"";

/// Fields of a request to send a message back.
fn fields<'a>(offset: &'a str, group: &'a str, level: &'a str, times: &'a str) -> [(&'a str, &'a str); 7] {
    [
        ("offset", offset),
        ("group", group),
        ("delayLevel", level),
        ("originMsgId", "ignored"),
        ("originTopic", "ignored"),
        ("unitMode", "false"),
        ("maxReconsumeTimes", times),
    ]
}

fn property<'a>(message: &'a MessageExt, name: &str) -> &'a str {
    message.property(name).unwrap_or_else(|| panic!("no {name} in {message:?}"))
}

#[tokio::test]
async fn a_message_comes_back_and_is_dead_in_the_end() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("back"), fresh_topic("back"));
    let offset = peer.send(&topic, &[("KEYS", "k1"), ("TAGS", "A")]).await;
    let first = peer.stored(&topic, 0).await;
    assert_eq!(peer.ask(36, &fields(&offset.to_string(), &group, "1", "2"), "").await, "0");

    let retry = format!("%RETRY%{group}");
    let again = peer.stored(&retry, 0).await;
    assert_eq!((again.topic(), again.reconsume_times(), again.flag()), (retry.as_str(), 1, 7));
    assert_eq!((again.body(), again.born_timestamp()), (first.body(), first.born_timestamp()));
    assert_eq!((again.born_host(), again.unique_key()), (first.born_host(), first.unique_key()));
    let names =
        ["RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "DELAY", "WAIT", "REAL_TOPIC", "REAL_QID", "KEYS", "TAGS"];
    let values = names.map(|name| property(&again, name));
    assert_eq!(values, [&*topic, first.offset_msg_id(), "1", "false", &*retry, "0", "k1", "A"]);

    let offset = again.commit_log_offset().to_string();
    assert_eq!(peer.ask(36, &fields(&offset, &group, "1", "2"), "").await, "0");
    let third = peer.stored(&retry, 1).await;
    assert_eq!(third.reconsume_times(), 2);
    assert_eq!(property(&third, "ORIGIN_MESSAGE_ID"), first.offset_msg_id(), "that of the first record");
    let offset = third.commit_log_offset().to_string();
    assert_eq!(peer.ask(36, &fields(&offset, &group, "1", "2"), "").await, "0");
    let dead = peer.stored(&format!("%DLQ%{group}"), 0).await;
    assert_eq!((dead.reconsume_times(), property(&dead, "DELAY")), (3, "0"));
    assert_eq!((property(&dead, "RETRY_TOPIC"), property(&dead, "REAL_TOPIC")), (&*topic, &*retry));
}

#[tokio::test]
async fn what_cannot_be_sent_back() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("refused"), fresh_topic("refused"));
    let offset = peer.send(&topic, &[]).await;
    let back = async |fields: &[(&str, &str)]| peer.ask(36, fields, "").await;
    for wrong in [(offset + 1).to_string(), "-1".to_owned(), "99999999999".to_owned()] {
        let expected = format!("1 \"look message by offset failed, {wrong}\"");
        assert_eq!(back(&fields(&wrong, &group, "0", "16")).await, expected);
    }
    let offset = offset.to_string();
    let see = "See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";
    let no_group = format!("26 \"subscription group not exist, a.b \n{see}\"");
    assert_eq!(back(&fields(&offset, "a.b", "0", "16")).await, no_group);
    assert_eq!(back(&fields("x", &group, "0", "16")).await, NULL);
    assert_eq!(back(&fields(&offset, &group, "x", "16")).await, NULL);
    assert_eq!(back(&[("offset", &offset), ("delayLevel", "0")]).await, NULL);
    let mut few = vec![("offset", offset.as_str()), ("group", &group), ("delayLevel", "-1")];
    assert_eq!(back(&few).await, NULL, "a dead letter needs the topic");
    few.push(("originTopic", "any"));
    assert_eq!(back(&few).await, "0");
    let dead = peer.stored(&format!("%DLQ%{group}"), 0).await;
    assert_eq!((dead.reconsume_times(), dead.property("RETRY_TOPIC")), (1, Some(&*topic)));
}

#[tokio::test]
async fn settings_of_a_group_decide_what_comes_back() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (none, few, topic) = (fresh_group("none"), fresh_group("few"), fresh_topic("settings"));
    let offset = peer.send(&topic, &[]).await.to_string();
    peer.ask(200, &[], json!({ "groupName": none, "retryQueueNums": 0 }).to_string()).await;
    assert_eq!(peer.ask(36, &fields(&offset, &none, "0", "16"), "").await, "0");
    assert_eq!(peer.ask(36, &fields("5", &none, "0", "16"), "").await, "0", "nobody looks for it");
    let no_topic = format!("17 \"No topic in this broker. topic: %RETRY%{none}\"");
    assert_eq!(peer.ask(351, &[("topic", &format!("%RETRY%{none}"))], "").await, no_topic);

    peer.ask(200, &[], json!({ "groupName": few, "retryQueueNums": 3, "retryMaxTimes": 0 }).to_string())
        .await;
    let mut of_group = fields(&offset, &few, "1", "ignored").to_vec();
    of_group.retain(|(name, _)| *name != "maxReconsumeTimes" && *name != "unitMode");
    of_group.push(("unitMode", "true"));
    assert_eq!(peer.ask(36, &of_group, "").await, "0");
    peer.stored(&format!("%DLQ%{few}"), 0).await;
    for (topic, queues, sys_flag) in [(format!("%RETRY%{few}"), 3, 2), (format!("%DLQ%{few}"), 1, 0)] {
        let expected = format!(
            "0 {{\"attributes\":{{}},\"order\":false,\"perm\":6,\"readQueueNums\":{queues},\
             \"topicFilterType\":\"SINGLE_TAG\",\"topicName\":\"{topic}\",\"topicSysFlag\":{sys_flag},\
             \"writeQueueNums\":{queues}}}"
        );
        assert_eq!(peer.ask(351, &[("topic", &topic)], "").await, expected);
    }
}

#[tokio::test]
async fn sends_to_a_retry_topic_die_when_they_are_too_many_or_the_group_is_ordered() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let group = fresh_group("retry_send");
    let (retry, dead) = (format!("%RETRY%{group}"), format!("%DLQ%{group}"));
    let send = async |times: &str, max: &str| {
        let fields = [
            ("a", "conversation"),
            ("b", retry.as_str()),
            ("c", "TBW102"),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", "1700000000000"),
            ("h", "0"),
            ("j", times),
            ("l", max),
        ];
        assert_eq!(peer.call(310, &fields, "hello").await.code, 0);
    };
    send("2", "2").await;
    assert_eq!(peer.stored(&retry, 0).await.reconsume_times(), 2);
    send("3", "2").await;
    let first = peer.stored(&dead, 0).await;
    assert_eq!((first.reconsume_times(), property(&first, "DELAY")), (3, "-1"));

    let queue = json!({ "topic": "any", "brokerName": "any", "queueId": 9 });
    let lock = json!({ "consumerGroup": group, "clientId": "c", "mqSet": [queue], "onlyThisBroker": true });
    peer.ask(41, &[], lock.to_string()).await;
    send("1", "2").await;
    assert_eq!(peer.stored(&dead, 1).await.reconsume_times(), 1, "a lock makes the group an ordered one");
    peer.ask(42, &[], lock.to_string()).await;
    send("1", "2").await;
    assert_eq!(peer.stored(&retry, 1).await.reconsume_times(), 1);
}
