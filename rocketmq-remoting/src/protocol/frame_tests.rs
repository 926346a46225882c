//! Frames as a whole: captured ones, broken ones, split ones, random ones.

use super::golden::golden;
use super::header::{SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader};
use super::*;
use bytes::{Bytes, BytesMut};

const LIMITS: FrameLimits = FrameLimits { max_frame: MAX_FRAME_LENGTH };

fn decode(bytes: &[u8]) -> Result<Option<RemotingCommand>, FrameError> {
    decode_frame(&mut BytesMut::from(bytes), &LIMITS)
}

fn decode_golden(name: &str) -> RemotingCommand {
    decode(&golden(name)).unwrap().unwrap()
}

const PROPERTIES: &str =
    "UNIQ_KEY\u{1}7F0000010001251A69D70000000000AA\u{2}TAGS\u{1}A\u{2}KEYS\u{1}k1 k2\u{2}WAIT\u{1}true\u{2}";

fn golden_send() -> (FrameHead, SendMessageRequestHeaderV2<'static>) {
    let head = FrameHead {
        serialize_type: SerializeType::RocketMq,
        code: RequestCode::SEND_MESSAGE_V2.0,
        version: 479,
        opaque: 1001,
        ..FrameHead::default()
    };
    let header = SendMessageRequestHeaderV2 {
        kind: header::SendRequestKind::Message,
        producer_group: "pg",
        topic: "GoldTopic",
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        queue_id: 1,
        sys_flag: 0,
        born_timestamp: 1_795_252_020_175,
        flag: 7,
        properties: Some(PROPERTIES),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        broker_name: Some("broker-a"),
    };
    (head, header)
}

#[test]
fn a_send_is_what_the_broker_accepted_byte_by_byte() {
    let (head, header) = golden_send();
    let mut out = BytesMut::new();
    encode_frame(&mut out, &head, None, &header, &ExtFields::absent(), 5).unwrap();
    out.extend_from_slice(b"hello");
    assert_eq!(out, golden("send_v2_bin_request"));
}

#[test]
fn reads_the_captured_send_and_its_answer() {
    let request = decode_golden("send_v2_bin_request");
    assert_eq!(request.request_code(), RequestCode::SEND_MESSAGE_V2);
    assert_eq!((request.language, request.version, request.opaque), (LanguageCode::RUST, 479, 1001));
    assert_eq!((request.body.as_ref(), request.serialize_type), (&b"hello"[..], SerializeType::RocketMq));
    let header = SendMessageRequestHeader::decode(request.request_code(), &request.ext_fields).unwrap();
    assert_eq!((&*header.topic, header.queue_id, header.flag), ("GoldTopic", 1, 7));
    assert_eq!(header.properties.as_deref(), Some(PROPERTIES));
    assert_eq!((header.max_reconsume_times, header.batch), (None, Some(false)));

    let answer = decode_golden("send_v2_response");
    assert!(answer.is_response() && !answer.is_oneway());
    assert_eq!((answer.response_code(), answer.opaque), (ResponseCode::SUCCESS, 1001));
    assert_eq!((answer.language, answer.version, answer.remark()), (LanguageCode::JAVA, 513, ""));
    let header: SendMessageResponseHeader = answer.header().unwrap();
    assert_eq!(header.msg_id, "7F00000100002A9F0000000031696699");
    assert_eq!(header.transaction_id.as_deref(), Some("7F0000010001251A69D70000000000AA"));
    assert_eq!((header.queue_id, header.queue_offset, header.trace_on), (1, 0, Some(true)));
    assert_eq!(header.recall_handle, None);
}

#[test]
fn json_keys_are_in_the_order_of_java() {
    let (mut head, header) = golden_send();
    head.serialize_type = SerializeType::Json;
    let mut out = BytesMut::new();
    let extra = ExtFields::from_iter([("x\"", "\u{7}\n\\")]);
    encode_frame(&mut out, &head, Some("a\tb"), &header, &extra, 0).unwrap();
    let text = std::str::from_utf8(&out[8..]).unwrap();
    let expected = concat!(
        r#"{"code":310,"extFields":{"a":"pg","b":"GoldTopic","c":"TBW102","d":"4","e":"1","f":"0","#,
        r#""g":"1795252020175","h":"7","i":"UNIQ_KEY\u00017F0000010001251A69D70000000000AA\u0002"#,
        r#"TAGS\u0001A\u0002KEYS\u0001k1 k2\u0002WAIT\u0001true\u0002","j":"0","k":"false","m":"false","#,
        r#""n":"broker-a","x\"":"\u0007\n\\"},"flag":0,"language":"RUST","opaque":1001,"remark":"a\tb","#,
        r#""serializeTypeCurrentRPC":"JSON","version":479}"#,
    );
    assert_eq!(text, expected);
}

#[test]
fn no_fields_and_an_empty_list_are_two_things_in_json() {
    for (name, present) in [("unsupported_3", false), ("sendback_response", false), ("notify_40", true)] {
        let command = decode_golden(name);
        assert_eq!(command.ext_fields.is_present(), present, "{name}");
        let mut again = BytesMut::new();
        command.encode(&mut again).unwrap();
        assert_eq!(again, golden(name), "{name}");
    }
    let mut out = BytesMut::new();
    let command =
        RemotingCommand { ext_fields: ExtFields::empty(), ..RemotingCommand::request(RequestCode(34)) };
    command.encode(&mut out).unwrap();
    let again = decode(&out).unwrap().unwrap();
    assert!(again.ext_fields.is_present() && again.ext_fields.is_empty());
    assert_eq!(again, command);
}

#[test]
fn the_smallest_binary_header_has_21_bytes() {
    let mut command = RemotingCommand::request(RequestCode::HEART_BEAT).with_body(Bytes::from_static(b"{}"));
    command.serialize_type = SerializeType::RocketMq;
    let mut out = BytesMut::new();
    command.encode(&mut out).unwrap();
    assert_eq!(out.len(), 8 + 21 + 2);
    assert_eq!(decode(&out).unwrap().unwrap(), command);
}
