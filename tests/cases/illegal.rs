//! Messages, ids and handles that are refused, each with an error that says why.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use rocketmq::error::{MQClientError, Outcome, with_causes};
use rocketmq::model::{Message, MessageBatch, MessageQueue, SendStatus};

use super::support::{Site, fresh_topic};
use crate::stage;

#[tokio::test]
async fn bad_messages_are_refused_before_any_io() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let fine = || Message::new("Fine", "body");
    let mut noise = vec![0_u8; 6_000_000];
    let mut state = 1_u32;
    noise.iter_mut().for_each(|byte| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    });
    for (message, reason) in [
        (Message::new("", "body"), "topic"),
        (Message::new("white space", "body"), "white space"),
        (Message::new("t".repeat(128), "body"), "127"),
        (Message::new("SCHEDULE_TOPIC_XXXX", "body"), "SCHEDULE_TOPIC_XXXX"),
        (Message::new("rmq_sys_wheel_timer", "body"), "rmq_sys_wheel_timer"),
        (Message::new("Fine", ""), "the body is empty"),
        (Message::new("Fine", noise), "6000000 bytes"),
        (Message::new("Fine", vec![0; 17 * 1024 * 1024]), "inflate"),
        (fine().with_property("KEYS", "x"), "property `KEYS`"),
        (fine().with_property("", "x"), "name is empty"),
        (fine().with_property("empty", ""), "property `empty`"),
        (fine().with_property("a\u{1}b", "x"), "0x01"),
        (fine().with_property("two", "a\u{2}b"), "property `two`"),
        (fine().with_tags("a\u{2}b"), "property `TAGS`"),
        (fine().with_property("long", "v".repeat(40_000)), "property `long`"),
    ] {
        let error = site.producer.send(message).await.expect_err(reason);
        let text = with_causes(&error);
        assert!(matches!(error, MQClientError::MessageIllegal { .. }), "{text}");
        assert!(text.contains(reason), "expected \"{reason}\" in: {text}");
        assert_eq!(error.outcome(), Outcome::NotStored);
        assert!(error.attempts().is_empty() && !error.is_retryable());
    }
}

/// A broker counts a batch in 16 signed bits: one message more, and the offsets of the queue would go backwards.
#[tokio::test]
async fn a_batch_of_more_messages_than_a_broker_counts() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("large_batch", 1).await;
    let batch = |count| MessageBatch::new(vec![Message::new(topic.as_str(), "x"); count]).expect("a batch");
    let error = site.producer.send_batch(batch(40_000).into_messages()).await.expect_err("refused");
    assert!(matches!(error, MQClientError::MessageIllegal { .. }), "{error}");
    assert!(error.to_string().contains("40000 messages is over the limit of 32767"), "{error}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    let mut next = 0;
    for part in batch(40_000).split(4_000_000).expect("it can be split") {
        let count = i64::try_from(part.message_count()).expect("a few");
        let sent = site.producer.send_batch(part.into_messages()).await.expect("sent");
        assert_eq!((sent.send_status, sent.queue_offset), (SendStatus::SendOk, next));
        next += count;
    }
    let sent = site.producer.send(Message::new(topic.as_str(), "behind it")).await.expect("sent");
    assert_eq!((sent.queue_offset, next), (40_000, 40_000));
    assert_eq!(site.pull_one(&sent.message_queue, 40_000).await.body(), "behind it");
}

#[tokio::test]
async fn a_message_id_that_is_none() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    for id in ["", "xyz", "7F0000010001251A69D70000000000AA"] {
        let error = site.admin.view_message(id).await.expect_err(id);
        assert!(matches!(error, MQClientError::InvalidArgument { .. }), "{}", with_causes(&error));
    }
}

#[tokio::test]
async fn nothing_stored_at_an_offset() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let sent = site.producer.send(Message::new(fresh_topic("hole"), "x")).await.expect("sent");
    let id = format!("{}7FFFFFFFFFFFFFF0", &sent.offset_msg_id[..16]);
    let error = site.admin.view_message(&id).await.expect_err("nothing is there");
    assert_eq!(error.response_code().map(|code| code.0), Some(1), "{}", with_causes(&error));
    let remark = "can not find message by the offset, 9223372036854775792";
    assert!(with_causes(&error).contains(remark), "{}", with_causes(&error));
}

#[tokio::test]
async fn a_topic_that_does_not_exist_cannot_be_read() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let queue = MessageQueue::new(fresh_topic("absent"), "broker-a", 0);
    let error = site.admin.pull(&queue, 0, 1).await.expect_err("there is no such topic");
    let MQClientError::BrokerNotFound { topic, answers, .. } = &error else {
        panic!("{}", with_causes(&error))
    };
    assert_eq!(&**topic, queue.topic());
    assert!(answers.iter().any(|answer| &*answer.address == name_server && answer.said.contains("17")));
}

#[tokio::test]
async fn handles_are_checked_before_any_io() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let handle = |text: &str| BASE64_URL_SAFE.encode(text);
    for (topic, handle, problem) in [
        ("T", "no handle!".to_owned(), "Base64"),
        ("T", handle("v1 T b 1"), "4 parts"),
        ("T", handle("v2 T b 1 id"), "v2"),
        ("T", handle("v1 Other b 1 id"), "topic Other, not of T"),
        ("%RETRY%g", handle("v1 %RETRY%g b 1 id"), "retry"),
        ("%DLQ%g", handle("v1 %DLQ%g b 1 id"), "dead-letter"),
        ("a topic", handle("v1 T b 1 id"), "a topic"),
    ] {
        let error = site.producer.recall(topic, &handle).await.expect_err("refused");
        let MQClientError::InvalidArgument { source, .. } = error else { panic!("{error}") };
        assert!(source.to_string().contains(problem), "{source}");
    }
    let topic = fresh_topic("recall_nowhere");
    site.producer.send(Message::new(topic.as_str(), "creates the topic")).await.expect("sent");
    let error =
        site.producer.recall(&topic, &handle(&format!("v1 {topic} gone 1 id"))).await.expect_err("no broker");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
}
