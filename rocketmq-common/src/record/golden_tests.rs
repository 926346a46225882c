//! Records of Apache's broker 5.5.0.

use std::collections::HashMap;

use bytes::BytesMut;

use super::{RecordDecoder, RecordFields, encode_record};
use crate::message_ext::MessageExt;
use crate::sysflag::TransactionType;
use crate::testdata;

const REGION: (&str, &str) = ("MSG_REGION", "DefaultRegion");
const CLUSTER: (&str, &str) = ("CLUSTER", "DefaultCluster");
const TRACE: (&str, &str) = ("TRACE_ON", "true");
const WAIT: (&str, &str) = ("WAIT", "true");

fn golden() -> HashMap<&'static str, Vec<u8>> {
    testdata::parse(include_str!("../../testdata/verified-5.5.0.hex"))
}

fn read(name: &str) -> MessageExt {
    let mut messages = RecordDecoder::new(golden()[name].clone().into());
    let message = messages.next().unwrap().unwrap();
    assert!(messages.next().is_none());
    message
}

fn properties(message: &MessageExt) -> Vec<(&str, &str)> {
    message.properties().iter().collect()
}

#[test]
fn a_plain_message_has_exactly_these_fields() {
    let message = read("record_plain");
    assert_eq!((message.topic(), &message.body()[..]), ("GoldTopic", &b"hello"[..]));
    assert_eq!((message.queue_id(), message.queue_offset(), message.flag()), (1, 0, 7));
    assert_eq!((message.sys_flag().bits(), message.commit_log_offset()), (0, 0x3169_6699));
    assert_eq!((message.born_timestamp(), message.store_timestamp()), (1_795_252_020_175, 1_795_252_020_178));
    assert_eq!(message.born_host(), "127.0.0.1:38540".parse().unwrap());
    assert_eq!(message.store_host(), "127.0.0.1:10911".parse().unwrap());
    assert_eq!((message.reconsume_times(), message.prepared_transaction_offset()), (0, 0));
    assert_eq!((message.body_crc(), message.store_size()), (0x3610_A686, 237));
    let id = "7F0000010001251A69D70000000000AA";
    assert_eq!((message.msg_id(), message.offset_msg_id()), (id, "7F00000100002A9F0000000031696699"));
    let expected = [REGION, ("UNIQ_KEY", id), CLUSTER, ("TAGS", "A"), ("KEYS", "k1 k2"), WAIT, TRACE];
    assert_eq!(properties(&message), expected);
}

#[test]
fn a_compressed_message_is_inflated() {
    let message = read("record_zlib");
    assert_eq!(message.body(), &"hello world ".repeat(100));
    assert_eq!((message.sys_flag().bits(), message.queue_offset()), (0x300, 1));
}

#[test]
fn messages_of_a_batch_have_only_their_own_properties() {
    for (name, flag, body, id) in [
        ("record_batch_0", 0, "b0", "7F0000010001251A69D70000000000B0"),
        ("record_batch_1", 1, "b1", "7F0000010001251A69D70000000000B1"),
    ] {
        let message = read(name);
        assert_eq!((message.flag(), &message.body()[..]), (flag, body.as_bytes()));
        assert_eq!(properties(&message), [("UNIQ_KEY", id), ("TAGS", "A"), WAIT]);
    }
}

#[test]
fn delayed_and_timed_messages_keep_what_they_were() {
    let message = read("record_delayed");
    assert_eq!((message.body(), message.delay_time_level()), (&"delayed".into(), 1));
    assert_eq!(
        (message.property("REAL_TOPIC"), message.property("REAL_QID")),
        (Some("GoldTopic"), Some("3"))
    );
    let message = read("record_timer");
    assert_eq!((message.body(), message.delay_time_sec()), (&"timed".into(), Some(1)));
    assert_eq!(message.property("TIMER_OUT_MS"), Some("1795252022000"));
    assert_eq!(message.property("TIMER_ENQUEUE_MS"), Some("1795252021000"));
    assert_eq!(message.property("TIMER_DEQUEUE_MS"), Some("1795252023092"));
}

#[test]
fn retried_and_dead_messages_count_their_attempts() {
    let origin = "7F00000100002A9F0000000031696699";
    for (name, topic, times) in
        [("record_retry", "%RETRY%gold_group", 1), ("record_dlq", "%DLQ%gold_group", 2)]
    {
        let message = read(name);
        assert_eq!((message.topic(), message.reconsume_times()), (topic, times));
        assert_eq!(message.property("RETRY_TOPIC"), Some("GoldTopic"));
        assert_eq!(message.property("ORIGIN_MESSAGE_ID"), Some(origin));
        assert!(!message.wait_store_msg_ok());
    }
}

#[test]
fn a_transaction_is_followed_from_half_to_committed() {
    let id = "7F0000010001251A69D70000000000AF";
    let half = read("record_half");
    assert_eq!(half.topic(), "RMQ_SYS_TRANS_HALF_TOPIC");
    assert_eq!(half.sys_flag().transaction_type(), TransactionType::NotTransaction);
    let check = read("check_body");
    assert_eq!((check.topic(), check.property("TRANSACTION_CHECK_TIMES")), ("GoldTopic", Some("1")));
    let committed = read("record_committed");
    assert_eq!((committed.topic(), committed.queue_id()), ("GoldTopic", 0));
    assert_eq!(committed.sys_flag().transaction_type(), TransactionType::Commit);
    assert_eq!(committed.prepared_transaction_offset(), check.commit_log_offset());
    for message in [&half, &check, &committed] {
        assert_eq!((message.body(), message.transaction_id()), (&"half".into(), Some(id)));
        assert_eq!(message.property("PGROUP"), Some("gold_pg"));
    }
}

#[test]
fn the_second_version_has_long_topics() {
    let message = read("record_v2_magic");
    assert_eq!((message.topic().len(), message.reconsume_times()), (178, 1));
    assert!(message.topic().starts_with("%RETRY%QQQ") && message.topic().ends_with("P1795252088"));
    assert_eq!(message.property("1ST_POP_TIME"), Some("1795252088410"));
}

#[test]
fn a_sender_with_ipv6_is_read_beside_a_broker_with_ipv4() {
    let message = read("record_born_ipv6");
    assert_eq!((message.sys_flag().bits(), &message.body()[..]), (0x10, &b"v6"[..]));
    assert_eq!(message.born_host(), "[::1]:59598".parse().unwrap());
    assert_eq!(message.store_host(), "127.0.0.1:10911".parse().unwrap());
    assert_eq!(message.msg_id().len(), 56);
    assert_eq!(message.offset_msg_id(), "7F00000100002A9F0000000031583E60");
}

#[test]
fn what_is_read_is_written_again_byte_by_byte() {
    let golden = golden();
    let mut again = 0;
    for (name, bytes) in golden.iter().filter(|(name, _)| **name != "batch_body") {
        let stored = super::RecordOptions { decompress: false, ..super::RecordOptions::default() };
        let message = RecordDecoder::with_options(bytes.clone().into(), stored).next().unwrap().unwrap();
        let mut out = BytesMut::new();
        encode_record(&RecordFields::from(&message), &mut out).unwrap();
        assert_eq!(&out[..], &bytes[..], "{name}");
        again += 1;
    }
    assert_eq!(again, 13);
}
