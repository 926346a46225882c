//! Requests that few tools send, and those about parts that a broker has switched off by default.

use serde_json::{Value, json};

use super::peer::{Peer, field, fresh_topic, is_success};
use crate::stage;

fn topics(topics: &[Value]) -> String {
    json!({ "topicConfigList": topics }).to_string()
}

#[tokio::test]
async fn several_topics_are_created_at_once() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let [first, second, third] = [(); 3].map(|()| fresh_topic("list"));
    let done = "0 \"not set any response code\"";
    let queues = |topic: &str, queues: i32| json!({ "topicName": topic, "readQueueNums": queues, "writeQueueNums": queues, "perm": 6 });
    assert_eq!(peer.ask(18, &[], topics(&[queues(&first, 3), queues(&second, 5)])).await, done);
    let of = async |topic: &str| peer.ask(351, &[("topic", topic)], "").await;
    assert!(of(&first).await.contains("\"writeQueueNums\":3"), "{}", of(&first).await);
    assert!(of(&second).await.contains("\"writeQueueNums\":5"));
    peer.until_route(name_server, &second).await;
    // A topic that is there as it is wanted ends the work on the list.
    assert_eq!(peer.ask(18, &[], topics(&[queues(&first, 3), queues(&third, 1)])).await, done);
    assert!(of(&third).await.starts_with("17 "), "{}", of(&third).await);
    assert_eq!(peer.ask(18, &[], topics(&[queues(&first, 4), json!({ "topicName": third })])).await, done);
    assert!(of(&first).await.contains("\"writeQueueNums\":4"));
    assert!(of(&third).await.contains("\"writeQueueNums\":16"));

    let bad =
        "29 \"The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$\"";
    let other = fresh_topic("list");
    assert_eq!(peer.ask(18, &[], topics(&[queues(&other, 1), queues("a b", 1)])).await, bad);
    assert!(of(&other).await.starts_with("17 "), "no topic of a bad list is made");
    let system = "29 \"The topic[SELF_TEST_TOPIC] is conflict with system topic.\"";
    assert_eq!(peer.ask(18, &[], topics(&[queues("SELF_TEST_TOPIC", 1)])).await, system);
    let mut odd = queues(&other, 1);
    odd["attributes"] = json!({ "+foo": "x" });
    assert_eq!(peer.ask(18, &[], topics(&[odd.clone()])).await, "1 \"unsupported key: foo\"");
    odd["attributes"] = json!({ "+message.type": "FIFO" });
    assert_eq!(peer.ask(18, &[], topics(&[odd])).await, done);
    assert!(of(&other).await.contains("{\"message.type\":\"FIFO\"}"));
    assert_eq!(peer.ask(18, &[], topics(&[])).await, done);
    for body in ["", "{}"] {
        assert_eq!(peer.ask(18, &[], body).await, "1 \"java.lang.NullPointerException\"");
    }
    assert_eq!(peer.ask(18, &[], "x").await, "1 \"com.alibaba.fastjson2.JSONException\"");
}

#[tokio::test]
async fn groups_have_to_be_named() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    for code in [343, 314] {
        assert_eq!(peer.ask(code, &[], "").await, "1 \"java.lang.NullPointerException\"");
    }
    assert!(peer.ask(343, &[("group", "nobody")], "").await.ends_with("\"topicList\":[]}"));
    assert_eq!(peer.ask(314, &[("srcGroup", "nobody")], "").await, "0");
}

#[tokio::test]
async fn a_code_that_was_cut_to_sixteen_bits_is_unknown() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    // What Java's client makes of the codes of pop, ack and the rest where headers are binary.
    for code in [200_050, 200_051, 200_053, 200_151] {
        let cut = code & 0xFFFF;
        assert_eq!(peer.ask(cut, &[], "").await, format!("3 \" request type {cut} not supported\""));
    }
}

#[tokio::test]
async fn a_half_is_asked_about_anew() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("resume");
    let id = field(&peer.store(&topic, 1, &[("TRAN_MSG", "true"), ("PGROUP", "nobody")]).await, "msgId");
    let again = peer.until(323, &[("topic", &topic), ("msgId", &id)], is_success).await;
    assert_eq!(again.code, 0);
    let failed = "1 \"Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.\"";
    let nowhere = format!("{}{:016X}", &id[..16], 0x3FFF_FFFF);
    for fields in [&[][..], &[("msgId", "xyz")], &[("msgId", &nowhere)]] {
        assert_eq!(peer.ask(323, fields, "").await, failed, "{fields:?}");
    }
}

#[tokio::test]
async fn waiting_timers_are_counted() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("timers");
    let checkpoint = peer.call(60, &[], "").await;
    assert_eq!((checkpoint.code, checkpoint.body.len()), (0, 56));
    peer.store(&topic, 1, &[("TIMER_DELAY_SEC", "3")]).await;
    for count in [1, 0] {
        peer.until(61, &[], |answer| {
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            body["timingCount"][&topic]["count"] == count
        })
        .await;
    }
}

#[tokio::test]
async fn parts_that_are_switched_off_answer_so() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("plain");
    peer.store(&topic, 1, &[]).await;
    assert_eq!(peer.ask(200_056, &[], "").await, "0 \"not set any response code\"");
    let no_filter = peer.call(513, &[], "").await;
    assert!(no_filter.code == 1 && no_filter.remark().contains("topicFilterType = [null] value invalid"));

    // Light topics.
    let info: Value = serde_json::from_slice(&peer.call(200_074, &[], "").await.body).expect("JSON");
    assert_eq!((&info["maxLmqNum"], &info["groupMeta"]), (&json!(20_000), &json!({})));
    for (code, name) in [(200_075, "topic"), (200_076, "parentTopic"), (200_077, "parentTopic")] {
        assert_eq!(peer.ask(code, &[], "").await, "1 \"java.lang.NullPointerException\"");
        let more = [("group", "CID_X"), ("liteTopic", "l"), ("clientId", "c"), ("maxCount", "1")];
        let of = |topic| [&more[..], &[(name, topic)]].concat();
        let plain = format!("29 \"Topic [{topic}] type not match.\"");
        assert_eq!(peer.ask(code, &of(&topic), "").await, plain, "{code}");
        assert_eq!(peer.ask(code, &of("NoSuch"), "").await, "17 \"Topic [NoSuch] not exist.\"", "{code}");
    }
    for code in [200_078, 200_079] {
        assert_eq!(peer.ask(code, &[], "").await, "1 \"java.lang.NullPointerException\"");
        let fields = [("group", "TOOLS_CONSUMER"), ("clientId", "c"), ("liteTopic", "l"), ("topK", "1")];
        let remark = "29 \"Group [TOOLS_CONSUMER] is not a LITE group.\"";
        assert_eq!(peer.ask(code, &fields, "").await, remark, "{code}");
    }
    assert_eq!(peer.ask(200_070, &[], "").await, "1 \"java.lang.NullPointerException\"");
    assert_eq!(peer.ask(200_071, &[], "").await, "604 \"Request body is null.\"");
    assert_eq!(peer.ask(200_071, &[], "{}").await, "604 \"LiteSubscriptionCtlRequestBody is empty.\"");

    // Users and rules.
    let user = [("username", "u"), ("subject", "User:u"), ("policyType", "Custom"), ("resource", "Topic:x")];
    let body = json!({
        "username": "u", "password": "p12345678", "userType": "Normal", "subject": "User:u",
        "policies": [{ "policyType": "Custom", "entries": [{ "resource": "Topic:x", "actions": ["Pub"], "decision": "Allow" }] }],
    });
    for code in 3001..=3009 {
        let failed = "1 \"An system error occurred, please try again later.\"";
        assert_eq!(peer.ask(code, &user, body.to_string()).await, failed, "{code}");
    }
    for (code, expected) in [
        (3001, "29 \"The username is blank\""),
        (3002, "29 \"The username is blank\""),
        (3003, "16 \"username can not be blank\""),
        (3004, "29 \"The username is blank\""),
        (3005, "1 \"An system error occurred, please try again later.\""),
        (3008, "16 \"The subject is null.\""),
        (3009, "16 \"The subject is null.\""),
        (3010, "1 \"java.lang.IllegalStateException\""),
    ] {
        assert_eq!(peer.ask(code, &[], "").await, expected, "{code}");
    }
    for code in [3006, 3007] {
        let refused = peer.call(code, &[], "").await;
        assert!(refused.remark().contains("The body of acl is null"), "{refused:?}");
    }
}
