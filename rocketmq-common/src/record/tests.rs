use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::compression::{CompressionType, DEFAULT_LEVEL, compress};
use crate::message::Message;
use crate::message_batch::MessageBatch;
use crate::message_ext::MessageExt;
use crate::sysflag::MessageSysFlag;

fn encode(fields: &RecordFields<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    encode_record(fields, &mut out).unwrap();
    assert_eq!(out.len(), fields.record_len());
    out
}

fn fields(topic: &'static str, body: &'static [u8], queue_offset: i64) -> RecordFields<'static> {
    let header = RecordHeader { queue_id: 3, queue_offset, commit_log_offset: 77, ..RecordHeader::default() };
    RecordFields { header, flag: 5, topic, body, properties: "TAGS\u{1}A\u{2}" }
}

/// Three records with the bodies `one`, `two` and `three`, and where they start.
fn three() -> (BytesMut, [usize; 3]) {
    let mut out = BytesMut::new();
    let starts = [(&b"one"[..], 10), (b"two", 11), (b"three", 12)].map(|(body, offset)| {
        let start = out.len();
        out.unsplit(encode(&fields("T", body, offset)));
        start
    });
    (out, starts)
}

fn read(records: impl Into<Bytes>) -> Vec<Result<MessageExt, RecordError>> {
    RecordDecoder::new(records.into()).collect()
}

/// The bodies of the readable records, and `!` for each error.
fn bodies(records: impl Into<Bytes>) -> Vec<String> {
    let text = |message: MessageExt| String::from_utf8(message.body().to_vec()).unwrap();
    read(records).into_iter().map(|message| message.map_or_else(|_| "!".to_owned(), text)).collect()
}

#[test]
fn bodies_and_properties_are_shared_with_the_buffer() {
    let records = encode(&fields("T", b"body", 0)).freeze();
    let range = records.as_ptr_range();
    let message = RecordDecoder::new(records.clone()).next().unwrap().unwrap();
    assert!(range.contains(&message.body().as_ptr()));
    assert!(range.contains(&message.properties().as_wire().as_ptr()));
}

#[test]
fn a_broken_record_costs_no_other() {
    let (records, [_, second, third]) = three();
    let length = third - second;
    let damage: [(&str, usize, &[u8]); 7] = [
        ("magic", 4, &[0]),
        ("checksum", 8, &[0x7F]),
        ("compressed, but is not", 39, &[1]),
        ("unknown compression", 38, &[7, 1]),
        ("body length", 84, &[0xFF, 0xFF, 0xFF, 0xFF]),
        ("topic length", 91, &[200]),
        ("properties length", 93, &[0x80]),
    ];
    for (what, at, bytes) in damage {
        let mut broken = records.clone();
        broken[second + at..second + at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(bodies(broken.clone()), ["one", "!", "three"], "{what}");
        let error = read(broken).remove(1).unwrap_err();
        assert_eq!((error.position(), error.is_last()), (second, false), "{what}: {error}");
    }
    let mut longer = records.clone();
    longer[second..second + 4].copy_from_slice(&(length as u32 + 1).to_be_bytes());
    assert_eq!(bodies(longer)[..2], ["one", "!"]);
}

#[test]
fn an_error_says_which_message_it_is_about() {
    let (mut records, [_, second, _]) = three();
    records[second + 8] ^= 1;
    let error = read(records.clone()).remove(1).unwrap_err();
    assert_eq!((error.topic(), error.queue_id()), (Some("T"), Some(3)));
    assert_eq!((error.queue_offset(), error.commit_log_offset()), (Some(11), Some(77)));
    let message =
        format!("record at byte {second}, topic `T`, queue 3, queue offset 11 cannot be read: the checksum");
    assert!(error.to_string().starts_with(&message), "{error}");
    assert!(matches!(error.problem(), RecordProblem::Checksum { .. }));

    records[second + 4] = 0;
    let error = read(records).remove(1).unwrap_err();
    assert_eq!((error.topic(), error.queue_offset()), (None, None));
    assert!(matches!(error.problem(), RecordProblem::Magic { magic: 0x00A3_20A7 }));
}

#[test]
fn a_size_that_cannot_be_believed_ends_the_buffer() {
    let (records, [_, second, third]) = three();
    for size in [0, 7, -1, i32::MIN, i32::MAX, (records.len() - second + 1) as i32] {
        let mut broken = records.clone();
        broken[second..second + 4].copy_from_slice(&size.to_be_bytes());
        assert_eq!(bodies(broken.clone()), ["one", "!"], "{size}");
        assert!(read(broken)[1].as_ref().unwrap_err().is_last());
    }
    for end in third + 1..records.len() {
        let cut = records.clone().freeze().slice(..end);
        assert_eq!(bodies(cut.clone()), ["one", "two", "!"], "{end}");
        assert!(read(cut)[2].as_ref().unwrap_err().is_last());
    }
}

#[test]
fn a_negative_length_is_an_error_of_its_own() {
    for (at, bytes, field, length) in [
        (84, &[0xFF; 4][..], "body length", -1),
        (91, &[0x80], "topic length", -128),
        (93, &[0xFF, 0xFE], "properties length", -2),
    ] {
        let mut records = encode(&fields("T", b"one", 0));
        records[at..at + bytes.len()].copy_from_slice(bytes);
        let error = read(records).remove(0).unwrap_err();
        assert_eq!(error.problem(), &RecordProblem::NegativeLength { field, length });
    }
}

#[test]
fn fillers_are_skipped() {
    let mut records = encode(&fields("T", b"one", 0));
    records.put_u32(12);
    records.put_u32(MAGIC_BLANK);
    records.put_u32(0);
    records.unsplit(encode(&fields("T", b"two", 1)));
    assert_eq!(bodies(records), ["one", "two"]);
}

#[test]
fn records_of_several_topics_keep_their_own() {
    let mut records = BytesMut::new();
    for topic in ["A", "B", "B", "A", ""] {
        records.unsplit(encode(&fields(topic, b"", 0)));
    }
    let topics: Vec<_> =
        read(records).into_iter().map(|message| message.unwrap().topic().to_owned()).collect();
    assert_eq!(topics, ["A", "B", "B", "A", ""]);
}

#[test]
fn options_switch_off_what_they_name() {
    let body = compress(CompressionType::Zlib, &[b'x'; 500], DEFAULT_LEVEL).unwrap();
    let mut fields = RecordFields { body: &body, ..fields("T", b"", 0) };
    fields.header.sys_flag = MessageSysFlag::default().with_compression(CompressionType::Zlib);
    let mut records = encode(&fields);
    let one = |records: &BytesMut, options| {
        RecordDecoder::with_options(records.clone().freeze(), options).next().unwrap()
    };
    let usual = RecordOptions::default();

    let message = one(&records, usual).unwrap();
    assert_eq!((message.body().len(), message.sys_flag().bits()), (500, 0x300));
    assert_eq!(message.store_size(), records.len());
    let message = one(&records, RecordOptions { decompress: false, ..usual }).unwrap();
    assert_eq!((message.body(), message.sys_flag().bits()), (&body, 0x301));
    let error = one(&records, RecordOptions { max_inflated: 499, ..usual }).unwrap_err();
    assert!(matches!(error.problem(), RecordProblem::Decompress(_)));

    records[8] ^= 1;
    assert!(one(&records, usual).is_err());
    let message = one(&records, RecordOptions { check_crc: false, ..usual }).unwrap();
    assert_eq!(message.body().len(), 500);
    let message = one(&records, RecordOptions { read_body: false, ..usual }).unwrap();
    assert_eq!((message.body().len(), message.tags()), (0, Some("A")));
}

#[test]
fn every_compression_is_inflated() {
    for kind in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib] {
        let Ok(body) = compress(kind, &[b'x'; 900], DEFAULT_LEVEL) else {
            assert_eq!(kind, CompressionType::Zstd);
            continue;
        };
        let mut fields = RecordFields { body: &body, ..fields("T", b"", 0) };
        fields.header.sys_flag = MessageSysFlag::default().with_compression(kind);
        assert_eq!(bodies(encode(&fields)), ["x".repeat(900)]);
    }
}

/// A record whose body is a batch of `zero`, `one`, `two`, with the first at queue offset 40.
fn inner_batch() -> BytesMut {
    let messages = ["zero", "one", "two"].map(|body| Message::new("T", body).with_flag(9).with_keys(body));
    let batch = MessageBatch::try_from_iter(messages).unwrap().encode().unwrap();
    let mut fields = RecordFields { body: &batch, ..fields("T", b"", 40) };
    fields.header.sys_flag = MessageSysFlag::NEED_UNWRAP.with(MessageSysFlag::INNER_BATCH);
    encode(&fields)
}

#[test]
fn a_batch_in_a_record_gives_its_messages() {
    let mut records = inner_batch();
    records.unsplit(encode(&fields("T", b"next", 43)));
    let messages: Vec<_> = read(records).into_iter().map(Result::unwrap).collect();
    let offsets: Vec<_> = messages.iter().map(MessageExt::queue_offset).collect();
    assert_eq!(offsets, [40, 41, 42, 43]);
    let one = &messages[1];
    assert_eq!((one.topic(), one.queue_id(), one.flag()), ("T", 3, 9));
    assert_eq!((&one.body()[..], one.keys(), one.tags()), (&b"one"[..], Some("one"), None));
    assert_eq!(one.commit_log_offset(), 77);
    assert_eq!(messages[3].body(), "next");
}

#[test]
fn a_batch_stays_whole_on_request() {
    let options = RecordOptions { unwrap_inner_batch: false, ..RecordOptions::default() };
    let messages: Vec<_> = RecordDecoder::with_options(inner_batch().freeze(), options).collect();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].as_ref().unwrap().sys_flag().is_inner_batch());
}

#[test]
fn a_broken_message_of_a_batch_costs_no_other() {
    let mut records = inner_batch();
    let second = records.windows(3).position(|bytes| bytes == b"one").unwrap();
    records[second - 4] = 0x7F;
    let options = RecordOptions { check_crc: false, ..RecordOptions::default() };
    let messages: Vec<_> = RecordDecoder::with_options(records.freeze(), options).collect();
    assert_eq!((messages[0].as_ref().unwrap().body(), messages.len()), (&Bytes::from("zero"), 3));
    assert_eq!(messages[2].as_ref().unwrap().body(), "two");
    let error = messages[1].as_ref().unwrap_err();
    assert!(matches!(error.problem(), RecordProblem::InnerBatch { index: 1, .. }));
    assert_eq!((error.position(), error.queue_offset(), error.is_last()), (0, Some(41), false));
}

#[test]
fn no_more_messages_are_read_than_asked_for() {
    let options = RecordOptions { max_messages: 2, ..RecordOptions::default() };
    let mut all = RecordDecoder::with_options(inner_batch().freeze(), options);
    assert!(all.next().unwrap().is_ok() && all.next().unwrap().is_ok());
    let error = all.next().unwrap().unwrap_err();
    assert!(error.is_last() && matches!(error.problem(), RecordProblem::TooMany { limit: 2 }));
    assert!(all.next().is_none());
    let (records, _) = three();
    let options = RecordOptions { max_messages: 3, ..RecordOptions::default() };
    assert!(RecordDecoder::with_options(records.freeze(), options).all(|message| message.is_ok()));
}

#[test]
fn what_no_record_can_hold_is_not_written() {
    let mut out = BytesMut::new();
    let long = "x".repeat(32_768);
    let topic = RecordFields { topic: &long, ..fields("T", b"", 0) };
    assert_eq!(encode_record(&topic, &mut out).unwrap_err().field, "topic");
    let properties = RecordFields { properties: &long, ..fields("T", b"", 0) };
    let error = encode_record(&properties, &mut out).unwrap_err();
    assert_eq!((error.field, error.length, error.limit), ("properties", 32_768, 32_767));
    assert!(out.is_empty());
}

#[test]
fn a_port_beyond_65535_is_an_error() {
    let mut records = encode(&fields("T", b"", 0));
    records[53] = 1;
    let error = read(records).remove(0).unwrap_err();
    assert_eq!(error.problem(), &RecordProblem::Port { field: "born host", port: 65_536 });
}

fn any_header() -> impl Strategy<Value = RecordHeader> {
    let numbers =
        (any::<i32>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<i32>(), any::<i64>());
    let hosts = (any::<SocketAddr>(), any::<SocketAddr>());
    (numbers, hosts, 0i32..16).prop_map(|(numbers, (born_host, store_host), flag)| RecordHeader {
        queue_id: numbers.0,
        queue_offset: numbers.1,
        commit_log_offset: numbers.2,
        sys_flag: MessageSysFlag::from_bits(flag & !1 | i32::MIN),
        born_timestamp: numbers.3,
        born_host: SocketAddr::new(born_host.ip(), born_host.port()),
        store_timestamp: numbers.4,
        store_host: SocketAddr::new(store_host.ip(), store_host.port()),
        reconsume_times: numbers.5,
        prepared_transaction_offset: numbers.6,
    })
}

proptest! {
    #[test]
    fn records_survive(
        header in any_header(),
        flag: i32,
        topic in "[a-z]{0,140}",
        body: Vec<u8>,
        properties in "[a-z\u{1}\u{2}\u{e9}]{0,40}",
    ) {
        let fields = RecordFields { header, flag, topic: &topic, body: &body, properties: &properties };
        let records = encode(&fields).freeze();
        let magic = u32::from_be_bytes(*records[4..].first_chunk().unwrap());
        prop_assert_eq!(magic, if topic.len() > 127 { MAGIC_V2 } else { MAGIC_V1 });
        let message = RecordDecoder::new(records.clone()).next().unwrap().unwrap();
        let v6 = MessageSysFlag::from_bits(0x30);
        let expected = RecordHeader { sys_flag: message.sys_flag(), ..header };
        prop_assert_eq!(message.header(), expected);
        prop_assert_eq!(message.sys_flag().without(v6), header.sys_flag);
        prop_assert_eq!((message.topic(), message.flag(), &message.body()[..]), (&*topic, flag, &body[..]));
        prop_assert_eq!(message.properties().as_wire(), &*properties);
        prop_assert_eq!(encode(&RecordFields::from(&message)), records);
    }

    #[test]
    fn any_bytes_are_messages_or_errors(noise: Vec<u8>, at: prop::sample::Index, bytes: [u8; 2], crc: bool) {
        let mut changed = three().0;
        changed.unsplit(inner_batch());
        let at = at.index(changed.len() - 1);
        changed[at..at + 2].copy_from_slice(&bytes);
        let options = RecordOptions { check_crc: crc, ..RecordOptions::default() };
        for bytes in [noise.into(), changed.freeze()] {
            let length = bytes.len();
            prop_assert!(RecordDecoder::with_options(bytes, options).count() <= length / 8 + 1);
        }
    }
}

#[test]
fn a_detached_message_lets_go_of_the_buffer() {
    let records = encode(&fields("T", b"body", 0)).freeze();
    let mut message = RecordDecoder::new(records.clone()).next().unwrap().unwrap();
    assert!(!records.is_unique());
    message.detach();
    assert!(records.is_unique(), "nothing shares the buffer any more");
    assert_eq!((message.topic(), message.tags(), &message.body()[..]), ("T", Some("A"), &b"body"[..]));
}
