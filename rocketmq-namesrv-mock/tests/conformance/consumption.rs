//! The progress of groups, summed up by brokers: 43, 45, 303, 308, 315, 317, 402.

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use serde_json::{Value, json};

use super::peer::{GroupPeer, is_success, verdict};
use crate::stage;

/// Three messages in the first queue of four, and a group that has committed two of them.
async fn new_site(name_server: &str) -> GroupPeer {
    let site = GroupPeer::new(name_server, "consumption", &["A", "A", "A"]).await;
    site.commit(&site.group, "0", "2").await;
    site
}

impl GroupPeer {
    /// Commits an offset of a group, which is made if it is new.
    async fn commit(&self, group: &str, queue_id: &str, offset: &str) {
        let made = self.peer.call(RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", group)], "").await;
        assert!(is_success(&made), "{made:?}");
        let names = [("consumerGroup", group), ("topic", self.topic.as_str())];
        let numbers = [("queueId", queue_id), ("commitOffset", offset)];
        let fields = [names, numbers].concat();
        let committed = self.peer.call(RequestCode::UPDATE_CONSUMER_OFFSET, &fields, "").await;
        assert!(is_success(&committed), "{committed:?}");
    }

    /// The body of a successful answer, which is no strict JSON where queues and numbers are keys.
    async fn text(&self, code: RequestCode, fields: &[(&str, &str)]) -> String {
        let answer = self.peer.call(code, fields, "").await;
        assert_eq!((verdict(&answer), answer.ext_fields.is_present()), ((0, ""), false));
        String::from_utf8(answer.body.to_vec()).expect("a text")
    }

    /// When the queues were written and read, by the group.
    async fn time_spans(&self) -> Vec<Value> {
        let fields = [("topic", self.topic.as_str()), ("group", self.group.as_str())];
        let text = self.text(RequestCode::QUERY_CONSUME_TIME_SPAN, &fields).await;
        let mut body: Value = serde_json::from_str(&text).expect("JSON");
        serde_json::from_value(body["consumeTimeSpanSet"].take()).expect("queues")
    }

    /// When a message was stored.
    async fn stored_at(&self, offset: i64) -> i64 {
        self.peer.stored(&self.topic, offset).await.store_timestamp()
    }
}

fn json_of(answer: &RemotingCommand) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn all_groups_are_summed_up() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let (topic, group) = (&site.topic, &site.group);
    let last = site.stored_at(1).await;
    let text = site.text(RequestCode::GET_BROKER_CONSUME_STATS, &[("isOrder", "false")]).await;
    let queue = |queue_id: i32, offsets: &str| {
        format!("{{\"brokerName\":\"broker-a\",\"queueId\":{queue_id},\"topic\":\"{topic}\"}}:{offsets}")
    };
    let first =
        format!("{{\"brokerOffset\":3,\"consumerOffset\":2,\"lastTimestamp\":{last},\"pullOffset\":0}}");
    let empty = "{\"brokerOffset\":0,\"consumerOffset\":0,\"lastTimestamp\":0,\"pullOffset\":0}";
    for expected in [queue(0, &first), queue(1, empty), queue(3, empty)] {
        assert!(text.contains(&expected), "{expected} is not in {text}");
    }
    assert!(text.starts_with("{\"brokerAddr\":\"127.0.0.1:"), "{text}");
    assert!(text.contains("\"totalDiff\":") && text.contains("\"totalInflightDiff\":"), "{text}");
    assert!(text.contains(&format!("{{\"{group}\":[{{\"consumeTps\":")), "{text}");
    let ordered = site.text(RequestCode::GET_BROKER_CONSUME_STATS, &[("isOrder", "true")]).await;
    assert!(ordered.contains(&format!("{{\"{group}\":[]}}")), "its topic is none that is ordered: {ordered}");
}

#[tokio::test]
async fn queues_tell_when_they_were_written_and_read() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let stored = [site.stored_at(0).await, site.stored_at(1).await, site.stored_at(2).await];
    let spans = site.time_spans().await;
    assert_eq!(spans.len(), 4);
    let times =
        |span: &Value| ["minTimeStamp", "consumeTimeStamp", "maxTimeStamp"].map(|name| span[name].as_i64());
    assert_eq!(times(&spans[0]), stored.map(Some));
    let queue = json!({"brokerName": "broker-a", "queueId": 0, "topic": site.topic});
    assert_eq!(spans[0]["messageQueue"], queue);
    assert!((0..600_000).contains(&spans[0]["delayTime"].as_i64().expect("a time")), "{}", spans[0]);
    let written = spans[0]["minTimeStampStr"].as_str().expect("a text");
    assert_eq!((written.len(), &written[19..]), (23, &*format!(":{:03}", stored[0] % 1000)), "{written}");
    assert_eq!(times(&spans[1]), [Some(-1); 3]);
    assert!(spans[1]["delayTime"].as_i64() > Some(1_700_000_000_000), "nobody ever read there: {}", spans[1]);
    site.commit(&site.group, "0", "3").await;
    assert_eq!(site.time_spans().await[0]["delayTime"], 0);
    let unknown = [("topic", "no_such_topic"), ("group", site.group.as_str())];
    let answer = site.peer.call(RequestCode::QUERY_CONSUME_TIME_SPAN, &unknown, "").await;
    assert_eq!(verdict(&answer), (17, "topic[no_such_topic] not exist"));
}

#[tokio::test]
async fn offsets_of_groups_are_compared_and_listed() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let (topic, group) = (&site.topic, &site.group);
    let other = format!("{group}_other");
    site.commit(&other, "0", "1").await;
    site.commit(&other, "1", "0").await;
    let correct = RequestCode::QUERY_CORRECTION_OFFSET;
    let lowest = site.text(correct, &[("topic", topic), ("compareGroup", group)]).await;
    assert_eq!(lowest, "{\"correctionOffsets\":{0:1,1:0}}");
    let table = site.text(RequestCode::GET_ALL_CONSUMER_OFFSET, &[]).await;
    for expected in [
        format!("\"{topic}@{group}\":{{0:2}}"),
        format!("\"{topic}@{other}\":{{0:1,1:0}}"),
        format!("\"{other}\":[\"{topic}\"]"),
    ] {
        assert!(table.contains(&expected), "{expected} is not in {table}");
    }
    let without = [("topic", topic.as_str()), ("compareGroup", group), ("filterGroups", &other)];
    assert_eq!(site.text(correct, &without).await, "{\"correctionOffsets\":{0:2}}");
    let table = site.text(RequestCode::GET_ALL_CONSUMER_OFFSET, &[]).await;
    assert!(!table.contains(&other), "what is left out is lost: {table}");
}

#[tokio::test]
async fn messages_are_counted_by_topic_and_group() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    for offset in ["0", "1"] {
        let pull = super::peer::pull_fields(&site.group, &site.topic).with(&[("queueOffset", offset)]);
        let pull = pull.with(&[("sysFlag", "4"), ("subscription", "*"), ("maxMsgNums", "1")]);
        let pulled = site.peer.call(RequestCode::PULL_MESSAGE, &pull.list(), "").await;
        assert!(is_success(&pulled), "{pulled:?}");
    }
    let key = format!("{}@{}", site.topic, site.group);
    for (name, key, expected) in [("TOPIC_PUT_NUMS", &site.topic, 3), ("GROUP_GET_NUMS", &key, 2)] {
        let fields = [("statsName", name), ("statsKey", key.as_str())];
        // Apache's broker counts in steps of ten seconds.
        let counted = |answer: &RemotingCommand| {
            is_success(answer) && json_of(answer)["statsMinute"]["sum"] == expected
        };
        let answer = site.peer.until(RequestCode::VIEW_BROKER_STATS_DATA, &fields, counted).await;
        let minute = &json_of(&answer)["statsMinute"];
        assert_eq!(minute["avgpt"], 1.0, "{name}: {minute}");
        assert!(minute["tps"].as_f64() > Some(0.0), "{name}: {minute}");
    }
}

#[tokio::test]
async fn ways_of_groups_and_delay_levels_are_listed() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let (topic, group) = (&site.topic, &site.group);
    let mode = json!({"topic": topic, "consumerGroup": group, "mode": "POP", "popShareQueueNum": 3});
    let set = site.peer.call(RequestCode::SET_MESSAGE_REQUEST_MODE, &[], mode.to_string()).await;
    assert!(is_success(&set), "{set:?}");
    let modes = site.text(RequestCode::GET_ALL_MESSAGE_REQUEST_MODE, &[]).await;
    let modes: Value = serde_json::from_str(&modes).expect("JSON");
    assert_eq!(modes["messageRequestModeMap"][topic][group], mode);

    site.peer.store(topic, 4, &[("DELAY", "1")]).await;
    site.peer.until_visible(topic, 4).await;
    let delivered = |answer: &RemotingCommand| {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(text.starts_with("{\"dataVersion\":{\"counter\":"), "{text}");
        text.contains("\"offsetTable\":{1:")
    };
    site.peer.until(RequestCode::GET_ALL_DELAY_OFFSET, &[], delivered).await;
    let figures = json_of(&site.peer.call(RequestCode::GET_BROKER_RUNTIME_INFO, &[], "").await);
    assert!(figures["table"]["scheduleMessageOffset_1"].is_string(), "{figures}");
}
