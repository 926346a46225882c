//! What must hold for every command and for any bytes.

use super::header::SendMessageResponseHeader;
use super::*;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

/// Texts with everything that needs care: quotes, escapes, controls, separators, all planes.
fn awkward() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_%|-]{1,20}",
        vec(
            prop_oneof![
                Just('"'),
                Just('\\'),
                Just('/'),
                Just('\u{7f}'),
                (0..0x20_u8).prop_map(char::from),
                any::<char>()
            ],
            1..80
        )
        .prop_map(String::from_iter),
        Just("KEYS\u{1}k1 k2\u{2}TAGS\u{1}A\u{2}".to_owned()),
        Just("\\u0041\\\"\u{2028}\u{1f600}".to_owned()),
    ]
}

fn command(serialize_type: SerializeType) -> impl Strategy<Value = RemotingCommand> {
    let fields = prop_oneof![Just(None), vec((awkward(), awkward()), 0..8).prop_map(Some),];
    let numbers = (any::<i16>(), any::<u8>(), any::<i16>(), any::<i32>(), any::<i32>());
    let texts = (proptest::option::of(awkward()), fields, vec(any::<u8>(), 0..100));
    (numbers, texts).prop_map(move |((code, language, version, opaque, flag), (remark, fields, body))| {
        RemotingCommand {
            code: i32::from(code),
            language: LanguageCode(language),
            version: i32::from(version),
            opaque,
            flag: CommandFlag(flag),
            remark: remark.map(Into::into),
            ext_fields: fields.map_or_else(ExtFields::absent, ExtFields::from_iter),
            body: Bytes::from(body),
            serialize_type,
        }
    })
}

fn through_the_wire(command: &RemotingCommand) -> RemotingCommand {
    let mut buf = BytesMut::new();
    command.encode(&mut buf).unwrap();
    buf.extend_from_slice(b"next");
    let received = buf.clone();
    let again = decode_frame(&mut buf, &FrameLimits::default()).unwrap().unwrap();
    assert_eq!(buf, &b"next"[..]);
    assert_same(&received, &again);
    again
}

/// What a view says of the first frame is what its command says.
fn assert_same(bytes: &[u8], command: &RemotingCommand) {
    let (view, rest) = CommandView::first(bytes, &FrameLimits::default()).unwrap().unwrap();
    assert_eq!((view.code(), view.opaque()), (command.code, command.opaque));
    assert_eq!(view.is_response(), command.is_response());
    assert_eq!(view.remark().as_deref(), command.remark.as_deref());
    assert_eq!((view.body(), rest), (&command.body[..], &b"next"[..]));
    let mut fields = ExtFields::empty();
    view.fields().each(|name, value| {
        if let Some(value) = value {
            fields.insert(name, value.to_byte_string());
        }
    });
    let lists = (fields.iter().collect::<Vec<_>>(), command.ext_fields.iter().collect::<Vec<_>>());
    assert!(lists.0.len() <= lists.1.len());
    for (name, value) in lists.0 {
        assert_eq!(command.ext_fields.get(&name), Some(value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn json_keeps_every_command(mut command in command(SerializeType::Json), code in any::<i32>()) {
        command.code = code;
        let again = through_the_wire(&command);
        prop_assert_eq!(&again, &command);
        prop_assert_eq!(&through_the_wire(&again), &command);
        // Standard JSON, as others read it.
        let mut out = BytesMut::new();
        command.encode(&mut out).unwrap();
        let header = &out[8..out.len() - command.body.len()];
        let value: serde_json::Value = serde_json::from_slice(header).unwrap();
        prop_assert_eq!(value["remark"].as_str(), command.remark.as_deref());
        for (name, text) in &command.ext_fields {
            prop_assert_eq!(value["extFields"][&*name].as_str(), Some(&*text));
        }
    }

    #[test]
    fn binary_keeps_every_command_but_empty_values(mut command in command(SerializeType::RocketMq)) {
        let again = through_the_wire(&command);
        if command.ext_fields.is_empty() {
            command.ext_fields = ExtFields::absent();
        }
        prop_assert_eq!(&again, &command);
        command.ext_fields.insert("empty", "");
        command.remark = Some("".into());
        let again = through_the_wire(&command);
        prop_assert_eq!(again.ext_fields.get("empty"), None);
        prop_assert_eq!(again.remark, None);
    }

    #[test]
    fn a_command_can_change_its_form(mut command in command(SerializeType::RocketMq)) {
        command.ext_fields.insert("at", "least one");
        let mut json = through_the_wire(&command);
        json.serialize_type = SerializeType::Json;
        let mut binary = through_the_wire(&json);
        binary.serialize_type = SerializeType::RocketMq;
        prop_assert_eq!(through_the_wire(&binary), command);
    }

    #[test]
    fn fields_from_the_wire_can_be_edited(command in command(SerializeType::Json), value in awkward()) {
        let mut fields = through_the_wire(&command).ext_fields;
        let names: Vec<String> = command.ext_fields.iter().map(|(name, _)| name.into_owned()).collect();
        fields.insert("added", value.as_str());
        prop_assert_eq!(fields.get("added"), Some(value.as_str().into()));
        for name in &names {
            prop_assert_eq!(fields.get(name), command.ext_fields.get(name));
            prop_assert!(fields.remove(name).is_some());
            prop_assert!(fields.get(name).is_none());
            prop_assert_eq!(fields.remove(name), None);
        }
        prop_assert_eq!(fields.len(), 1);
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_frame(&mut BytesMut::from(&bytes[..]), &FrameLimits::default());
    }

    #[test]
    fn any_header_is_read_or_refused(
        binary in any::<bool>(),
        header in prop_oneof![
            vec(any::<u8>(), 0..120),
            "[{}\\[\\]:,\"\\\\u0a1. \u{e9}]{0,120}".prop_map(String::into_bytes),
            "\\{\"(code|extFields|remark|flag)\":[\"{0-9a-z:,\\\\}]{0,40}\\}".prop_map(String::into_bytes),
        ],
        body in vec(any::<u8>(), 0..20),
    ) {
        let header_length = (header.len() as u32) | u32::from(binary) << 24;
        let length = (4 + header.len() + body.len()) as u32;
        let frame = [&length.to_be_bytes()[..], &header_length.to_be_bytes(), &header, &body].concat();
        let received = [&frame[..], b"next"].concat();
        let mut buf = BytesMut::from(&received[..]);
        let seen = CommandView::first(&received, &FrameLimits::default());
        let decoded = decode_frame(&mut buf, &FrameLimits::default());
        if let Ok(Some((view, _))) = seen {
            // Texts that are no UTF-8 are found when they are read.
            prop_assert!(matches!(decoded, Ok(Some(_)) | Err(FrameError::NotUtf8)));
            let _ = (view.remark(), view.fields().each(|_, _| {}));
        }
        if let Ok(Some(command)) = decoded {
            assert_same(&received, &command);
            prop_assert_eq!(&buf[..], b"next");
            prop_assert_eq!(&command.body[..], &body[..]);
            let held: usize = command.ext_fields.iter().map(|(name, value)| name.len() + value.len()).sum();
            // A lone surrogate of six bytes becomes a character of three.
            prop_assert!(held + command.remark().len() <= header.len());
            let _ = command.header::<SendMessageResponseHeader>();
            prop_assert_eq!(through_the_wire(&command).body, command.body);
        }
    }

    #[test]
    fn a_damaged_frame_never_panics(at in 0..320_usize, byte in any::<u8>(), which in 0..3_usize) {
        let name = ["send_v2_bin_request", "send_v2_response", "push_reply_326"][which];
        let mut bytes = BytesMut::from(&golden::golden(name)[..]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(Some(command)) = decode_frame(&mut bytes, &FrameLimits::default()) {
            let _ = command.header::<SendMessageResponseHeader>();
            prop_assert!(command.ext_fields.len() < 30);
        }
    }
}
