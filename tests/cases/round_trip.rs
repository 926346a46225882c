//! Messages come back byte for byte.

use std::collections::HashSet;

use bytes::Bytes;
use rocketmq::conf::{CompressionType, SerializeType};
use rocketmq::model::Message;

use super::support::{Site, fresh_topic};
use crate::stage;

const MEBIBYTE: usize = 1024 * 1024;

/// Bytes that no compressor makes smaller.
fn noise(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// Bytes that compress well.
fn prose(size: usize) -> Bytes {
    b"hello world, hello broker; ".iter().copied().cycle().take(size).collect::<Vec<u8>>().into()
}

async fn small_and_utf8_bodies(name_server: &str, serialize_type: SerializeType) {
    let site = Site::with(name_server, |option| {
        option.set_serialize_type(serialize_type);
    })
    .await;
    let topic = fresh_topic("small");
    let all_bytes: Vec<u8> = (0..=255).collect();
    let bodies: [Bytes; 6] = [
        Bytes::from_static(b"x"),
        Bytes::from_static(&[0]),
        Bytes::from_static("grüße, 消息, \u{1F680}".as_bytes()),
        Bytes::from(all_bytes),
        Bytes::from_static(b"\x01\x02\x00\xFF\xFE"),
        noise(1000),
    ];
    for body in bodies {
        let mut message = Message::new(topic.as_str(), body).with_tags("TagA").with_keys("k1 k2");
        message.set_flag(7);
        message.put_property("city", "Zürich");
        site.round_trip(message).await;
    }
}

#[tokio::test]
async fn small_and_utf8_bodies_with_binary_headers() {
    let name_server = &*stage::name_server().await;
    small_and_utf8_bodies(name_server, SerializeType::RocketMq).await;
}

#[tokio::test]
async fn small_and_utf8_bodies_with_json_headers() {
    let name_server = &*stage::name_server().await;
    small_and_utf8_bodies(name_server, SerializeType::Json).await;
}

#[tokio::test]
async fn bodies_around_the_compression_threshold() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("threshold");
    for (body, compressed) in [
        (prose(4095), false),
        (prose(4096), true),
        (prose(4097), true),
        // A compressed form that is not smaller is not used.
        (noise(4096), false),
        (noise(20_000), false),
    ] {
        let size = body.len();
        let (_, stored) = site.round_trip(Message::new(topic.as_str(), body)).await;
        // Less than the body alone is only possible if it was stored compressed.
        assert_eq!(stored.store_size() < size, compressed, "{size} bytes became {}", stored.store_size());
    }
}

#[tokio::test]
async fn a_large_body_that_compresses() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (_, stored) = site.round_trip(Message::new(fresh_topic("prose"), prose(MEBIBYTE))).await;
    assert!(stored.store_size() < MEBIBYTE / 10, "{}", stored.store_size());
}

#[tokio::test]
async fn the_largest_body_that_does_not_compress() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    site.round_trip(Message::new(fresh_topic("noise"), noise(4 * MEBIBYTE))).await;
}

#[tokio::test]
async fn five_mebibytes_of_zeros_pass_the_limit() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    site.round_trip(Message::new(fresh_topic("zeros"), vec![0; 5 * MEBIBYTE])).await;
}

#[tokio::test]
async fn lz4_bodies() {
    let name_server = &*stage::name_server().await;
    let site = Site::with(name_server, |option| {
        option.set_compress_type(CompressionType::Lz4);
    })
    .await;
    let topic = fresh_topic("lz4");
    for size in [4096, 100_000, MEBIBYTE] {
        let (_, stored) = site.round_trip(Message::new(topic.as_str(), prose(size))).await;
        assert!(stored.store_size() < size);
    }
}

/// Without the feature, zstd cannot be written, and that is said before anything is sent.
#[tokio::test]
async fn zstd_bodies() {
    let name_server = &*stage::name_server().await;
    let site = Site::with(name_server, |option| {
        option.set_compress_type(CompressionType::Zstd);
    })
    .await;
    let topic = fresh_topic("zstd");
    if cfg!(feature = "zstd") {
        for size in [4096, 100_000, MEBIBYTE] {
            let (_, stored) = site.round_trip(Message::new(topic.as_str(), prose(size))).await;
            assert!(stored.store_size() < size);
        }
    } else {
        let error = site.producer.send(Message::new(topic, prose(4096))).await.expect_err("no encoder");
        assert!(error.to_string().contains("feature `zstd`"), "{error}");
    }
}

#[tokio::test]
async fn properties_with_awkward_values() {
    let name_server = &*stage::name_server().await;
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        let site = Site::with(name_server, |option| {
            option.set_serialize_type(serialize_type);
        })
        .await;
        let mut message = Message::new(fresh_topic("props"), "body");
        for (name, value) in [
            ("quotes", "say \"hi\" and \\ and /"),
            ("controls", "tab\tnewline\nreturn\rbell\u{7}"),
            ("separator", "0x01 is fine in a value: \u{1} here"),
            ("unicode", "消息 \u{1F680} e\u{301}"),
            ("json", "{\"code\":1,\"extFields\":{\"a\":\"b\"}}"),
            ("spaces", "  both ends  "),
            ("名", "a name that is not ASCII"),
            ("x", "1"),
        ] {
            message.put_property(name, value);
        }
        message.put_property("long", "v".repeat(20_000));
        site.round_trip(message).await;
    }
}

#[tokio::test]
async fn a_hundred_sends_at_once() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("many");
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..100 {
        let (producer, message) =
            (site.producer.clone(), Message::new(topic.as_str(), format!("body {index}")));
        tasks.spawn(async move { (index, producer.send(message).await) });
    }
    let (mut ids, mut places) = (HashSet::new(), HashSet::new());
    while let Some(done) = tasks.join_next().await {
        let (index, sent) = done.expect("the task ends");
        let sent = sent.expect("the message is sent");
        let stored = site.admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
        assert_eq!(stored.body(), &format!("body {index}"));
        assert!(ids.insert(sent.msg_id) && places.insert((sent.message_queue, sent.queue_offset)));
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn oneway_sends_arrive() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("oneway");
    let (first, _) = site.round_trip(Message::new(topic.as_str(), "first")).await;
    for index in 0..20 {
        let sent = site.producer.send_oneway(Message::new(topic.as_str(), format!("oneway {index}"))).await;
        sent.expect("the frame is in the write buffer");
    }
    // Round robin: the queue of the first message gets every fourth message.
    for offset in 1..=5 {
        let stored = site.pull_one(&first.message_queue, first.queue_offset + offset).await;
        assert!(stored.body().starts_with(b"oneway"));
    }
}

#[tokio::test]
async fn offsets_count_up_in_each_queue() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("offsets");
    let mut next = std::collections::HashMap::new();
    for _ in 0..12 {
        let sent = site.producer.send(Message::new(topic.as_str(), "x")).await.expect("sent");
        let expected = next.entry(sent.message_queue).or_insert(0);
        assert_eq!(sent.queue_offset, *expected);
        *expected += 1;
    }
    let queues: Vec<_> = next.keys().collect();
    assert_eq!(queues.len(), 4, "round robin over the queues: {queues:?}");
    assert!(next.values().all(|count| *count == 3), "{next:?}");
}

#[tokio::test]
async fn a_message_that_has_an_id_keeps_it() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (sent, stored) = site.round_trip(Message::new(fresh_topic("again"), "once")).await;
    let again = site.producer.send(stored.into_message()).await;
    let again = again.expect("a received message can be sent on");
    assert_eq!(again.msg_id, sent.msg_id);
    assert_ne!(again.offset_msg_id, sent.offset_msg_id);
}
