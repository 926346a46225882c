//! Dead letters and retries as a consumer makes them: sends to the retry topic of its group.

use rocketmq_common::MessageExt;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use serde_json::json;

use super::groups::beat;
use super::peer::{Fields, Peer, field, fresh_group, fresh_topic, is_success, number, records};
use crate::stage;

/// A consumer of a group of its own.
struct Consumer {
    peer: Peer,
    group: String,
    retry: String,
    dead: String,
}

impl Consumer {
    async fn new(name_server: &str) -> Self {
        let group = fresh_group("dead");
        let (retry, dead) = (format!("%RETRY%{group}"), format!("%DLQ%{group}"));
        Self { peer: Peer::new(name_server).await, group, retry, dead }
    }

    /// Sends to a topic. `header` replaces fields or adds them.
    async fn send_to(
        &self,
        topic: &str,
        header: &[(&str, &str)],
        properties: &[(&str, &str)],
    ) -> RemotingCommand {
        let properties: String =
            properties.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
        let names = [("a", "consumer"), ("b", topic), ("c", "TBW102"), ("i", &properties)];
        let numbers = [("d", "4"), ("e", "0"), ("f", "0"), ("g", "1700000000000"), ("h", "0")];
        let fields = Fields::from(&names).with(&numbers).with(header);
        loop {
            let answer = self.peer.call(RequestCode::SEND_MESSAGE_V2, &fields.list(), "hello").await;
            // A broker on a busy machine turns sends away and stores nothing.
            if answer.code != ResponseCode::SYSTEM_BUSY.0 {
                return answer;
            }
        }
    }

    /// Sends to the retry topic: delivered `times` times, of `max` that are allowed.
    async fn retry(&self, times: &str, max: &str, properties: &[(&str, &str)]) -> RemotingCommand {
        let answer = self.send_to(&self.retry, &[("j", times), ("l", max)], properties).await;
        assert!(is_success(&answer), "{answer:?}");
        answer
    }

    async fn dead_letter(&self, offset: i64) -> MessageExt {
        self.peer.stored(&self.dead, offset).await
    }
}

#[tokio::test]
async fn only_the_header_says_whether_a_message_is_dead() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    for (offset, (times, max)) in [("1", "0"), ("3", "2"), ("0", "-1")].into_iter().enumerate() {
        site.retry(times, max, &[]).await;
        let dead = site.dead_letter(offset as i64).await;
        assert_eq!(dead.reconsume_times().to_string(), times);
    }
    // The group's own maximum is 16.
    site.send_to(&site.retry, &[("j", "17")], &[]).await;
    assert_eq!(site.dead_letter(3).await.reconsume_times(), 17);
    site.send_to(&site.retry, &[("j", "16")], &[]).await;
    assert_eq!(site.peer.stored(&site.retry, 0).await.reconsume_times(), 16);
    let ignored = [("RECONSUME_TIME", "99"), ("MAX_RECONSUME_TIMES", "1")];
    site.retry("2", "2", &ignored).await;
    let alive = site.peer.stored(&site.retry, 1).await;
    assert_eq!((alive.reconsume_times(), alive.property("RECONSUME_TIME")), (2, Some("99")));
}

#[tokio::test]
async fn a_dead_letter_makes_its_group_and_both_topics() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let sent = site.retry("3", "2", &[("KEYS", "key"), ("UNIQ_KEY", "unique")]).await;
    assert_eq!((field(&sent, "queueId"), field(&sent, "queueOffset")), ("0".into(), "0".into()));
    let route = Peer::of(name_server).call(105, &[("topic", &site.dead)], "").await;
    assert!(is_success(&route), "the route of the dead letters is known at once: {route:?}");
    let config = site.peer.ask(351, &[("topic", &site.dead)], "").await;
    assert!(config.contains("\"perm\":6,\"readQueueNums\":1,"), "{config}");
    assert!(site.peer.ask(352, &[("group", &site.group)], "").await.starts_with("0 "));
    assert!(site.peer.ask(351, &[("topic", &site.retry)], "").await.starts_with("0 "));
    // The answer names the record.
    let at = i64::from_str_radix(&field(&sent, "msgId")[16..], 16).expect("an offset id");
    let found = site.peer.until(33, &[("offset", &at.to_string())], is_success).await;
    assert_eq!(records(&found)[0].topic(), site.dead);
    for key in ["key", "unique"] {
        let query = [("topic", &*site.dead), ("key", key), ("maxNum", "9"), ("beginTimestamp", "0")];
        let query = Fields::from(&query).with(&[("endTimestamp", "9223372036854775807")]);
        site.peer.until(12, &query.list(), is_success).await;
    }
}

#[tokio::test]
async fn the_queue_of_a_dead_letter_is_one_of_the_retry_topic() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    site.peer.ask(34, &[], beat("c", &site.group, &["any"])).await;
    let dead = [("j", "3"), ("l", "2")];
    for (queue, code) in [("1", 29), ("0", 0), ("-1", 0)] {
        let sent = site.send_to(&site.retry, &[&dead[..], &[("e", queue)]].concat(), &[]).await;
        assert_eq!(sent.code, code, "{queue}: {sent:?}");
    }
    assert_eq!(site.dead_letter(1).await.queue_id(), 0);
}

#[tokio::test]
async fn a_dead_letter_keeps_what_the_consumer_says_of_it() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let said = [("RETRY_TOPIC", "T"), ("ORIGIN_MESSAGE_ID", "M"), ("reason", "zerstört"), ("DELAY", "3")];
    site.retry("5", "2", &said).await;
    let dead = site.dead_letter(0).await;
    for (name, value) in &said[..3] {
        assert_eq!(dead.property(name), Some(*value));
    }
    assert_eq!((dead.property("DELAY"), dead.reconsume_times()), (Some("-1"), 5));
    site.retry("5", "2", &[]).await;
    let dead = site.dead_letter(1).await;
    for name in ["RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "REAL_TOPIC", "REAL_QID", "DLQ_ORIGIN_TOPIC"] {
        assert_eq!(dead.property(name), None, "the broker adds no {name}");
    }
}

#[tokio::test]
async fn properties_that_keep_a_message_from_the_dead_letters() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    site.retry("3", "2", &[("TRAN_MSG", "true"), ("PGROUP", "nobody"), ("KEYS", "half")]).await;
    site.retry("3", "2", &[("TIMER_DELAY_SEC", "2"), ("KEYS", "timer")]).await;
    let long = "x".repeat(32 * 1024);
    let refused = site.send_to(&site.retry, &[("j", "3"), ("l", "2")], &[("reason", &long)]).await;
    assert_eq!(refused.code, 13, "{refused:?}");
    site.retry("3", "2", &[("KEYS", "plain")]).await;
    assert_eq!(site.dead_letter(0).await.keys(), Some("plain"));
    assert_eq!(site.dead_letter(1).await.keys(), Some("timer"), "it comes when its time is over");
}

#[tokio::test]
async fn an_ordinary_send_to_dead_letters_is_an_ordinary_send() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let sent = site.send_to(&site.dead, &[("j", "1"), ("l", "9")], &[("DELAY", "1")]).await;
    assert!(is_success(&sent), "{sent:?}");
    let config = site.peer.ask(351, &[("topic", &site.dead)], "").await;
    assert!(config.contains("\"readQueueNums\":4,"), "{config}");
    let dead = site.dead_letter(0).await;
    assert_eq!((dead.property("DELAY"), dead.property("REAL_TOPIC")), (Some("1"), Some(&*site.dead)));
}

#[tokio::test]
async fn a_group_s_own_maximum_counts_unless_the_header_names_another() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let group = json!({ "groupName": site.group, "retryMaxTimes": 2, "consumeEnable": false });
    assert_eq!(site.peer.ask(200, &[], group.to_string()).await, "0");
    site.send_to(&site.retry, &[("j", "3")], &[]).await;
    assert_eq!(site.dead_letter(0).await.reconsume_times(), 3);
    site.retry("3", "16", &[]).await;
    assert_eq!(site.peer.stored(&site.retry, 0).await.reconsume_times(), 3);

    // A group that may not consume may send back.
    let topic = fresh_topic("back");
    let offset = site.peer.send(&topic, &[]).await.to_string();
    let back = [("offset", offset.as_str()), ("group", &site.group), ("delayLevel", "1")];
    let back =
        Fields::from(&back).with(&[("originTopic", &topic), ("originMsgId", "x"), ("unitMode", "false")]);
    assert_eq!(site.peer.ask(36, &back.list(), "").await, "0");
}

#[tokio::test]
async fn a_retry_waits_by_a_timer_unless_an_older_delay_is_left() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let minute = ("TIMER_DELAY_MS", "60000");
    site.retry("1", "16", &[("TIMER_DELAY_MS", "2000"), ("KEYS", "waits")]).await;
    site.retry("2", "16", &[minute, ("TIMER_OUT_MS", "1700000000000"), ("KEYS", "at once")]).await;
    let first = site.peer.stored(&site.retry, 0).await;
    assert_eq!((first.keys(), first.reconsume_times()), (Some("at once"), 2));
    site.retry("3", "16", &[minute, ("DELAY", "1"), ("KEYS", "level")]).await;
    let mut later = Vec::new();
    for offset in [1, 2] {
        let message = site.peer.stored(&site.retry, offset).await;
        later.push((message.keys().expect("a key").to_owned(), message.reconsume_times()));
    }
    later.sort();
    assert_eq!(later, [("level".to_owned(), 3), ("waits".to_owned(), 1)]);
}

#[tokio::test]
async fn a_lock_of_the_group_does_not_keep_a_message_from_coming_back() {
    let name_server = &*stage::name_server().await;
    let site = Consumer::new(name_server).await;
    let topic = fresh_topic("back");
    let offset = site.peer.send(&topic, &[]).await.to_string();
    let queue = json!({ "topic": "any", "brokerName": "any", "queueId": 9 });
    let lock =
        json!({ "consumerGroup": site.group, "clientId": "c", "mqSet": [queue], "onlyThisBroker": true });
    site.peer.ask(41, &[], lock.to_string()).await;
    let back = [("offset", offset.as_str()), ("group", &site.group), ("delayLevel", "1")];
    let back =
        Fields::from(&back).with(&[("originTopic", &topic), ("originMsgId", "x"), ("unitMode", "false")]);
    assert_eq!(site.peer.ask(36, &back.list(), "").await, "0");
    let back = site.peer.stored(&site.retry, 0).await;
    assert_eq!((back.reconsume_times(), back.property("RETRY_TOPIC")), (1, Some(topic.as_str())));
    assert!(number(&site.peer.call(30, &[("topic", &site.dead), ("queueId", "0")], "").await, "offset") == 0);
}
