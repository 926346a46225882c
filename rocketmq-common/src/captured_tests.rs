//! Records, ids, hashes, names and properties, compared with the output of Apache's own code 5.5.0.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::crc32::crc32;
use crate::java_hash::java_string_hash;
use crate::message_ext::MessageExt;
use crate::namespace::{without_namespace, wrap_namespace};
use crate::properties::MessageProperties;
use crate::record::{MAGIC_V2, RecordDecoder, RecordFields, RecordOptions, encode_record};
use crate::testdata::{Capture, captures};
use crate::unique_id::{UniqueIdGenerator, UniqueIdParts};
use crate::{Message, OffsetMsgId};

/// The captures whose name starts with `kind`; there must be `count`.
fn of_kind(kind: &str, count: usize) -> Vec<Capture> {
    let all = captures(include_str!("../testdata/captured-5.5.0.hex"));
    let kept: Vec<_> = all.into_iter().filter(|capture| capture.name.starts_with(kind)).collect();
    assert_eq!(kept.len(), count, "{kind}");
    kept
}

fn decode(capture: &Capture, options: RecordOptions) -> Vec<MessageExt> {
    let records = Bytes::from(capture.bytes.clone());
    RecordDecoder::with_options(records, options).map(Result::unwrap).collect()
}

/// Properties as a map: the last of equal names counts.
fn sorted(message: &Message) -> Vec<(String, String)> {
    let properties: BTreeMap<_, _> = message.properties().iter().collect();
    properties.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn records_decode_to_what_java_makes_of_them() {
    for capture in of_kind("record.", 22) {
        let whole = RecordOptions { unwrap_inner_batch: false, ..RecordOptions::default() };
        let [message] = &decode(&capture, whole)[..] else { panic!("{}", capture.name) };
        assert_eq!(message.topic(), capture.text("topic"));
        for (key, value) in [
            ("store_size", message.store_size() as i64),
            ("queue_id", message.queue_id().into()),
            ("flag", message.flag().into()),
            ("queue_offset", message.queue_offset()),
            ("commit_log_offset", message.commit_log_offset()),
            ("born_timestamp", message.born_timestamp()),
            ("store_timestamp", message.store_timestamp()),
            ("reconsume_times", message.reconsume_times().into()),
            ("prepared_transaction_offset", message.prepared_transaction_offset()),
            ("body_crc", message.body_crc().into()),
        ] {
            assert_eq!(value, capture.number(key), "{} {key}", capture.name);
        }
        let inflated =
            capture.get("sys_flag.after_inflating").map_or("sys_flag", |_| "sys_flag.after_inflating");
        assert_eq!(i64::from(message.sys_flag().bits()), capture.number(inflated), "{}", capture.name);
        assert_eq!(message.born_host(), capture.address("born_host"));
        assert_eq!(message.store_host(), capture.address("store_host"));
        assert_eq!(message.offset_msg_id(), capture.get("offset_msg_id").unwrap());
        assert_eq!(sorted(message), capture.properties(""), "{}", capture.name);
        assert_eq!(message.body(), &capture.hex("body"), "{}", capture.name);
        if let Some(code) = capture.get("tags_code") {
            assert_eq!(java_string_hash(message.tags().unwrap()).to_string(), code);
        }
    }
}

#[test]
fn records_are_written_again_byte_by_byte() {
    for capture in of_kind("record.", 22) {
        let stored =
            RecordOptions { decompress: false, unwrap_inner_batch: false, ..RecordOptions::default() };
        let [message] = &decode(&capture, stored)[..] else { panic!("{}", capture.name) };
        let mut out = BytesMut::new();
        encode_record(&RecordFields::from(message), &mut out).unwrap();
        assert_eq!(&out[..], capture.bytes, "{}", capture.name);
        let is_v2 = capture.number("magic") == i64::from(MAGIC_V2);
        assert_eq!(is_v2, capture.name == "record.v2");
    }
}

#[test]
fn batches_that_are_stored_whole_give_their_messages() {
    for (capture, count) in of_kind("record.batch-cq", 2).iter().zip([3, 2]) {
        let messages = decode(capture, RecordOptions::default());
        assert_eq!(messages.len(), count);
        for (index, message) in messages.iter().enumerate() {
            let key = |name: &str| format!("inner.{index}.{name}");
            assert_eq!(message.queue_offset(), capture.number(&key("queue_offset")));
            assert_eq!(i64::from(message.flag()), capture.number(&key("flag")));
            assert_eq!(message.body(), &capture.text(&key("body.text")));
            assert_eq!(message.msg_id(), capture.get(&key("msg_id")).unwrap());
            assert_eq!(sorted(message), capture.properties(&key("")));
            assert_eq!(message.topic(), capture.text("topic"));
        }
    }
}

#[test]
fn all_records_together_are_one_buffer() {
    let records = of_kind("record.", 22).into_iter().flat_map(|capture| capture.bytes);
    let messages = RecordDecoder::new(records.collect::<Vec<_>>().into()).map(Result::unwrap);
    assert_eq!(messages.count(), 20 + 3 + 2);
}

#[test]
fn unique_ids_are_taken_apart_and_made_as_java_does() {
    for capture in of_kind("uniq-key.", 4) {
        let text = capture.get("text").unwrap();
        let parts = UniqueIdParts::parse(text).unwrap();
        assert_eq!(parts.ip, capture.get("ip").unwrap().parse::<std::net::IpAddr>().unwrap());
        assert_eq!(i64::from(parts.pid), capture.number("pid"));
        assert_eq!(format!("{:08x}", parts.seed), capture.get("class_loader_hash").unwrap());
        assert_eq!(i64::from(parts.ms_since_month_began), capture.number("ms_since_first_of_month"));
        assert_eq!(i64::from(parts.counter), capture.number("counter"));
        let generator = UniqueIdGenerator::new(parts.ip, parts.pid.into(), parts.seed);
        let now = capture.number("nearly_time");
        let id = (0..=parts.counter).map(|_| generator.next(now)).last().unwrap();
        assert_eq!(id.as_str(), text);
    }
}

#[test]
fn offset_ids_are_java_s() {
    for capture in of_kind("offset-msg-id.", 4) {
        let (store_host, commit_log_offset) = (capture.address("address"), capture.number("offset"));
        let id = OffsetMsgId { store_host, commit_log_offset };
        assert_eq!(id.to_string(), capture.get("text").unwrap());
        assert_eq!(OffsetMsgId::parse(capture.get("text").unwrap()), Ok(id));
    }
}

#[test]
fn hashes_and_checksums_are_java_s() {
    for capture in of_kind("hash.", 9) {
        let text = std::str::from_utf8(&capture.bytes).unwrap();
        assert_eq!(i64::from(java_string_hash(text)), capture.number("hash_code"), "{text}");
        assert_eq!(i64::from(crc32(&capture.bytes)), capture.number("crc32"), "{text}");
    }
}

#[test]
fn namespaces_are_put_on_and_taken_off_as_java_does() {
    for capture in of_kind("namespace.", 38) {
        let (namespace, name) = (capture.text("namespace"), capture.text("resource"));
        assert_eq!(wrap_namespace(&namespace, &name), capture.text("wrap"), "{}", capture.name);
        assert_eq!(without_namespace(&name, &namespace), capture.text("without_this"), "{}", capture.name);
    }
}

#[test]
fn properties_are_read_as_java_does() {
    for capture in of_kind("properties.", 10) {
        let text = String::from_utf8(capture.bytes.clone()).unwrap();
        let message = Message::from_parts("T", 0, MessageProperties::from_wire(text), "");
        assert_eq!(sorted(&message), capture.properties(""), "{}", capture.name);
        assert_eq!(sorted(&message).len() as i64, capture.number("count"), "{}", capture.name);
        for (name, value) in capture.properties("") {
            assert_eq!(message.property(&name), Some(&*value), "{}", capture.name);
        }
    }
}
