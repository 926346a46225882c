//! Frames captured from Apache RocketMQ 5.5.0 against what Apache's own code reads from them.

use super::body::*;
use super::header::*;
use super::*;
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// One block of `testdata/captured-5.5.0.hex`.
struct Captured {
    name: &'static str,
    frame: Bytes,
    notes: Vec<(&'static str, &'static str)>,
}

impl Captured {
    fn all() -> Vec<Self> {
        let mut notes = Vec::new();
        let mut all = Vec::new();
        for line in include_str!("../../testdata/captured-5.5.0.hex").lines() {
            if let Some(note) = line.strip_prefix("# ") {
                notes.extend(note.split_once(" = "));
            } else if let Some((name, hex)) = line.split_once(' ') {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                let frame = (0..hex.len()).step_by(2).map(byte).collect();
                all.push(Self { name, frame, notes: std::mem::take(&mut notes) });
            }
        }
        assert!(all.len() > 100, "only {} frames", all.len());
        all
    }

    fn command(&self) -> RemotingCommand {
        let mut bytes = BytesMut::from(&self.frame[..]);
        let command = decode_frame(&mut bytes, &FrameLimits::default()).unwrap().unwrap();
        assert!(bytes.is_empty(), "{}", self.name);
        command
    }

    fn note(&self, key: &str) -> Option<&'static str> {
        self.notes.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
    }
}

/// Texts in the notes are quoted as in JSON.
fn unquoted(note: &str) -> String {
    serde_json::from_str(note).unwrap()
}

#[test]
fn every_frame_reads_as_apache_reads_it() {
    for captured in Captured::all() {
        let (name, command) = (captured.name, captured.command());
        let number = |key: &str| captured.note(key).unwrap().parse::<i64>().unwrap();
        let form = if command.serialize_type == SerializeType::Json { "JSON" } else { "ROCKETMQ" };
        assert_eq!(Some(form), captured.note("serialize_type"), "{name}");
        assert_eq!(i64::from(command.code), number("code"), "{name}");
        assert_eq!(command.language.name(), captured.note("language"), "{name}");
        assert_eq!(i64::from(command.version), number("version"), "{name}");
        assert_eq!(i64::from(command.opaque), number("opaque"), "{name}");
        assert_eq!(i64::from(command.flag.0), number("flag"), "{name}");
        let remark = captured.note("remark").filter(|note| *note != "absent").map(unquoted);
        assert_eq!(command.remark.as_deref(), remark.as_deref(), "{name}");
        let fields = captured
            .notes
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix("ext.")?, unquoted(value))));
        let mut count = 0;
        for (key, value) in fields {
            assert_eq!(command.ext_fields.get(key).as_deref(), Some(value.as_str()), "{name} {key}");
            count += 1;
        }
        // Java's binary form has fields twice that a hook looked at.
        let names: BTreeSet<_> = command.ext_fields.iter().map(|(key, _)| key).collect();
        assert_eq!(names.len(), count, "{name}");
        let present = captured.note("ext_fields") != Some("absent");
        assert_eq!(command.ext_fields.is_present(), present, "{name}");
        assert_eq!(command.body.len() as i64, number("body.length"), "{name}");
        if let Some(text) = captured.note("body.text") {
            assert_eq!(command.body, unquoted(text), "{name}");
        }
    }
}

#[test]
fn every_frame_is_written_as_apache_writes_it() {
    for captured in Captured::all() {
        let mut out = BytesMut::new();
        captured.command().encode(&mut out).unwrap();
        assert_eq!(out, captured.frame, "{}", captured.name);
    }
}

fn again<H: DecodeHeader + EncodeHeader>(fields: &ExtFields) -> ExtFields {
    let mut out = ExtFields::empty();
    H::decode_fields(fields).unwrap().encode_fields(&mut out);
    out
}

fn send_again(code: RequestCode, fields: &ExtFields) -> ExtFields {
    let header = SendMessageRequestHeader::decode(code, fields).unwrap();
    let kind = match code {
        RequestCode::SEND_BATCH_MESSAGE => SendRequestKind::Batch,
        _ => SendRequestKind::Message,
    };
    let short = SendMessageRequestHeaderV2 {
        kind,
        producer_group: &header.producer_group,
        topic: &header.topic,
        default_topic: &header.default_topic,
        default_topic_queue_nums: header.default_topic_queue_nums,
        queue_id: header.queue_id,
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        flag: header.flag,
        properties: header.properties.as_deref(),
        reconsume_times: header.reconsume_times,
        unit_mode: header.unit_mode,
        max_reconsume_times: header.max_reconsume_times,
        broker_name: header.broker_name.as_deref(),
    };
    let mut out = ExtFields::empty();
    short.encode_fields(&mut out);
    out
}

#[test]
fn typed_headers_know_every_field_that_java_sends() {
    // Set by hooks, on any request.
    let foreign = ["AccessKey", "Signature", "SecurityToken", "ReqT", "nsd", "ns"];
    let mut seen = 0;
    for captured in Captured::all().iter().filter(|captured| captured.name.ends_with(".request")) {
        let command = captured.command();
        let (code, fields) = (command.request_code(), &command.ext_fields);
        let typed = match code {
            RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE => send_again(code, fields),
            RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => {
                assert_eq!(command.header::<PullMessageRequestHeader>().unwrap().code(), code);
                again::<PullMessageRequestHeader>(fields)
            }
            RequestCode::END_TRANSACTION => again::<EndTransactionRequestHeader>(fields),
            RequestCode::GET_ROUTEINFO_BY_TOPIC => again::<GetRouteInfoRequestHeader>(fields),
            RequestCode::HEART_BEAT => again::<HeartbeatRequestHeader>(fields),
            RequestCode::QUERY_CONSUMER_OFFSET => again::<QueryConsumerOffsetRequestHeader>(fields),
            RequestCode::UPDATE_CONSUMER_OFFSET => again::<UpdateConsumerOffsetRequestHeader>(fields),
            RequestCode::CONSUMER_SEND_MSG_BACK => again::<ConsumerSendMsgBackRequestHeader>(fields),
            RequestCode::GET_CONSUMER_LIST_BY_GROUP => again::<GetConsumerListByGroupRequestHeader>(fields),
            RequestCode::NOTIFY_CONSUMER_IDS_CHANGED => {
                again::<NotifyConsumerIdsChangedRequestHeader>(fields)
            }
            RequestCode::LOCK_BATCH_MQ => again::<LockBatchMqRequestHeader>(fields),
            RequestCode::UNLOCK_BATCH_MQ => again::<UnlockBatchMqRequestHeader>(fields),
            RequestCode::UNREGISTER_CLIENT => again::<UnregisterClientRequestHeader>(fields),
            RequestCode::CHECK_CLIENT_CONFIG => ExtFields::empty(),
            other => panic!("{}: no header for {other}", captured.name),
        };
        for (key, value) in fields.iter().filter(|(key, _)| !foreign.contains(&&**key)) {
            assert_eq!(typed.get(&key), Some(value), "{} {key}", captured.name);
        }
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn typed_headers_read_the_answers() {
    for captured in Captured::all() {
        let (name, command) = (captured.name, captured.command());
        let ok = command.response_code() == ResponseCode::SUCCESS;
        if name.starts_with("send") && name.ends_with(".response") && !name.starts_with("send-back") && ok {
            let header: SendMessageResponseHeader = command.header().unwrap();
            assert_eq!(
                (header.msg_region.as_deref(), header.trace_on),
                (Some("DefaultRegion"), Some(true)),
                "{name}"
            );
            assert_eq!(header.recall_handle.is_some(), name.starts_with("send.timer"), "{name}");
            assert_eq!(header.batch_uniq_id.is_some(), name.contains("batch-cq"), "{name}");
        } else if name.starts_with("pull") && name.ends_with(".response") && name != "pull.no-topic.response"
        {
            let header: PullMessageResponseHeader = command.header().unwrap();
            assert!(header.max_offset >= header.min_offset && header.topic_sys_flag.is_some(), "{name}");
        } else if name == "pop.found.response" {
            let header: PopMessageResponseHeader = command.header().unwrap();
            assert!(header.pop_time > 0 && header.msg_offset_info.is_some());
        } else if name.starts_with("heartbeat.") && name.ends_with(".response") && ok {
            let header: HeartbeatResponseHeader = command.header().unwrap();
            assert_eq!(header.is_support_heart_beat_v2, Some(true), "{name}");
        }
    }
}

fn body_again<T: Serialize + DeserializeOwned>(body: &[u8]) -> Bytes {
    encode_body(&decode_body::<T>(body).unwrap()).unwrap()
}

#[test]
fn bodies_are_written_as_java_writes_them() {
    let mut seen = 0;
    for captured in Captured::all() {
        let (name, body) = (captured.name, captured.command().body);
        let kind = |start: &str, end: &str| name.starts_with(start) && name.ends_with(end);
        let ours = if kind("heartbeat.", ".request") {
            body_again::<HeartbeatData>(&body)
        } else if kind("lock.", ".request") {
            body_again::<LockBatchRequestBody>(&body)
        } else if kind("unlock.", ".request") {
            body_again::<UnlockBatchRequestBody>(&body)
        } else if kind("lock.", ".response") {
            body_again::<LockBatchResponseBody>(&body)
        } else if kind("check-client-config.", ".request") {
            body_again::<CheckClientRequestBody>(&body)
        } else if kind("consumer-list.", ".response") && !body.is_empty() {
            body_again::<GetConsumerListByGroupResponseBody>(&body)
        } else if kind("route.", ".response") && !body.is_empty() && name != "route.tbw102-old.response" {
            body_again::<TopicRouteData>(&body)
        } else {
            continue;
        };
        assert_eq!(ours, body, "{name}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn bodies_that_are_no_json_read_all_the_same() {
    let body = |name: &str| {
        let all = Captured::all();
        all.iter().find(|captured| captured.name == name).unwrap().command().body
    };
    let old: TopicRouteData = decode_body(&body("route.tbw102-old.response")).unwrap();
    let new: TopicRouteData = decode_body(&body("route.tbw102.response")).unwrap();
    assert_eq!(old, new);
    let cluster: ClusterInfo = decode_body(&body("cluster-info.response")).unwrap();
    assert_eq!(cluster.broker_addr_table["broker-b"].broker_addrs[&0], "::1:11911");
    assert_eq!(cluster.cluster_addr_table["DefaultCluster"], ["broker-b", "broker-a"]);
    let stats: TopicStatsTable = decode_body(&body("topic-stats.response")).unwrap();
    let queue = rocketmq_common::MessageQueue::new("captured-raw", "broker-a", 0);
    assert_eq!(stats.offset_table[&queue].max_offset, 4);
}
