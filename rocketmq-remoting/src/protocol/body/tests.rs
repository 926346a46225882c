//! Bodies as Apache wrote them, and as we write them.

use super::*;
use crate::protocol::golden::golden;
use crate::protocol::{FrameLimits, decode_frame};
use bytes::BytesMut;
use rocketmq_common::MessageQueue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Debug;

fn body_of(frame: &str) -> Bytes {
    let mut bytes = BytesMut::from(&golden(frame)[..]);
    decode_frame(&mut bytes, &FrameLimits::default()).unwrap().unwrap().body
}

fn assert_survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &T) -> String {
    let text = encode_body(body).unwrap();
    assert_eq!(&decode_body::<T>(&text).unwrap(), body);
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn a_route_is_the_same_with_quoted_and_bare_broker_ids() {
    let strict: TopicRouteData = decode_body(&body_of("route_105_v479")).unwrap();
    let bare: TopicRouteData = decode_body(&body_of("route_105_v0")).unwrap();
    assert_eq!(strict, bare);
    assert_eq!(strict.broker_datas[0].broker_addrs, BTreeMap::from([(0, "127.0.0.1:10911".to_owned())]));
    assert_eq!((strict.queue_datas[0].write_queue_nums, strict.queue_datas[0].perm), (4, 6));
    assert_eq!(assert_survives(&strict).as_bytes(), body_of("route_105_v479"));
}

#[test]
fn stats_have_queues_as_keys_both_ways() {
    let stats: TopicStatsTable = decode_body(&body_of("stats_202")).unwrap();
    assert_eq!(stats.offset_table.len(), 4);
    let offset = &stats.offset_table[&MessageQueue::new("GoldTopic", "broker-a", 3)];
    assert_eq!((offset.min_offset, offset.max_offset), (0, 2));
    assert_eq!(stats.topic_put_tps, 0.8);
    let text = assert_survives(&stats);
    assert!(
        text.starts_with(r#"{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"GoldTopic"}:{"#)
    );
    assert_eq!(text.len(), body_of("stats_202").len());
}

#[test]
fn a_heartbeat_is_read_as_written_by_java_and_by_cpp() {
    let data: HeartbeatData = decode_body(&golden("heartbeat_body_consumer")).unwrap();
    assert_eq!((&*data.client_id, data.without_sub), ("gold@1", false));
    assert_eq!(data.producer_data_set[0].group_name, "gold_pg");
    let consumer = &data.consumer_data_set[0];
    assert_eq!(
        (&consumer.consume_type, &consumer.message_model),
        (&ConsumeType::Passively, &MessageModel::Clustering)
    );
    assert_eq!(consumer.subscription_data_set[1].topic, "%RETRY%gold_group");
    assert_survives(&data);

    let cpp = br#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":4,"consumeType":1,"messageModel":0,
        "groupName":"g","subscriptionDataSet":[{"codeSet":["2598919"],"subVersion":"1795252022113","topic":"T"}]}]}"#;
    let data: HeartbeatData = decode_body(cpp).unwrap();
    let consumer = &data.consumer_data_set[0];
    assert_eq!(consumer.consume_from_where, ConsumeFromWhere::FirstOffset);
    assert_eq!(consumer.message_model, MessageModel::Broadcasting);
    let subscription = &consumer.subscription_data_set[0];
    assert_eq!((&subscription.code_set[..], subscription.sub_version), (&[2_598_919][..], 1_795_252_022_113));
}

#[test]
fn names_that_are_not_known_survive() {
    let text = r#"{"consumeFromWhere":"CONSUME_FROM_TOMORROW","consumeType":"CONSUME_POP"}"#;
    let data: ConsumerData = decode_body(text.as_bytes()).unwrap();
    assert_eq!(data.consume_from_where, ConsumeFromWhere::Other("CONSUME_FROM_TOMORROW".to_owned()));
    assert!(assert_survives(&data).contains(r#""consumeFromWhere":"CONSUME_FROM_TOMORROW""#));
    let connection: Connection = decode_body(br#"{"language":"KOTLIN","version":7}"#).unwrap();
    assert_eq!((connection.language, connection.version), (crate::protocol::LanguageCode::OTHER, 7));
}

#[test]
fn null_members_read_as_missing_ones() {
    let config: SubscriptionGroupConfig = decode_body(br#"{"groupName":"g","retryMaxTimes":null}"#).unwrap();
    assert_eq!((config.group_name.as_deref(), config.retry_max_times), (Some("g"), 16));
    assert_survives(&config);
}

#[test]
fn keys_with_awkward_names_survive() {
    let queue = MessageQueue::new("%RETRY%g\"\\\u{1}{", "b,\u{4e2d}\n", -1);
    let body = ResetOffsetBody { offset_table: BTreeMap::from([(queue.clone(), -7)]) };
    assert_survives(&body);
    let info = ConsumerRunningInfo {
        mq_table: BTreeMap::from([(
            queue.clone(),
            ProcessQueueInfo { commit_offset: 5, ..Default::default() },
        )]),
        mq_pop_table: BTreeMap::from([(queue, PopProcessQueueInfo::default())]),
        properties: BTreeMap::from([
            ("PROP_CONSUME_TYPE".to_owned(), "CONSUME_ACTIVELY".to_owned()),
            ("x".to_owned(), "\"\u{1}{\"".to_owned()),
            ("y".to_owned(), "\u{1}{".to_owned()),
        ]),
        ..Default::default()
    };
    let list = GroupList { group_list: vec!["a".into(), "\u{1}{".into(), "\u{1}{}".into()] };
    assert_survives(&list);
    let text = assert_survives(&info);
    assert!(text.contains("\"droped\":false") && text.contains("\"cachedMsgSizeInMiB\":0"));
    assert_eq!(info.consume_type(), Some(ConsumeType::Actively));
}

#[test]
fn small_bodies_have_the_names_of_java() {
    let queue = MessageQueue::new("T", "b", 0);
    let lock =
        LockBatchRequestBody { client_id: "c".into(), mq_set: vec![queue.clone()], ..Default::default() };
    let expected = r#"{"clientId":"c","consumerGroup":"","mqSet":[{"brokerName":"b","queueId":0,"topic":"T"}],"onlyThisBroker":false}"#;
    assert_eq!(assert_survives(&lock), expected);
    let locked: LockBatchResponseBody =
        decode_body(br#"{"lockOKMQSet":[{"brokerName":"b","queueId":0,"topic":"T"}]}"#).unwrap();
    assert_eq!(locked.lock_ok_mq_set, [queue]);
    let ack = BatchAck {
        bit_set: [0, 2].into_iter().collect(),
        consumer_group: "g".into(),
        queue_id: 3,
        ..Default::default()
    };
    let expected = r#"{"b":"BQ==","c":"g","it":0,"pt":0,"q":3,"r":"","rq":0,"so":0,"t":""}"#;
    assert_eq!(assert_survives(&ack), expected);
    let none: QueryAssignmentResponseBody = decode_body(b"{}").unwrap();
    assert_eq!(none.message_queue_assignments, None);
    let config: TopicConfigAndQueueMapping =
        decode_body(br#"{"topicName":"T","perm":4,"mappingDetail":{"epoch":1}}"#).unwrap();
    assert_eq!((config.topic_config.perm, config.topic_config.read_queue_nums), (4, 16));
    assert_survives(&config);
}

#[test]
fn a_body_that_is_something_else_says_what_was_wanted_and_where() {
    for body in [&b""[..], b"<html>", b"[1]", b"{\"queueDatas\":{}}", b"{0:", b"\xff"] {
        let error = decode_body::<TopicRouteData>(body).unwrap_err();
        assert_eq!(error.to_string(), "body is no TopicRouteData");
        assert!(error.source().unwrap().to_string().contains("column"), "{error:?}");
    }
}
