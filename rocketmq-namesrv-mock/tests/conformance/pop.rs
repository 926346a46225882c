//! Pops as brokers serve them: what is handed out, hidden, acknowledged and handed out again.

use std::time::{Duration, Instant};

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use serde_json::json;

use super::peer::{Fields, GroupPeer, Peer, field, has, number, records, verdict};
use crate::stage;

const NOTHING: (i32, &str) = (210, "NO_MESSAGE_IN_QUEUE");
const NOT_SET: &str = "not set any response code";

/// A topic of four messages in queue 0, tagged B, A, B, A, and a group that knows nothing of it.
async fn new_site(name_server: &str) -> GroupPeer {
    GroupPeer::new(name_server, "pop", &["B", "A", "B", "A"]).await
}

impl GroupPeer {
    /// Pops up to two messages of queue 0 and hides them for a minute.
    fn request(&self) -> Fields {
        let names = [("consumerGroup", self.group.as_str()), ("topic", self.topic.as_str())];
        let numbers = [("queueId", "0"), ("maxMsgNums", "2"), ("invisibleTime", "60000"), ("pollTime", "0")];
        Fields::from(&names).with(&numbers).with(&[("bornTime", "0"), ("initMode", "0")])
    }

    pub(crate) async fn pop(&self, changed: &[(&str, &str)]) -> RemotingCommand {
        let fields = self.request().with(changed);
        self.peer.call(RequestCode::POP_MESSAGE, &fields.list(), "").await
    }

    pub(crate) fn named(&self, handle: &str, offset: &str) -> Fields {
        let names = [("consumerGroup", self.group.as_str()), ("topic", self.topic.as_str())];
        Fields::from(&names).with(&[("queueId", "0"), ("extraInfo", handle), ("offset", offset)])
    }

    pub(crate) async fn ack(&self, handle: &str, offset: &str) -> RemotingCommand {
        let fields = self.named(handle, offset);
        self.peer.call(RequestCode::ACK_MESSAGE, &fields.list(), "").await
    }

    pub(crate) async fn change(&self, handle: &str, offset: &str, invisible_time: &str) -> RemotingCommand {
        let fields = self.named(handle, offset).with(&[("invisibleTime", invisible_time)]);
        self.peer.call(RequestCode::CHANGE_MESSAGE_INVISIBLETIME, &fields.list(), "").await
    }

    /// Waits until the group's offset of queue 0 is this: Apache's moves a little later.
    pub(crate) async fn until_committed(&self, offset: &str) {
        let fields = [("consumerGroup", &*self.group), ("topic", &self.topic), ("queueId", "0")];
        self.peer.until(RequestCode::QUERY_CONSUMER_OFFSET, &fields, has("offset", offset)).await;
    }
}

/// The handle of the message at this offset of the first queue of an answer.
pub(crate) fn handle(answer: &RemotingCommand, offset: &str) -> String {
    let starts = field(answer, "startOffsetInfo");
    let mut first = starts.split([' ', ';']);
    let [kind, queue, start] = [(); 3].map(|()| first.next().expect("kind, queue and offset"));
    let [time, hidden, revive] = ["popTime", "invisibleTime", "reviveQid"].map(|name| field(answer, name));
    format!("{start} {time} {hidden} {revive} {kind} broker-a {queue} {offset}")
}

/// Start offsets, offsets and what is left.
fn told(answer: &RemotingCommand) -> [String; 3] {
    ["startOffsetInfo", "msgOffsetInfo", "restNum"].map(|name| field(answer, name))
}

#[tokio::test]
async fn popped_messages_are_hidden() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let first = site.pop(&[]).await;
    assert_eq!((verdict(&first), told(&first)), ((0, "FOUND"), ["0 0 0", "0 0 0,1", "2"].map(String::from)));
    assert_eq!(field(&first, "invisibleTime"), "60000");
    assert!((0..8).contains(&number(&first, "reviveQid")));
    let offsets: Vec<_> = records(&first).iter().map(|message| message.queue_offset()).collect();
    assert_eq!(offsets, [0, 1]);
    site.until_committed("2").await;
    let second = site.pop(&[("maxMsgNums", "32"), ("queueId", "-1")]).await;
    assert_eq!(told(&second), ["0 0 2", "0 0 2,3", "0"]);
    let third = site.pop(&[]).await;
    assert_eq!((verdict(&third), told(&third)), (NOTHING, ["", "", "0"].map(String::from)));
    assert!(third.body.is_empty());
}

#[tokio::test]
async fn pops_take_what_they_want() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    for (group, wanted, offsets) in [
        ("tags", &[("exp", "A"), ("expType", "TAG")][..], "0 0 1,3"),
        ("sql", &[("exp", "TAGS = 'B'"), ("expType", "SQL92")], "0 0 0,2"),
        ("late", &[("initMode", "1")], "0 0 0,1"),
    ] {
        let group = format!("{}_{group}", site.group);
        let answer = site.pop(&[wanted, &[("consumerGroup", group.as_str())]].concat()).await;
        assert_eq!(field(&answer, "msgOffsetInfo"), offsets, "{wanted:?}");
    }
    let none = site.pop(&[("exp", "C"), ("expType", "TAG")]).await;
    assert_eq!(verdict(&none), NOTHING);
    site.until_committed("4").await;
}

#[tokio::test]
async fn pops_that_cannot_be() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let topic = site.topic.clone();
    let faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";
    let no_topic = format!("topic[{topic}_no] not exist, apply first please! {faq}");
    let no_group = format!("subscription group [a.b] does not exist, {faq}");
    let no_queue =
        format!("queueId[9] is illegal, topic:[{topic}] topicConfig.readQueueNums:[4] consumer:[/");
    let other = format!("{topic}_no");
    for (changed, code, remark) in [
        (&[("maxMsgNums", "33")][..], 29, "the broker[127.0.0.1] pop message's num is greater than 32"),
        (&[("topic", other.as_str())], 17, no_topic.as_str()),
        (&[("queueId", "9")], 29, no_queue.as_str()),
        (&[("consumerGroup", "a.b")], 26, no_group.as_str()),
        (&[("exp", "||")], 23, "parse the consumer's subscription failed"),
        (&[("exp", "a >"), ("expType", "SQL92")], 23, "parse the consumer's subscription failed"),
        (&[("bornTime", "1000")], 210, "the broker[127.0.0.1] pop message is timeout too much"),
    ] {
        let answer = site.pop(changed).await;
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.remark().starts_with(remark), "{answer:?}");
        let numbers = ["popTime", "invisibleTime", "reviveQid", "restNum"].map(|name| field(&answer, name));
        assert_eq!((numbers, answer.ext_fields.len()), (["0"; 4].map(String::from), 4));
    }
}

#[tokio::test]
async fn acknowledged_messages_do_not_come_again() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[]).await;
    let handle = handle(&popped, "0");
    for _ in 0..2 {
        let done = site.ack(&handle, "0").await;
        assert_eq!((verdict(&done), done.ext_fields.is_present()), ((0, ""), false));
    }
    let topic = site.topic.clone();
    let outside = |offset| format!("offset is illegal, key:{topic}@0, commit:{offset}, store:0~4");
    for (handle, offset, code, remark) in [
        (handle.as_str(), "99", 208, outside(99)),
        (&handle, "-1", 208, outside(-1)),
        (
            "0 1 2",
            "0",
            1,
            "java.lang.IllegalArgumentException: getBrokerName fail, extraInfoStrs length 3".into(),
        ),
        ("0 17 60000 3 0 broker-a 0 0", "1", 0, String::new()),
        ("0 17 60000 3 0 other 0 0", "1", 0, String::new()),
    ] {
        let answer = site.ack(handle, offset).await;
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.remark().starts_with(&remark), "{answer:?}");
    }
    let fields = site.named(&handle, "0").with(&[("queueId", "9")]);
    let answer = site.peer.call(RequestCode::ACK_MESSAGE, &fields.list(), "").await;
    assert_eq!(answer.code, 13, "{answer:?}");
}

#[tokio::test]
async fn many_messages_are_acknowledged_at_once() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[]).await;
    let acks = |kind: &str| {
        let ack = json!({
            "c": site.group, "t": site.topic, "r": kind, "so": 0, "q": 0, "rq": number(&popped, "reviveQid"),
            "pt": number(&popped, "popTime"), "it": 60_000, "b": "Aw==",
        });
        json!({"brokerName": "broker-a", "acks": [ack]}).to_string()
    };
    let bodies = [acks("0"), acks("1"), acks("7"), json!({"brokerName": "broker-a", "acks": []}).to_string()];
    let expected = [(0, ""), (0, ""), (1, "java.lang.IllegalArgumentException: getRetry fail"), (208, "")];
    for (body, (code, remark)) in
        bodies.into_iter().chain([String::new()]).zip(expected.into_iter().chain([(208, "")]))
    {
        let answer = site.peer.call(RequestCode::BATCH_ACK_MESSAGE, &[], body).await;
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.remark().starts_with(remark), "{answer:?}");
    }
}

#[tokio::test]
async fn a_message_is_hidden_for_longer() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[]).await;
    let handle = handle(&popped, "0");
    for _ in 0..2 {
        let changed = site.change(&handle, "0", "30000").await;
        assert_eq!(verdict(&changed), (0, NOT_SET));
        assert_eq!(field(&changed, "invisibleTime"), "30000");
        assert_eq!(field(&changed, "reviveQid"), field(&popped, "reviveQid"));
        let [later, first] = [&changed, &popped].map(|answer| number(answer, "popTime"));
        assert!(later >= first);
    }
    let outside = site.change(&handle, "4", "30000").await;
    assert_eq!(verdict(&outside), (208, NOT_SET));
    assert_eq!(["popTime", "invisibleTime", "reviveQid"].map(|name| field(&outside, name)), ["0", "0", "0"]);
    let bad = site.change("0 1", "0", "30000").await;
    assert_eq!(bad.code, 1);
    assert!(bad.remark().starts_with("java.lang.IllegalArgumentException: getReviveQid fail"), "{bad:?}");
}

#[tokio::test]
async fn messages_that_nobody_acknowledges_come_again() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[("maxMsgNums", "1"), ("invisibleTime", "3000")]).await;
    let began = Instant::now();
    let taken = site.pop(&[("maxMsgNums", "3")]).await;
    assert_eq!(field(&taken, "msgOffsetInfo"), "0 0 1,2,3");
    let again = site.pop(&[("pollTime", "30000")]).await;
    assert!(began.elapsed() >= Duration::from_millis(2900), "{:?}", began.elapsed());
    assert_eq!(told(&again), ["1 0 0", "1 0 0", "0"]);
    let [message] = &records(&again)[..] else { panic!("{again:?}") };
    assert_eq!((message.topic(), message.reconsume_times()), (site.topic.as_str(), 1));
    assert_eq!(message.property("1ST_POP_TIME"), Some(field(&popped, "popTime").as_str()));
    assert_eq!(message.property("ORIGIN_GROUP"), Some(site.group.as_str()));
    assert_eq!(message.property("POP_CK"), Some(handle(&again, "0").as_str()));
    assert_eq!((message.tags(), &message.body()[..]), (Some("B"), &b"hello"[..]));
    let retry = format!("%RETRY%{}_{}", site.group, site.topic);
    let fields = site.named(&handle(&again, "0"), "0").with(&[("topic", retry.as_str())]);
    assert_eq!(site.peer.call(RequestCode::ACK_MESSAGE, &fields.list(), "").await.code, 0);
    assert_eq!(verdict(&site.pop(&[]).await), NOTHING);
}

#[tokio::test]
async fn pops_wait_for_messages() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    site.pop(&[("maxMsgNums", "32")]).await;
    let began = Instant::now();
    assert_eq!(verdict(&site.pop(&[("pollTime", "1000")]).await), NOTHING);
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&began.elapsed()));
    for queue in ["-1", "0"] {
        let fields = site.request().with(&[("pollTime", "20000"), ("queueId", queue)]);
        let fields = fields.list();
        let other = Peer::new(name_server).await;
        let info = [("consumerGroup", &*site.group), ("topic", &site.topic), ("queueId", queue)];
        let (woken, _) = tokio::join!(other.call(RequestCode::POP_MESSAGE, &fields, ""), async {
            site.peer.until(RequestCode::POLLING_INFO, &info, has("pollingNum", "1")).await;
            site.peer.store(&site.topic, 4, &[("TAGS", "A")]).await
        });
        assert_eq!((verdict(&woken), records(&woken).len()), ((0, "FOUND"), 1), "{queue}");
    }
}

#[tokio::test]
async fn queues_are_popped_in_order() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let ordered = ("order", "true");
    let first = site.pop(&[ordered, ("attemptId", "a")]).await;
    assert_eq!(
        ["reviveQid", "orderCountInfo", "restNum"].map(|name| field(&first, name)),
        ["999", "0 0 0", "2"]
    );
    for _ in 0..2 {
        let blocked = site.pop(&[ordered, ("attemptId", "b")]).await;
        assert_eq!((verdict(&blocked), field(&blocked, "restNum").as_str()), (NOTHING, "0"));
        assert_eq!(site.ack(&handle(&first, "1"), "1").await.code, 0);
    }
    let again = site.pop(&[ordered, ("attemptId", "a")]).await;
    assert_eq!(field(&again, "msgOffsetInfo"), "0 0 0,1");
    let unknown = site.ack(&handle(&again, "3"), "3").await;
    assert_eq!(unknown.code, 13);
    let remark =
        format!("offset is illegal, key:{}@{}@0, old:0, commit:3, next:-1, /", site.topic, site.group);
    assert!(unknown.remark().starts_with(&remark), "{unknown:?}");
    for offset in ["0", "1"] {
        assert_eq!(site.ack(&handle(&again, offset), offset).await.code, 0);
    }
    site.until_committed("2").await;
    let next = site.pop(&[ordered, ("invisibleTime", "1000")]).await;
    assert_eq!(field(&next, "msgOffsetInfo"), "0 0 2,3");
    let over = site.pop(&[ordered, ("pollTime", "20000"), ("invisibleTime", "60000")]).await;
    assert_eq!(field(&over, "orderCountInfo"), "0 qo0%2 1;0 qo0%3 1;0 0 1");
    let hidden = site.change(&handle(&over, "2"), "2", "90000").await;
    assert_eq!((verdict(&hidden), field(&hidden, "popTime")), ((0, NOT_SET), field(&over, "popTime")));
}

#[tokio::test]
async fn consumers_ask_whether_there_is_something_to_pop() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let asked = |site: &GroupPeer, changed: &[(&str, &str)]| site.request().with(changed);
    for (changed, expected) in [
        (&[][..], "true"),
        (&[("queueId", "-1")], "true"),
        (&[("exp", "A"), ("expType", "TAG")], "true"),
        (&[("exp", "C"), ("expType", "TAG")], "false"),
    ] {
        let fields = asked(&site, changed);
        let answer = site.peer.call(RequestCode::NOTIFICATION, &fields.list(), "").await;
        assert_eq!(verdict(&answer), (0, NOT_SET));
        assert_eq!(
            (field(&answer, "hasMsg"), field(&answer, "pollingFull")),
            (expected.into(), "false".into())
        );
    }
    let fields = asked(&site, &[]);
    let peeked = site.peer.call(RequestCode::PEEK_MESSAGE, &fields.list(), "").await;
    assert_eq!((verdict(&peeked), records(&peeked).len()), ((0, "FOUND"), 2));
    assert_eq!(field(&peeked, "restNum"), "4");
    site.pop(&[("maxMsgNums", "32")]).await;
    site.until_committed("4").await;
    let nothing = site.peer.call(RequestCode::PEEK_MESSAGE, &fields.list(), "").await;
    assert_eq!(verdict(&nothing), (19, "NO_MESSAGE_IN_QUEUE"));
    let waiting = asked(&site, &[("pollTime", "20000")]);
    let waiting = waiting.list();
    let held = site.peer.call(RequestCode::NOTIFICATION, &waiting, "");
    let (woken, _) = tokio::join!(held, site.peer.store(&site.topic, 4, &[]));
    assert_eq!(field(&woken, "hasMsg"), "true");
}

#[tokio::test]
async fn a_group_that_was_moved_pops_from_there() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    site.pop(&[]).await;
    site.until_committed("2").await;
    let names = [("group", site.group.as_str()), ("topic", site.topic.as_str()), ("timestamp", "0")];
    let moved = Fields::from(&names).with(&[("isForce", "true")]);
    assert_eq!(site.peer.call(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &moved.list(), "").await.code, 0);
    site.until_committed("0").await;
    let one = [("maxMsgNums", "1")];
    assert_eq!(told(&site.pop(&one).await), ["0 0 0", "0 0 0", "3"]);
    // Until then Apache's broker may hold the queue, and hand out nothing more.
    site.until_committed("1").await;
    assert_eq!(told(&site.pop(&one).await), ["0 0 1", "0 0 1", "2"], "it goes on from there");
    site.until_committed("2").await;
    let in_order = [("maxMsgNums", "1"), ("order", "true")];
    assert_eq!(told(&site.pop(&in_order).await), ["0 0 2", "0 0 2", "1"]);
    assert_eq!(verdict(&site.pop(&in_order).await), NOTHING, "the first holds back the rest");
    assert_eq!(site.peer.call(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &moved.list(), "").await.code, 0);
    assert_eq!(
        told(&site.pop(&[("order", "true")]).await),
        ["0 0 0", "0 0 0,1", "2"],
        "nothing does any more"
    );
}
