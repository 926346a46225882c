//! Answers of brokers that `mqadmin` reads.

use rocketmq_remoting::protocol::RequestCode;
use serde_json::{Value, json};

use super::peer::{Fields, Peer, field, fresh_topic, is_success, number, verdict};
use crate::stage;

/// Java: `RequestCode.GET_COLD_DATA_FLOW_CTR_INFO`.
const COLD_DATA: RequestCode = RequestCode(2003);

/// The body of a successful answer.
async fn body(peer: &Peer, code: RequestCode, fields: &[(&str, &str)]) -> Value {
    let answer = peer.call(code, fields, "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn topics_are_listed_with_their_settings() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("admin_topics");
    peer.store(&topic, 4, &[]).await;
    let answer = peer.call(RequestCode::GET_ALL_TOPIC_CONFIG, &[], "").await;
    let listed: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let table = listed["topicConfigTable"].as_object().expect("topics");
    assert_eq!(number(&answer, "totalTopicNum"), table.len() as i64);
    let expected = json!({
        "attributes": {}, "order": false, "perm": 6, "readQueueNums": 4, "topicFilterType": "SINGLE_TAG",
        "topicName": topic, "topicSysFlag": 0, "writeQueueNums": 4,
    });
    assert_eq!(table[&topic], expected);
    let system = body(&peer, RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_BROKER, &[]).await;
    let mut system: Vec<_> = system["topicList"].as_array().expect("topics").iter().collect();
    system.sort_by_key(|name| name.as_str());
    let expected = json!([
        "BenchmarkTest",
        "CHECKPOINT_TOPIC",
        "DefaultCluster",
        "DefaultCluster_REPLY_TOPIC",
        "OFFSET_MOVED_EVENT",
        "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
        "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
        "RMQ_SYS_TRACE_TOPIC",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "SCHEDULE_TOPIC_XXXX",
        "SELF_TEST_TOPIC",
        "TBW102",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "broker-a",
        "rmq_sys_REVIVE_LOG_DefaultCluster",
        "rmq_sys_SYNC_BROKER_MEMBER_broker-a",
        "rmq_sys_wheel_timer",
    ]);
    assert_eq!(json!(system), expected);
}

#[tokio::test]
async fn the_entries_of_a_queue_are_shown() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("admin_queue");
    for tag in ["a", "b"] {
        peer.store(&topic, 4, &[("TAGS", tag)]).await;
    }
    peer.until_visible(&topic, 2).await;
    let fields = [("topic", topic.as_str()), ("queueId", "0"), ("index", "1"), ("count", "5")];
    let asked = Fields::from(&fields).with(&[("consumerGroup", "case_nobody")]);
    let shown = body(&peer, RequestCode::QUERY_CONSUME_QUEUE, &asked.list()).await;
    let entry = &shown["queueData"][0];
    assert!(entry["physicOffset"].as_i64() > Some(0) && entry["physicSize"].as_i64() > Some(100), "{shown}");
    assert_eq!([&entry["eval"], &entry["tagsCode"]], [&json!(false), &json!(98)]);
    assert_eq!([&shown["minQueueIndex"], &shown["maxQueueIndex"]], [&json!(0), &json!(2)]);
    assert_eq!(shown["filterData"], json!(format!("case_nobody@{topic} is not online!")));
    for (changed, code, remark) in [
        (("index", "7"), 0, format!("Index 7 of 0@{topic} is not exist!")),
        (("queueId", "9"), 1, format!("9@{topic} is not exist!")),
    ] {
        let answer =
            peer.call(RequestCode::QUERY_CONSUME_QUEUE, &asked.clone().with(&[changed]).list(), "").await;
        assert_eq!(verdict(&answer), (code, remark.as_str()));
    }
}

#[tokio::test]
async fn brokers_tell_how_they_are() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let replicas = body(&peer, RequestCode::GET_BROKER_HA_STATUS, &[]).await;
    assert_eq!([&replicas["master"], &replicas["inSyncSlaveNums"]], [&json!(true), &json!(0)]);
    assert_eq!(replicas["haConnectionInfo"], json!([]));
    let idle = json!({
        "lastReadTimestamp": 0, "lastWriteTimestamp": 0, "masterFlushOffset": 0, "maxOffset": 0,
        "transferredByteInSecond": 0,
    });
    assert_eq!(replicas["haClientRuntimeInfo"], idle);
    let cold = json!({
        "runtimeTable": {}, "configTable": {}, "cgColdReadThreshold": 3_145_728,
        "globalColdReadThreshold": 104_857_600, "globalAcc": 0,
    });
    assert_eq!(body(&peer, COLD_DATA, &[]).await, cold);
    for code in [RequestCode::CLEAN_EXPIRED_CONSUMEQUEUE, RequestCode::DELETE_EXPIRED_COMMITLOG] {
        let answer = peer.call(code, &[], "").await;
        assert_eq!((verdict(&answer), answer.ext_fields.is_present()), ((0, ""), false));
    }
    let config = peer.call(RequestCode::GET_BROKER_CONFIG, &[], "").await;
    assert!(field(&config, "version").starts_with("{\"counter\":"), "{config:?}");
    let text = String::from_utf8_lossy(&config.body).into_owned();
    for line in ["brokerName=broker-a", "brokerId=0", "enablePropertyFilter=true", "brokerIP1=127.0.0.1"] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn producers_are_listed_by_group() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let group = fresh_topic("admin_producers");
    let heartbeat =
        json!({"clientID": "case@1", "consumerDataSet": [], "producerDataSet": [{"groupName": group}]});
    assert_eq!(peer.call(RequestCode::HEART_BEAT, &[], heartbeat.to_string()).await.code, 0);
    let listed = body(&peer, RequestCode::GET_ALL_PRODUCER_INFO, &[]).await;
    let [member] = &listed["data"][&group].as_array().expect("members")[..] else { panic!("{listed}") };
    assert_eq!([&member["clientId"], &member["language"]], [&json!("case@1"), &json!("RUST")]);
    assert!(member["remoteIP"].as_str().is_some_and(|peer| peer.starts_with("/127.0.0.1:")), "{member}");
    assert!(member["lastUpdateTimestamp"].as_i64() > Some(1_700_000_000_000), "{member}");
}

#[tokio::test]
async fn figures_have_java_s_names() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    // In its first second Apache's broker has no rates to tell.
    peer.until(RequestCode::GET_BROKER_RUNTIME_INFO, &[], is_success).await;
    let figures = body(&peer, RequestCode::GET_BROKER_RUNTIME_INFO, &[]).await;
    let table = figures["table"].as_object().expect("figures");
    // The folders of Apache's store have figures of their own.
    let mut names: Vec<_> = table.keys().collect();
    // So have delay levels that were used.
    names.retain(|name| {
        !["commitLogDiskRatio_", "scheduleMessageOffset_"].iter().any(|own| name.starts_with(own))
    });
    assert!(table.keys().any(|name| name.starts_with("commitLogDiskRatio_/")), "{figures}");
    let pool = |name: &str| {
        ["Capacity", "HeadWaitTimeMills", "Size"].map(|figure| format!("{name}ThreadPoolQueue{figure}"))
    };
    let mut expected: Vec<String> = [
        "EndTransactionQueueSize",
        "EndTransactionThreadPoolQueueCapacity",
        "bootTimestamp",
        "brokerActive",
        "brokerVersionDesc",
        "commitLogDirCapacity",
        "commitLogDiskRatio",
        "commitLogMaxOffset",
        "commitLogMinOffset",
        "consumeQueueDiskRatio",
        "dispatchBehindBytes",
        "dispatchMaxBuffer",
        "earliestMessageTimeStamp",
        "getFoundTps",
        "getMessageEntireTimeMax",
        "getMissTps",
        "getTotalTps",
        "getTransferredTps",
        "msgGetTotalTodayMorning",
        "msgGetTotalTodayNow",
        "msgGetTotalYesterdayMorning",
        "msgPutTotalTodayMorning",
        "msgPutTotalTodayNow",
        "msgPutTotalYesterdayMorning",
        "pageCacheLockTimeMills",
        "putLatency99",
        "putLatency999",
        "putMessageAverageSize",
        "putMessageDistributeTime",
        "putMessageEntireTimeMax",
        "putMessageFailedTimes",
        "putMessageSizeTotal",
        "putMessageTimesTotal",
        "putTps",
        "remainHowManyDataToFlush",
        "remainTransientStoreBufferNumbs",
        "runtime",
        "startAcceptSendRequestTimeStamp",
        "timerCongestNum",
        "timerDequeueTps",
        "timerEnqueueTps",
        "timerOffsetBehind",
        "timerReadBehind",
    ]
    .map(str::to_owned)
    .to_vec();
    expected.extend(["send", "pull", "litePull", "query", "ack"].into_iter().flat_map(pool));
    expected.sort();
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let unknown = [("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "case_unknown")];
    let answer = peer.call(RequestCode::VIEW_BROKER_STATS_DATA, &unknown, "").await;
    assert_eq!(verdict(&answer), (1, "The stats <TOPIC_PUT_NUMS> <case_unknown> not exist"));
}
