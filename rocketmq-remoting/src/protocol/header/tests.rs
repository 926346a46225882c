//! Headers as a user meets them: defaults, leniency, errors.

use super::*;
use crate::protocol::{EncodeHeader, ExtFields, HeaderError, RequestCode, RequestHeader};

fn fields(pairs: &[(&'static str, &'static str)]) -> ExtFields {
    pairs.iter().copied().collect()
}

fn decode<H: crate::protocol::DecodeHeader>(
    pairs: &[(&'static str, &'static str)],
) -> Result<H, HeaderError> {
    H::decode_fields(&fields(pairs))
}

const STORED: [(&str, &str); 3] = [("msgId", "M"), ("queueId", "1"), ("queueOffset", "2")];

#[test]
fn a_missing_required_field_is_named() {
    let error = decode::<SendMessageResponseHeader>(&STORED[..2]).unwrap_err();
    assert_eq!(error.to_string(), "SendMessageResponseHeader has no queueOffset");
    assert!(decode::<SendMessageResponseHeader>(&STORED).is_ok());
}

#[test]
fn a_bad_number_is_shown_but_not_all_of_it() {
    let bad = ["", " 1", "1.0", "x", "9223372036854775808"];
    for value in bad {
        let error = decode::<QueryConsumerOffsetResponseHeader>(&[("offset", value)]).unwrap_err();
        let expected = format!(
            "offset of QueryConsumerOffsetResponseHeader is {value:?}, which is not a 64-bit integer"
        );
        assert_eq!(error.to_string(), expected);
    }
    let long: ExtFields = [("offset", "9".repeat(100_000))].into_iter().collect();
    let error = <QueryConsumerOffsetResponseHeader as crate::protocol::DecodeHeader>::decode_fields(&long)
        .unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
}

#[test]
fn optional_fields_and_defaults_may_be_missing() {
    let header: SendMessageResponseHeader = decode(&STORED).unwrap();
    assert_eq!((header.transaction_id, header.trace_on), (None, None));
    let header: NotificationResponseHeader = decode(&[("hasMsg", "true")]).unwrap();
    assert_eq!(header, NotificationResponseHeader { has_msg: true, polling_full: false });
}

#[test]
fn booleans_are_read_as_java_and_cpp_write_them() {
    for (text, expected) in
        [("true", true), ("TRUE", true), ("1", true), ("false", false), ("0", false), ("", false)]
    {
        let header: NotificationResponseHeader = decode(&[("hasMsg", text)]).unwrap();
        assert_eq!(header.has_msg, expected, "{text}");
    }
}

#[test]
fn a_boundary_is_lower_unless_it_is_upper() {
    let base = [("topic", "T"), ("queueId", "0"), ("timestamp", "5")];
    for (text, expected) in
        [("upper", BoundaryType::Upper), ("UPPER", BoundaryType::Upper), ("x", BoundaryType::Lower)]
    {
        let mut fields = fields(&base);
        fields.insert("boundaryType", text);
        let header =
            <SearchOffsetRequestHeader as crate::protocol::DecodeHeader>::decode_fields(&fields).unwrap();
        assert_eq!(header.boundary_type, Some(expected));
    }
}

#[test]
fn a_send_is_read_by_the_names_of_its_code() {
    let short = [
        ("a", "g"),
        ("b", "T"),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "-1"),
        ("f", "0"),
        ("g", "9"),
        ("h", "0"),
        ("m", "true"),
    ];
    let short = fields(&short);
    for code in
        [RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_BATCH_MESSAGE, RequestCode::SEND_REPLY_MESSAGE_V2]
    {
        let header = SendMessageRequestHeader::decode(code, &short).unwrap();
        assert_eq!((&*header.topic, header.queue_id, header.batch), ("T", -1, Some(true)));
    }
    let error = SendMessageRequestHeader::decode(RequestCode::SEND_MESSAGE, &short).unwrap_err();
    assert!(matches!(error, HeaderError::Missing { field: "producerGroup", .. }), "{error}");

    let long = SendMessageRequestHeader::decode(RequestCode::SEND_MESSAGE_V2, &short).unwrap();
    let mut fields = ExtFields::empty();
    long.encode_fields(&mut fields);
    assert_eq!(SendMessageRequestHeader::decode(long.code(), &fields), Ok(long));
}

#[test]
fn a_lenient_send_has_the_names_of_its_code_and_refuses_numbers_of_the_short_form_alone() {
    let sent = fields(&[("topic", "long"), ("queueId", "x"), ("b", "short"), ("e", "y")]);
    let long = SendMessageFields::read_named(RequestCode::SEND_MESSAGE, &sent).unwrap();
    assert_eq!((long.topic.as_deref(), long.queue_id), (Some("long"), None));
    let error = SendMessageFields::read_named(RequestCode::SEND_MESSAGE_V2, &sent).unwrap_err();
    assert_eq!(error.to_string(), "For input string: \"y\"");
}

#[test]
fn a_lenient_header_misses_what_was_not_sent_or_is_not_a_number() {
    let sent = fields(&[("topic", "T"), ("queueId", "4x"), ("timestamp", "5"), ("boundaryType", "UPPER")]);
    let read = SearchOffsetFields::read(&sent, NumberPolicy::Ignore).unwrap();
    assert_eq!((read.topic.as_deref(), read.queue_id, read.timestamp), (Some("T"), None, Some(5)));
    assert_eq!((read.boundary_type, read.broker_name), (Some(BoundaryType::Upper), None));
    let refused = SearchOffsetFields::read(&sent, NumberPolicy::Refuse).unwrap_err();
    assert_eq!(refused, NotANumber("4x".to_owned()));
}

#[test]
fn codes_follow_what_is_sent() {
    let pull = |sys_flag| PullMessageRequestHeader { sys_flag, ..Default::default() }.code();
    assert_eq!((pull(2), pull(22)), (RequestCode::PULL_MESSAGE, RequestCode::LITE_PULL_MESSAGE));
    let send = |kind| SendMessageRequestHeaderV2 { kind, ..Default::default() }.code();
    assert_eq!(send(SendRequestKind::Message), RequestCode::SEND_MESSAGE_V2);
    assert_eq!(send(SendRequestKind::Batch), RequestCode::SEND_BATCH_MESSAGE);
    assert_eq!(send(SendRequestKind::Reply), RequestCode::SEND_REPLY_MESSAGE_V2);
}

#[test]
fn java_writes_an_empty_list_for_some_and_none_for_others() {
    assert!(HeartbeatRequestHeader {}.is_present() && LockBatchMqRequestHeader {}.is_present());
    assert!(!CheckClientConfigRequest.is_present() && !GetBrokerClusterInfoRequest.is_present());
}
