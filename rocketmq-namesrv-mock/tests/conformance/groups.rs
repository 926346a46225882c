//! Members of consumer groups, their subscriptions and their locks, request by request.

use rocketmq_common::MessageQueue;
use rocketmq_common::java_hash::java_string_hash;
use rocketmq_remoting::protocol::body::{
    ConsumerConnection, GetConsumerListByGroupResponseBody, LockBatchResponseBody,
};
use serde_json::{Value, json};

use super::peer::{Peer, body, fresh_group, fresh_topic, pull_fields, told};
use crate::stage;

/// The answer to the first version of heartbeats.
const ALIVE: &str = "0 {IS_SUB_CHANGE=true, IS_SUPPORT_HEART_BEAT_V2=true}";

pub(crate) fn subscription(topic: &str, expression: &str, version: i64) -> Value {
    let tags: Vec<&str> = if expression == "*" { Vec::new() } else { vec![expression] };
    let codes: Vec<i32> = tags.iter().map(|tag| java_string_hash(tag)).collect();
    json!({
        "classFilterMode": false, "codeSet": codes, "expressionType": "TAG", "subString": expression,
        "subVersion": version, "tagsSet": tags, "topic": topic,
    })
}

pub(crate) fn consumer(group: &str, subscriptions: &[Value]) -> Value {
    json!({
        "groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "unitMode": false, "subscriptionDataSet": subscriptions,
    })
}

pub(crate) fn heartbeat(client_id: &str, consumers: &[Value]) -> Value {
    json!({
        "clientID": client_id, "consumerDataSet": consumers, "heartbeatFingerprint": 0, "producerDataSet": [],
        "withoutSub": false,
    })
}

/// A heartbeat of a consumer that wants all of some topics.
pub(crate) fn beat(client_id: &str, group: &str, topics: &[&str]) -> String {
    let subscriptions: Vec<_> = topics.iter().map(|topic| subscription(topic, "*", 1)).collect();
    heartbeat(client_id, &[consumer(group, &subscriptions)]).to_string()
}

fn changed(group: &str) -> String {
    format!("40 {{consumerGroup={group}}}")
}

async fn members(peer: &Peer, group: &str) -> Vec<String> {
    let answer = peer.call(38, &[("consumerGroup", group)], "").await;
    assert_eq!((answer.code, answer.ext_fields.is_present(), answer.ext_fields.is_empty()), (0, true, true));
    let mut list = body::<GetConsumerListByGroupResponseBody>(&answer).consumer_id_list;
    list.sort();
    list
}

#[tokio::test]
async fn members_come_and_go_and_the_others_are_told() {
    let name_server = &*stage::name_server().await;
    let (first, second) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let (group, topic) = (fresh_group("members"), fresh_topic("members"));
    let nobody = format!("1 \"no consumer for this group, {group}\" {{}}");
    assert_eq!(first.ask(38, &[("consumerGroup", &group)], "").await, nobody);
    assert_eq!(first.ask(34, &[], beat("c1", &group, &[&topic])).await, ALIVE);
    assert_eq!(first.told().await, changed(&group), "the newcomer is told, too");
    assert_eq!(second.ask(34, &[], beat("c2", &group, &[&topic])).await, ALIVE);
    assert_eq!([first.told().await, second.told().await], [changed(&group), changed(&group)]);
    assert_eq!(members(&first, &group).await, ["c1", "c2"]);

    let third = Peer::new(name_server).await;
    assert_eq!(third.ask(34, &[], beat("c2", &group, &[&topic])).await, ALIVE);
    assert_eq!([first.told().await, second.told().await], [changed(&group), changed(&group)]);
    assert_eq!(members(&first, &group).await, ["c1", "c2", "c2"], "each connection counts");
    third.leave().await;
    assert_eq!([first.told().await, second.told().await], [changed(&group), changed(&group)]);

    let leave = [("clientID", "c2"), ("consumerGroup", group.as_str())];
    assert_eq!(second.ask(35, &leave, "").await, "0 {}");
    assert_eq!(first.told().await, changed(&group));
    assert_eq!(members(&first, &group).await, ["c1"]);
    assert_eq!(second.ask(35, &leave, "").await, "0 {}", "whoever has left may leave again");
    assert_eq!(first.told().await, changed(&group), "and the others are told again");
    assert_eq!(first.ask(35, &leave, "").await, "0 {}");
    assert_eq!(second.ask(38, &[("consumerGroup", &group)], "").await, nobody);
    assert_eq!(second.ask(38, &[], "").await, "1 \"java.lang.NullPointerException\"");
    assert_eq!(second.ask(35, &[], "").await, "0 {}");
}

#[tokio::test]
async fn other_topics_are_told_and_other_expressions_are_not() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, other) = (fresh_group("topics"), fresh_group("other"));
    let (topic, more) = (fresh_topic("topics"), fresh_topic("more"));
    let beat = |subscriptions: &[Value]| heartbeat("c", &[consumer(&group, subscriptions)]).to_string();
    peer.ask(34, &[], beat(&[subscription(&topic, "*", 1)])).await;
    assert_eq!(peer.told().await, changed(&group));
    peer.ask(34, &[], beat(&[subscription(&topic, "*", 1)])).await;
    peer.ask(34, &[], beat(&[subscription(&topic, "A", 2)])).await;
    peer.ask(34, &[], heartbeat("c", &[consumer(&other, &[])]).to_string()).await;
    assert_eq!(peer.told().await, changed(&other), "nothing was told in between");
    peer.ask(34, &[], beat(&[subscription(&topic, "A", 2), subscription(&more, "*", 2)])).await;
    assert_eq!(peer.told().await, changed(&group));
    peer.ask(34, &[], beat(&[subscription(&more, "*", 1)])).await;
    assert_eq!(peer.told().await, changed(&group));
    let kept = peer.ask(345, &[("group", &group), ("topic", &more)], "").await;
    assert!(kept.contains("\"subVersion\":2"), "an older version changes nothing: {kept}");
    let gone = peer.ask(345, &[("group", &group), ("topic", &topic)], "").await;
    assert_eq!(gone, format!("0 {{\"group\":\"{group}\",\"topic\":\"{topic}\"}}"));
}

#[tokio::test]
async fn some_groups_are_told_nothing() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (broadcasting, deaf, last) = (fresh_group("broadcasting"), fresh_group("deaf"), fresh_group("last"));
    let settings = json!({ "groupName": deaf, "notifyConsumerIdsChangedEnable": false });
    assert_eq!(peer.ask(200, &[], settings.to_string()).await, "0");
    let mut data = consumer(&broadcasting, &[]);
    data["messageModel"] = "BROADCASTING".into();
    assert_eq!(peer.ask(34, &[], heartbeat("c", &[data, consumer(&deaf, &[])]).to_string()).await, ALIVE);
    assert_eq!(members(&peer, &broadcasting).await, ["c"]);
    let second = Peer::new(name_server).await;
    second.ask(34, &[], heartbeat("d", &[consumer(&deaf, &[])]).to_string()).await;
    second.ask(35, &[("clientID", "d"), ("consumerGroup", &deaf)], "").await;
    assert_eq!(members(&peer, &deaf).await, ["c"]);
    peer.ask(34, &[], heartbeat("c", &[consumer(&last, &[])]).to_string()).await;
    assert_eq!(peer.told().await, changed(&last), "nothing was told before");
}

#[tokio::test]
async fn a_fingerprint_tells_whether_the_subscriptions_changed() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("fingerprint"), fresh_topic("fingerprint"));
    peer.send(&topic, &[]).await;
    let mut data = heartbeat("c", &[consumer(&group, &[subscription(&topic, "*", 1)])]);
    for (fingerprint, is_changed) in [(7, false), (7, false), (8, true), (8, false), (0, true), (9, true)] {
        data["heartbeatFingerprint"] = fingerprint.into();
        let expected = format!("0 {{IS_SUB_CHANGE={is_changed}, IS_SUPPORT_HEART_BEAT_V2=true}}");
        assert_eq!(peer.ask(34, &[], data.to_string()).await, expected, "{fingerprint}");
    }
    data["withoutSub"] = true.into();
    data["consumerDataSet"][0]["subscriptionDataSet"] = json!([]);
    peer.ask(34, &[], data.to_string()).await;
    assert_eq!(pull(&peer, &group, &topic, "0").await, "0 \"FOUND\"", "what was subscribed stays");
    data["heartbeatFingerprint"] = 0.into();
    peer.ask(34, &[], data.to_string()).await;
    assert!(
        pull(&peer, &group, &topic, "0").await.starts_with("24 "),
        "the first version knows no such thing"
    );
}

#[tokio::test]
async fn heartbeats_that_cannot_be_read_are_errors() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    for (bytes, expected) in [
        ("", "1 \"java.lang.NullPointerException\""),
        ("null", "1 \"java.lang.NullPointerException\""),
        ("x", "1 \"com.alibaba.fastjson2.JSONException\""),
        ("[]", "1 \"com.alibaba.fastjson2.JSONException\""),
        ("{}", ALIVE),
    ] {
        assert_eq!(peer.ask(34, &[], bytes).await, expected, "{bytes}");
    }
    let nobody = "1 \"no consumer for this group, a.b\" {}";
    assert_eq!(peer.ask(34, &[], beat("c", "a.b", &[])).await, ALIVE);
    assert_eq!(peer.ask(38, &[("consumerGroup", "a.b")], "").await, nobody, "no group can have this name");
}

#[tokio::test]
async fn who_is_connected() {
    let name_server = &*stage::name_server().await;
    let (peer, other) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let (group, topic) = (fresh_group("connected"), fresh_topic("connected"));
    let nobody = format!("206 \"the consumer group[{group}] not online\"");
    assert_eq!(peer.ask(203, &[("consumerGroup", &group)], "").await, nobody);
    assert_eq!(peer.ask(203, &[], "").await, "1 \"java.lang.NullPointerException\"");
    peer.ask(34, &[], beat("c1", &group, &[&topic])).await;
    let mut data = consumer(&group, &[subscription(&topic, "A", 2)]);
    data["consumeType"] = "CONSUME_ACTIVELY".into();
    data["messageModel"] = "BROADCASTING".into();
    other.ask(34, &[], heartbeat("c2", &[data]).to_string()).await;
    let answer = peer.call(203, &[("consumerGroup", &group)], "").await;
    assert_eq!((answer.code, answer.ext_fields.is_present(), &answer.remark), (0, false, &None));
    let found: ConsumerConnection = body(&answer);
    let mut clients: Vec<_> = found.connection_set.iter().map(|one| one.client_id.as_str()).collect();
    clients.sort_unstable();
    assert_eq!(clients, ["c1", "c2"]);
    assert!(found.connection_set.iter().all(|one| one.client_addr.starts_with("127.0.0.1:")));
    // The last heartbeat speaks for all.
    let mode = [found.consume_type.name(), found.message_model.name(), found.consume_from_where.name()];
    assert_eq!(mode, ["CONSUME_ACTIVELY", "BROADCASTING", "CONSUME_FROM_FIRST_OFFSET"]);
    let table = serde_json::to_value(&found.subscription_table).expect("it was read");
    assert_eq!(table, json!({ &topic: subscription(&topic, "A", 2) }));
}

/// The answer to a pull without a subscription of its own; with fields and body only if the pull fails.
pub(crate) async fn pull(peer: &Peer, group: &str, topic: &str, sub_version: &str) -> String {
    let asked = [("maxMsgNums", "1"), ("subVersion", sub_version), ("expressionType", "TAG")];
    let fields = pull_fields(group, topic).with(&asked);
    let mut answer = peer.call(11, &fields.list(), "").await;
    if answer.code == 0 {
        answer.body.clear();
        answer.ext_fields = rocketmq_remoting::protocol::ExtFields::absent();
    }
    told(&answer)
}

#[tokio::test]
async fn a_pull_needs_a_subscription_that_is_new_enough() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic, other) = (fresh_group("pull"), fresh_topic("pull"), fresh_topic("unwanted"));
    peer.send(&topic, &[]).await;
    peer.send(&other, &[]).await;
    let see = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";
    let no_group = format!("24 \"the consumer's group info not exist{see}\" {{}}");
    assert_eq!(pull(&peer, &group, &topic, "0").await, no_group);
    let data = heartbeat("c", &[consumer(&group, &[subscription(&topic, "*", 5)])]).to_string();
    peer.ask(34, &[], data.clone()).await;
    assert_eq!(pull(&peer, &group, &topic, "5").await, "0 \"FOUND\"");
    assert_eq!(pull(&peer, &group, &topic, "6").await, "25 \"the consumer's subscription not latest\" {}");
    let no_topic = format!("24 \"the consumer's subscription not exist{see}\" {{}}");
    assert_eq!(pull(&peer, &group, &other, "0").await, no_topic);

    let set = async |settings: Value| assert_eq!(peer.ask(200, &[], settings.to_string()).await, "0");
    set(json!({ "groupName": group, "consumeEnable": false })).await;
    let no_group = format!("16 \"subscription group no permission, {group}\" {{forbiddenType=2}}");
    assert_eq!(pull(&peer, &group, &topic, "0").await, no_group);
    let pop = [
        ("consumerGroup", group.as_str()),
        ("topic", &topic),
        ("queueId", "0"),
        ("maxMsgNums", "1"),
        ("invisibleTime", "60000"),
        ("pollTime", "0"),
        ("bornTime", "0"),
        ("initMode", "0"),
    ];
    let popped = peer.call(200_050, &pop, "").await;
    assert_eq!((popped.code, popped.remark()), (16, &*format!("subscription group no permission, {group}")));
    set(json!({ "groupName": group, "consumeBroadcastEnable": false })).await;
    assert_eq!(pull(&peer, &group, &topic, "0").await, "0 \"FOUND\"");
    let forbidden = |readable: bool| {
        format!("0 \"\" {{\"group\":\"{group}\",\"readable\":{readable},\"topic\":\"{topic}\"}}")
    };
    let of_topic = |readable| [("group", group.as_str()), ("topic", topic.as_str()), ("readable", readable)];
    assert_eq!(peer.ask(353, &of_topic("false"), "").await, forbidden(false));
    let remark =
        format!("16 \"the consumer group[{group}] is forbidden for topic[{topic}]\" {{forbiddenType=5}}");
    assert_eq!(pull(&peer, &group, &topic, "0").await, remark);
    peer.ask(34, &[], data.replace("CLUSTERING", "BROADCASTING")).await;
    let remark =
        format!("16 \"the consumer group[{group}] can not consume by broadcast way\" {{forbiddenType=4}}");
    assert_eq!(pull(&peer, &group, &topic, "0").await, remark);
    peer.ask(34, &[], data).await;
    assert_eq!(peer.ask(353, &of_topic("true"), "").await, forbidden(true));
    assert_eq!(pull(&peer, &group, &topic, "0").await, "0 \"FOUND\"");
}

#[tokio::test]
async fn queues_are_locked_for_one_client() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("locks"), fresh_topic("locks"));
    let queue = |queue_id: i32| MessageQueue::new(topic.as_str(), "broker-a", queue_id);
    let request = |client_id: &str, queue_ids: &[i32]| {
        let queues: Vec<_> = queue_ids.iter().copied().map(queue).collect();
        json!({ "consumerGroup": group, "clientId": client_id, "mqSet": queues, "onlyThisBroker": false })
            .to_string()
    };
    let lock = async |client_id: &str, queue_ids: &[i32]| {
        let answer = peer.call(41, &[], request(client_id, queue_ids)).await;
        assert_eq!((answer.code, answer.ext_fields.is_present(), &answer.remark), (0, false, &None));
        let locked = body::<LockBatchResponseBody>(&answer).lock_ok_mq_set;
        let mut locked: Vec<i32> = locked.iter().map(MessageQueue::queue_id).collect();
        locked.sort_unstable();
        locked
    };
    assert_eq!(lock("a", &[0, 1]).await, [0, 1]);
    assert_eq!(lock("b", &[0, 1, 2]).await, [2], "what is refused is missing");
    assert_eq!(lock("a", &[0, 1]).await, [0, 1], "the owner may ask again");
    assert_eq!(peer.ask(42, &[], request("b", &[0, 2])).await, "0");
    assert_eq!(lock("c", &[0, 1, 2]).await, [2], "only the owner can unlock");
    assert_eq!(peer.ask(42, &[], request("a", &[0, 1])).await, "0");
    assert_eq!(lock("c", &[0, 1, 2]).await, [0, 1, 2]);
    assert_eq!(peer.ask(41, &[], "{}").await, "0 {\"lockOKMQSet\":[]}");
    for code in [41, 42] {
        assert_eq!(peer.ask(code, &[], "").await, "1 \"java.lang.NullPointerException\"");
        assert_eq!(peer.ask(code, &[], "x").await, "1 \"com.alibaba.fastjson2.JSONException\"");
    }
}
