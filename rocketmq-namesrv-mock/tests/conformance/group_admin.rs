//! Settings of groups, how far they are, moving them, and asking their members, request by request.

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{
    ConsumeStats, GroupList, OffsetWrapper, ResetOffsetBody, SubscriptionGroupConfig,
    SubscriptionGroupWrapper, TopicList,
};
use rocketmq_remoting::protocol::{ExtFields, LanguageCode, mq_version};
use serde_json::json;

use super::groups::{beat, pull};
use super::peer::{Peer, body, fresh_group, fresh_topic, reply, told};
use crate::stage;

const NULL: &str = "1 \"java.lang.NullPointerException\"";

/// The settings of a group as the broker tells them.
fn config(group: &str, retry_max_times: i32, retry_queue_nums: i32) -> String {
    format!(
        "{{\"attributes\":{{}},\"brokerId\":0,\"consumeBroadcastEnable\":true,\"consumeEnable\":true,\
         \"consumeFromMinEnable\":true,\"consumeMessageOrderly\":false,\"consumeTimeoutMinute\":15,\
         \"groupName\":\"{group}\",\"groupRetryPolicy\":{{\"type\":\"CUSTOMIZED\"}},\"groupSysFlag\":0,\
         \"notifyConsumerIdsChangedEnable\":true,\"retryMaxTimes\":{retry_max_times},\
         \"retryQueueNums\":{retry_queue_nums},\"whichBrokerWhenConsumeSlowly\":1}}"
    )
}

#[tokio::test]
async fn groups_are_created_changed_and_deleted() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, other) = (fresh_group("settings"), fresh_group("list"));
    let of_group = [("group", group.as_str())];
    let settings = json!({ "groupName": group, "retryQueueNums": 2, "retryMaxTimes": 5, "foo": 1 });
    assert_eq!(peer.ask(200, &[], settings.to_string()).await, "0");
    assert_eq!(peer.ask(352, &of_group, "").await, format!("0 {}", config(&group, 5, 2)));
    assert_eq!(peer.ask(200, &[], json!({ "groupName": group }).to_string()).await, "0");
    assert_eq!(peer.ask(352, &of_group, "").await, format!("0 {}", config(&group, 16, 1)), "all is replaced");
    let illegal =
        "29 \"The specified group: a.b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$\"";
    assert_eq!(peer.ask(200, &[], json!({ "groupName": "a.b" }).to_string()).await, illegal);
    assert_eq!(peer.ask(200, &[], "{}").await, "29 \"The specified group is blank.\"");
    assert_eq!(peer.ask(200, &[], "").await, "0");
    assert_eq!(peer.ask(200, &[], "x").await, "1 \"com.alibaba.fastjson2.JSONException\"");
    let attributes = json!({ "groupName": group, "attributes": { "+foo": "1" } });
    assert_eq!(peer.ask(200, &[], attributes.to_string()).await, "1 \"java.lang.RuntimeException\"");

    let list = json!({ "groupConfigList": [{ "groupName": other }, { "groupName": "a.b" }] });
    assert_eq!(peer.ask(225, &[], list.to_string()).await, illegal);
    let all = peer.call(201, &[], "").await;
    assert_eq!((all.code, &all.remark), (0, &None));
    let total = all.ext_fields.get("totalGroupNum").expect("a number").parse::<usize>();
    let groups: SubscriptionGroupWrapper = body(&all);
    assert!(total.is_ok_and(|total| total > 8), "{all:?}");
    assert!(!groups.subscription_group_table.contains_key(&other), "one bad name refuses all");
    let described: SubscriptionGroupConfig = serde_json::from_str(&config(&group, 16, 1)).expect("settings");
    assert_eq!(groups.subscription_group_table[&group], described);
    for standing in ["TOOLS_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY", "CID_RMQ_SYS_TRANS"] {
        assert!(groups.subscription_group_table.contains_key(standing), "{standing}");
    }
    let list = json!({ "groupConfigList": [{ "groupName": other, "retryMaxTimes": 3 }] });
    assert_eq!(peer.ask(225, &[], list.to_string()).await, "0");
    assert_eq!(peer.ask(352, &[("group", &other)], "").await, format!("0 {}", config(&other, 3, 1)));
    assert_eq!(peer.ask(225, &[], "").await, NULL);

    let max_times = async || {
        let all: SubscriptionGroupWrapper = body(&peer.call(201, &[], "").await);
        all.subscription_group_table.get(&other).map(|config| config.retry_max_times)
    };
    assert_eq!(max_times().await, Some(3));
    let mut delete = vec![("groupName", other.as_str())];
    assert_eq!(peer.ask(207, &delete, "").await, "0");
    assert_eq!(max_times().await, Some(16), "it is there again at once");
    delete.push(("cleanOffset", "true"));
    for _ in 0..2 {
        assert_eq!(peer.ask(207, &delete, "").await, "0", "twice does no harm");
        assert_eq!(max_times().await, None);
    }
    assert_eq!(peer.ask(207, &[], "").await, NULL);
    assert_eq!(peer.ask(352, &[("group", &other)], "").await, format!("0 {}", config(&other, 16, 1)));
    assert_eq!(max_times().await, Some(16), "who asks for a group creates it");
    assert_eq!(peer.ask(352, &[("group", "a.b")], "").await, "26 \"No group in this broker\"");
}

#[tokio::test]
async fn a_group_is_moved_to_other_offsets() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("reset"), fresh_topic("reset"));
    for _ in 0..5 {
        peer.send(&topic, &[]).await;
    }
    let of_queue = [("consumerGroup", group.as_str()), ("topic", topic.as_str()), ("queueId", "0")];
    let reset = async |more: &[(&str, &str)]| {
        let fields = [("group", group.as_str()), ("topic", topic.as_str()), ("isForce", "true")];
        peer.ask(222, &[&fields, more].concat(), "").await
    };
    let commit = async |offset: &str| {
        let more = [("commitOffset", offset)];
        peer.ask(15, &[&of_queue[..], &more].concat(), "").await
    };
    let moved = |queue_id: i32, offset: i64| {
        let table = [(MessageQueue::new(topic.as_str(), "broker-a", queue_id), offset)].into();
        let body = rocketmq_remoting::protocol::body::encode_body(&ResetOffsetBody { offset_table: table });
        format!("0 {}", String::from_utf8_lossy(&body.expect("a body")))
    };
    assert_eq!(reset(&[("timestamp", "0")]).await, format!("26 \"Group {group} does not exist\""));
    peer.ask(34, &[], beat("c", &group, &[&topic])).await;
    assert_eq!(commit("4").await, "0 {}");
    assert_eq!(reset(&[("timestamp", "0")]).await, moved(0, 0), "all queues, of which there is one");
    assert_eq!(peer.ask(14, &of_queue, "").await, "0 {offset=0}");
    assert_eq!(commit("3").await, "0 \"Offset has been previously reset\" {}");
    assert_eq!(peer.ask(14, &of_queue, "").await, "0 {offset=0}");
    let sent_there = "21 \"OFFSET_RESET\" {groupSysFlag=0, maxOffset=5, minOffset=0, nextBeginOffset=0, \
                      suggestWhichBrokerId=0, topicSysFlag=0}";
    assert_eq!(pull(&peer, &group, &topic, "0").await, sent_there);
    assert_eq!(pull(&peer, &group, &topic, "0").await, "0 \"FOUND\"", "once is enough");
    assert_eq!(commit("3").await, "0 {}");

    assert_eq!(reset(&[("queueId", "0"), ("offset", "2")]).await, moved(0, 2));
    assert_eq!(reset(&[("queueId", "0"), ("offset", "6")]).await, moved(0, 6), "one behind the end will do");
    for outside in ["7", "-5"] {
        let remark = format!("1 \"Target offset {outside} not in consume queue range [0-5]\"");
        assert_eq!(reset(&[("queueId", "0"), ("offset", outside)]).await, remark);
    }
    assert_eq!(reset(&[("queueId", "0"), ("offset", "-1"), ("timestamp", "-1")]).await, moved(0, 5));
    assert_eq!(reset(&[("queueId", "-3"), ("offset", "2"), ("timestamp", "-7")]).await, moved(0, 5));
    assert_eq!(reset(&[("queueId", "9"), ("offset", "1")]).await, moved(9, 1), "no such queue");
    assert_eq!(reset(&[]).await, moved(0, 0));
    let no_topic = [("group", group.as_str()), ("topic", "no_such_topic"), ("timestamp", "0")];
    assert_eq!(peer.ask(222, &no_topic, "").await, "17 \"Topic no_such_topic does not exist\"");
    assert_eq!(peer.ask(222, &[], "").await, NULL);
}

#[tokio::test]
async fn how_far_a_group_is() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, clone, topic) = (fresh_group("stats"), fresh_group("clone"), fresh_topic("stats"));
    for _ in 0..3 {
        peer.send(&topic, &[]).await;
    }
    let second = peer.stored(&topic, 1).await;
    let stats = async |fields: &[(&str, &str)]| {
        let answer = peer.call(208, fields, "").await;
        assert_eq!((answer.code, answer.ext_fields.is_present(), &answer.remark), (0, false, &None));
        body::<ConsumeStats>(&answer).offset_table
    };
    let queue = MessageQueue::new(topic.as_str(), "broker-a", 0);
    let unread = OffsetWrapper { broker_offset: 3, ..OffsetWrapper::default() };
    let of_topic = [("consumerGroup", group.as_str()), ("topic", topic.as_str())];
    assert_eq!(stats(&of_topic).await, [(queue.clone(), unread)].into(), "nobody knows the group");
    assert!(stats(&[("consumerGroup", &group)]).await.is_empty());
    assert!(stats(&[("consumerGroup", &group), ("topic", "no_such_topic")]).await.is_empty());
    assert_eq!(peer.ask(208, &[], "").await, NULL);

    peer.ask(34, &[], beat("c", &group, &[&topic])).await;
    let commit =
        [("consumerGroup", group.as_str()), ("topic", &topic), ("queueId", "0"), ("commitOffset", "2")];
    assert_eq!(peer.ask(15, &commit, "").await, "0 {}");
    let read = OffsetWrapper {
        broker_offset: 3,
        consumer_offset: 2,
        last_timestamp: second.store_timestamp(),
        pull_offset: 2,
    };
    assert_eq!(stats(&[("consumerGroup", &group)]).await, [(queue, read)].into());
    let unwanted = [("consumerGroup", group.as_str()), ("topic", "TBW102")];
    assert!(stats(&unwanted).await.is_empty(), "a group with members is asked for what it has subscribed to");

    let who =
        async |topic: &str| body::<GroupList>(&peer.call(300, &[("topic", topic)], "").await).group_list;
    let which = async |group: &str| body::<TopicList>(&peer.call(343, &[("group", group)], "").await);
    assert_eq!(who(&topic).await, [group.as_str()]);
    assert!(who("no_such_topic").await.is_empty());
    assert_eq!(which(&group).await.topic_list, [topic.as_str()]);
    assert_eq!(which(&group).await.broker_addr.as_deref(), Some(peer.broker()));
    let mut groups = [("srcGroup", group.as_str()), ("destGroup", clone.as_str()), ("topic", "")];
    assert_eq!(peer.ask(314, &groups, "").await, "0");
    assert!(which(&clone).await.topic_list.is_empty(), "without a topic nothing happens");
    groups[2].1 = &topic;
    assert_eq!(peer.ask(314, &groups, "").await, "0");
    let cloned = [("consumerGroup", clone.as_str()), ("topic", &topic), ("queueId", "0")];
    assert_eq!(peer.ask(14, &cloned, "").await, "0 {offset=2}");
    assert_eq!(peer.ask(207, &[("groupName", &clone), ("cleanOffset", "true")], "").await, "0");
    assert!(which(&clone).await.topic_list.is_empty());
}

#[tokio::test]
async fn members_are_asked_through_the_broker() {
    let name_server = &*stage::name_server().await;
    let (asking, member) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let (group, topic) = (fresh_group("forward"), fresh_topic("forward"));
    let offset = asking.send(&topic, &[("KEYS", "k")]).await;
    let message = asking.stored(&topic, 0).await;
    assert_eq!(message.commit_log_offset(), offset);
    let of_group = [("consumerGroup", group.as_str()), ("clientId", "c")];
    let offline = format!("1 \"The Consumer <{group}> <c> not online\"");
    assert_eq!(asking.ask(307, &of_group, "").await, offline);
    member.ask(34, &[], beat("c", &group, &[&topic])).await;
    member.told().await;

    let more = [("jstackEnable", "true"), ("foo", "bar")];
    let all = [&of_group[..], &more].concat();
    let (answer, ()) = tokio::join!(asking.call(307, &all, "question"), async {
        let (request, responder) = member.hear().await;
        let expected =
            format!("307 {{clientId=c, consumerGroup={group}, foo=bar, jstackEnable=true}} question");
        assert_eq!((told(&request), request.is_oneway()), (expected, false));
        reply(responder, 5, Some("so so"), &[("a", "b")].into_iter().collect(), "answer");
    });
    assert_eq!(told(&answer), "5 \"so so\" {a=b} answer", "the client's answer as it is");
    let from = (answer.language, answer.version);
    assert_eq!(from, (LanguageCode::RUST, mq_version::CURRENT_VERSION), "and it says who gave it");

    let direct = [("msgId", message.offset_msg_id()), ("topic", topic.as_str())];
    let direct = [&of_group[..], &direct].concat();
    let (answer, ()) = tokio::join!(asking.ask(309, &direct, ""), async {
        let (mut request, responder) = member.hear().await;
        let body = std::mem::take(&mut request.body);
        let expected = format!(
            "309 {{brokerName=broker-a, clientId=c, consumerGroup={group}, groupSysFlag=0, msgId={}, topic={topic}, \
             topicSysFlag=0}}",
            message.offset_msg_id()
        );
        assert_eq!(told(&request), expected);
        let record = rocketmq_common::record::RecordDecoder::new(body).next().expect("one record");
        assert_eq!(record.expect("a readable record").offset_msg_id(), message.offset_msg_id());
        reply(responder, 0, None, &ExtFields::absent(), "{}");
    });
    assert_eq!(answer, "0 {}");
    assert_eq!(asking.ask(309, &of_group, "").await, NULL);

    let of_topic = [("group", group.as_str()), ("topic", topic.as_str())];
    let table = format!("{{{{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"{topic}\"}}:12}}");
    let (answer, ()) = tokio::join!(asking.ask(223, &of_topic, ""), async {
        let (request, responder) = member.hear().await;
        assert_eq!(told(&request), format!("221 {{group={group}, topic={topic}}}"));
        let body = format!("{{\"messageQueueTable\":{table}}}");
        reply(responder, 0, None, &ExtFields::absent(), &body);
    });
    let expected = format!(
        "0 \"not set any response code\" {{\"consumerTable\":{{\"c\":{table}}},\"messageQueueTable\":{{}}}}"
    );
    assert_eq!(answer, expected);
    let nobody = "0 \"not set any response code\" {\"consumerTable\":{},\"messageQueueTable\":{}}";
    let of_other = [("group", group.as_str()), ("topic", topic.as_str()), ("clientAddr", "other")];
    assert_eq!(asking.ask(223, &of_other, "").await, nobody);
    assert_eq!(asking.ask(223, &[("group", "no_such_group"), ("topic", &topic)], "").await, NULL);
}
