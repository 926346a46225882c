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

#[test]
fn reads_the_other_captured_frames() {
    let batch = decode_golden("batch_bin_request");
    let header = SendMessageRequestHeader::decode(batch.request_code(), &batch.ext_fields).unwrap();
    assert_eq!((header.queue_id, header.batch, batch.body.len()), (2, Some(true), 166));
    let stored: SendMessageResponseHeader = decode_golden("batch_response").header().unwrap();
    assert_eq!(stored.msg_id.split(',').count(), 2);
    let delayed: SendMessageResponseHeader = decode_golden("delay_send_response").header().unwrap();
    assert_eq!((delayed.queue_id, delayed.queue_offset), (3, 21));
    let timer: SendMessageResponseHeader = decode_golden("timer_send_response").header().unwrap();
    assert!(timer.recall_handle.unwrap().starts_with("djEgR29sZFRvcGlj"));
    let half: SendMessageResponseHeader = decode_golden("half_send_response").header().unwrap();
    assert_eq!((half.queue_id, half.queue_offset), (0, 122));
    let reply: SendMessageResponseHeader = decode_golden("reply_response").header().unwrap();
    assert_eq!((reply.queue_offset, reply.transaction_id), (8, None));

    let pull: header::PullMessageRequestHeader = decode_golden("pull_bin_request").header().unwrap();
    assert_eq!((&*pull.topic, pull.subscription.as_deref(), pull.sub_version), ("GoldTopic", Some("*"), 0));
    for (name, code, next, remark) in [
        ("pull_found_response", ResponseCode::SUCCESS, 1, "FOUND"),
        ("pull_19_response", ResponseCode::PULL_NOT_FOUND, 2, "OFFSET_OVERFLOW_ONE"),
        ("pull_20_response", ResponseCode::PULL_RETRY_IMMEDIATELY, 2, "NO_MATCHED_MESSAGE"),
        ("pull_21_response", ResponseCode::PULL_OFFSET_MOVED, 2, "OFFSET_OVERFLOW_BADLY"),
    ] {
        let answer = decode_golden(name);
        let header: header::PullMessageResponseHeader = answer.header().unwrap();
        assert_eq!((answer.response_code(), header.next_begin_offset, answer.remark()), (code, next, remark));
    }
    assert_eq!(decode_golden("pull_found_response").body.len(), 0xED);
    assert_eq!(decode_golden("unsupported_3").remark(), " request type 9999 not supported");
    let away = decode_golden("go_away_1500");
    assert_eq!((away.response_code(), away.remark()), (ResponseCode::GO_AWAY, "please go away"));
}

#[test]
fn reads_what_brokers_send_on_their_own() {
    let notify = decode_golden("notify_40");
    assert!(notify.is_oneway() && !notify.is_response());
    let header: header::NotifyConsumerIdsChangedRequestHeader = notify.header().unwrap();
    assert_eq!(header.consumer_group, "gold_group");

    let check = decode_golden("check_39");
    let header: header::CheckTransactionStateRequestHeader = check.header().unwrap();
    assert_eq!((header.tran_state_table_offset, header.commit_log_offset), (123, 828_996_760));
    assert_eq!((header.broker_name.as_deref(), check.body.len()), (Some("broker-a"), 0x16C));

    let push = decode_golden("push_reply_326");
    let header: header::ReplyMessageRequestHeader = push.header().unwrap();
    assert!(header.properties.unwrap().contains("CORRELATION_ID\u{1}corr-1\u{2}"));
    assert_eq!((&*header.born_host, push.body.as_ref()), ("127.0.0.1:38556", &b"reply"[..]));

    let pop = decode_golden("pop_response");
    let header: header::PopMessageResponseHeader = pop.header().unwrap();
    assert_eq!(
        (header.revive_qid, header.rest_num, header.msg_offset_info.as_deref()),
        (5, 0, Some("0 1 0,1"))
    );
    let beat = decode_golden("heartbeat_bin_request");
    assert_eq!((beat.request_code(), beat.body.first()), (RequestCode::HEART_BEAT, Some(&b'{')));
}

#[test]
fn takes_whole_frames_only_wherever_the_bytes_are_cut() {
    for name in ["send_v2_bin_request", "send_v2_response"] {
        let frame = golden(name);
        for cut in 0..frame.len() {
            let mut buf = BytesMut::from(&frame[..cut]);
            assert_eq!(decode_frame(&mut buf, &LIMITS), Ok(None), "{name} at {cut}");
            assert_eq!(buf.len(), cut);
            buf.extend_from_slice(&frame[cut..]);
            assert_eq!(decode_frame(&mut buf, &LIMITS).unwrap(), decode(&frame).unwrap());
            assert!(buf.is_empty());
        }
    }
}

#[test]
fn takes_many_frames_off_one_buffer() {
    let names = ["send_v2_response", "notify_40", "send_v2_bin_request", "pop_response", "go_away_1500"];
    let mut buf = BytesMut::new();
    names.iter().cycle().take(50).for_each(|name| buf.extend_from_slice(&golden(name)));
    for name in names.iter().cycle().take(50) {
        assert_eq!(decode_frame(&mut buf, &LIMITS).unwrap(), Some(decode_golden(name)));
    }
    assert_eq!(decode_frame(&mut buf, &LIMITS), Ok(None));
}

#[test]
fn hostile_lengths_are_refused_at_once() {
    let length = |length: i32| decode(&length.to_be_bytes()).unwrap_err();
    for small in [0, 3, -1, i32::MIN] {
        assert!(matches!(length(small), FrameError::LengthTooSmall { length, .. } if length == small));
    }
    for large in [16_777_213, 20 << 20, i32::MAX] {
        assert!(matches!(length(large), FrameError::TooLarge { limit: MAX_FRAME_LENGTH, .. }));
    }
    assert_eq!(decode(&16_777_212_i32.to_be_bytes()), Ok(None));
    let small = FrameLimits { max_frame: 100 };
    assert!(decode_frame(&mut BytesMut::from(&96_i32.to_be_bytes()[..]), &small).is_ok());
    assert!(decode_frame(&mut BytesMut::from(&97_i32.to_be_bytes()[..]), &small).is_err());
}

#[test]
fn hostile_header_words_are_refused_before_the_rest_arrives() {
    let word = |word: u32| decode(&[&1000_u32.to_be_bytes()[..], &word.to_be_bytes()].concat());
    assert_eq!(word(996), Ok(None));
    assert_eq!(word(997), Err(FrameError::HeaderTooLong { header: 997, frame: 996 }));
    assert_eq!(word(0x00FF_FFFF), Err(FrameError::HeaderTooLong { header: 0xFF_FFFF, frame: 996 }));
    assert_eq!(word(0x0200_0010), Err(FrameError::UnknownSerializeType(2)));
    assert_eq!(word(0xFF00_0010), Err(FrameError::UnknownSerializeType(255)));
    assert_eq!(word(0x0100_0014), Err(FrameError::HeaderTooShort { missing: 1 }));
    assert_eq!(word(0x0100_0015), Ok(None));
    assert!(matches!(decode(&[0, 0, 0, 4, 0, 0, 0, 0]), Err(FrameError::Json { at: 0, .. })));
}

#[test]
fn says_who_seems_to_be_at_the_other_end() {
    let hint = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert!(hint(b"HTTP/1.1 400 Bad Request\r\n").contains("these bytes are HTTP"));
    assert!(hint(b"GET / HTTP/1.1\r\n").contains("these bytes are HTTP"));
    assert!(hint(&[0x15, 3, 3, 0, 2, 2, 40]).contains("is TLS on at the peer"));
    assert!(hint(&[0x16, 3, 1, 0, 200]).contains("is TLS on at the peer"));
    assert!(!hint(&[0x7F; 8]).contains("these bytes"));
}

fn json_frame(header: &str) -> Vec<u8> {
    let length = header.len() as u32;
    [&(length + 4).to_be_bytes()[..], &length.to_be_bytes(), header.as_bytes()].concat()
}

#[test]
fn reads_json_headers_as_leniently_as_brokers_do() {
    let header = r#" { "version" : "479", "flag":2.0, "x":[{}], "opaque":-7, "code":"10", "code":12, "remark":null,
        "language":"KOTLIN", "extFields":{"n":1,"b":true,"z":null,"o":{"a":[1]},"d":"1","d":"2","e":"",
        "\u0074opic":"T\u0041"} } "#;
    let command = decode(&json_frame(header)).unwrap().unwrap();
    assert_eq!((command.code, command.version, command.opaque, command.flag.0), (12, 479, -7, 2));
    assert_eq!((command.language, &command.remark), (LanguageCode::OTHER, &None));
    let field = |name: &str| command.ext_fields.get(name).map(|value| value.into_owned());
    for (name, value) in
        [("n", "1"), ("b", "true"), ("o", r#"{"a":[1]}"#), ("d", "2"), ("e", ""), ("topic", "TA")]
    {
        assert_eq!(field(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!((field("z"), field("missing")), (None, None));

    let bare = decode(&json_frame("{}")).unwrap().unwrap();
    assert_eq!((bare.code, bare.language, bare.ext_fields.is_present()), (0, LanguageCode::JAVA, false));
    let null = decode(&json_frame(r#"{"code":null,"extFields":null,"CODE":5}"#)).unwrap().unwrap();
    assert_eq!((null.code, null.ext_fields.is_present()), (0, false));
}

#[test]
fn refuses_json_headers_that_brokers_refuse() {
    for header in [
        "null",
        "[]",
        "{\"code\":2147483648}",
        "{code:1}",
        "{\"code\":1,,}",
        "{\"code\":1}x",
        "\u{feff}{}",
        "{\"code\":1.5}",
        "{\"code\":\"x\"}",
        "{\"extFields\":[]}",
        "{\"extFields\":\"x\"}",
        "{\"code\":{}}",
    ] {
        assert!(decode(&json_frame(header)).is_err(), "{header}");
    }
    let mut bytes = json_frame("{\"remark\":\"ab\"}");
    let at = bytes.len() - 3;
    bytes[at] = 0xFF;
    assert_eq!(decode(&bytes), Err(FrameError::NotUtf8));
    let deep = format!("{{\"extFields\":{}", "{\"a\":".repeat(1_000_000));
    assert!(matches!(decode(&json_frame(&deep)), Err(FrameError::Json { problem: "nested too deeply", .. })));
}

#[test]
fn hostile_binary_lengths_are_refused() {
    let good = golden("send_v2_bin_request");
    // The remark's length, that of the fields, of the first key, of the first value.
    for (at, width) in [(21, 4), (25, 4), (29, 2), (32, 4)] {
        for fill in [0x7F, 0xFF] {
            let mut bytes = good.to_vec();
            bytes[at..at + width].fill(fill);
            assert!(decode(&bytes).is_err(), "{fill} at {at}");
        }
    }
    let mut bytes = good.to_vec();
    bytes[36] = 0xFF;
    assert_eq!(decode(&bytes), Err(FrameError::NotUtf8));
}

#[test]
fn what_does_not_fit_is_an_error_and_leaves_the_buffer_alone() {
    let binary = |code| FrameHead { serialize_type: SerializeType::RocketMq, code, ..FrameHead::default() };
    let mut out = BytesMut::from(&b"before"[..]);
    let mut refused = |head: FrameHead, extra: &ExtFields, body: usize| {
        let error = encode_frame(&mut out, &head, None, &NoHeader, extra, body).unwrap_err();
        assert_eq!(out, &b"before"[..]);
        error.to_string()
    };
    let pop = refused(binary(RequestCode::POP_MESSAGE.0), &ExtFields::absent(), 0);
    assert_eq!(pop, "code 200050 does not fit into the binary header, use the JSON header");
    let version = FrameHead { version: 40_000, ..binary(10) };
    assert!(refused(version, &ExtFields::absent(), 0).contains("version 40000"));
    let long_name = ExtFields::from_iter([("n".repeat(40_000), "v")]);
    assert!(refused(binary(10), &long_name, 0).contains("field name of 40000 bytes"));
    let long_value = ExtFields::from_iter([("n", "v".repeat(17 << 20))]);
    assert!(refused(binary(10), &long_value, 0).starts_with("header of"));
    assert!(refused(FrameHead::default(), &long_value, 0).starts_with("header of"));
    assert!(refused(FrameHead::default(), &ExtFields::absent(), 16 << 20).starts_with("frame of"));
    assert!(refused(binary(10), &ExtFields::absent(), usize::MAX).starts_with("frame of"));
    let fits = encode_frame(&mut out, &binary(10), None, &NoHeader, &ExtFields::absent(), (16 << 20) - 29);
    assert_eq!(fits, Ok(()));
}
