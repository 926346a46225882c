//! Messages that are delivered later.

use std::time::{Duration, Instant};

use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, MessageExt, SendResult};

use super::support::{Site, fresh_topic};
use super::trace::recalls;
use crate::stage;

/// When the first message of the queue that it was sent to is there, and how long after `began`.
async fn delivered(site: &Site, sent: &SendResult, began: Instant) -> (MessageExt, Duration) {
    let message = site.pull_one(&sent.message_queue, 0).await;
    (message, began.elapsed())
}

#[tokio::test]
async fn a_delay_level_delivers_later() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let message = Message::new(fresh_topic("level"), "in a second").with_tags("T").with_delay_time_level(1);
    let began = Instant::now();
    let sent = site.producer.send(message).await.expect("sent");
    assert_eq!(sent.recall_handle, None, "levels cannot be recalled");
    let (stored, after) = delivered(&site, &sent, began).await;
    assert_eq!(
        (stored.body(), stored.msg_id(), stored.tags()),
        (&"in a second".into(), &*sent.msg_id, Some("T"))
    );
    assert_eq!(stored.property("DELAY"), Some("1"));
    assert!(after >= Duration::from_secs(1), "delivered after {after:?}");
}

#[tokio::test]
async fn timers_deliver_later_and_a_level_wins_over_them() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let at = u64::try_from(now.as_millis()).expect("before year 584 million") + 2000;
    let second = Duration::from_secs(1);
    let mut sends = Vec::new();
    for (name, message, at_least) in [
        ("sec", Message::new(fresh_topic("timer_sec"), "x").with_delay_time_sec(2), second),
        ("ms", Message::new(fresh_topic("timer_ms"), "x").with_delay_time_ms(2000), second),
        ("at", Message::new(fresh_topic("timer_at"), "x").with_deliver_time_ms(at), second),
        ("past", Message::new(fresh_topic("timer_past"), "x").with_deliver_time_ms(1), Duration::ZERO),
    ] {
        let began = Instant::now();
        sends.push((name, began, at_least, site.producer.send(message).await.expect("sent")));
    }
    for (name, began, at_least, sent) in sends {
        assert_eq!(sent.recall_handle.is_some(), name != "past", "{name}");
        let (stored, after) = delivered(&site, &sent, began).await;
        assert_eq!(stored.msg_id(), sent.msg_id);
        assert!(after >= at_least, "{name} was delivered after {after:?}");
    }
    let both = Message::new(fresh_topic("both"), "x").with_delay_time_level(1).with_delay_time_sec(3600);
    let sent = site.producer.send(both).await.expect("sent");
    assert_eq!(sent.recall_handle, None);
    delivered(&site, &sent, Instant::now()).await;
}

#[tokio::test]
async fn a_timer_of_more_than_three_days_is_refused() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let message = Message::new(fresh_topic("far"), "x").with_delay_time_sec(259_201);
    let error = site.producer.send(message).await.expect_err("refused");
    assert_eq!(error.response_code().map(|code| code.0), Some(13), "{error}");
    assert!(error.to_string().contains("259200000ms"), "{error}");
    assert_eq!(error.attempts().len(), 1, "another broker says the same");
}

/// The broker would take the sum for a time in the past, and deliver the message at once.
#[tokio::test]
async fn a_delay_that_overflows_the_sum_of_the_broker_is_refused() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let message = || Message::new(fresh_topic("overflow"), "x");
    let max = i64::MAX.unsigned_abs();
    for message in [
        message().with_delay_time_sec(max),
        message().with_delay_time_sec(1 << 54),
        message().with_delay_time_ms(max),
    ] {
        let error = site.producer.send(message).await.expect_err("refused");
        assert!(matches!(error, MQClientError::MessageIllegal { .. }), "{error}");
        assert!(error.to_string().contains("over the limit of 46116860184273"), "{error}");
        assert_eq!((error.outcome(), error.attempts().len()), (Outcome::NotStored, 0));
    }
}

/// Needs a broker with `recallMessageEnable=true`.
#[tokio::test]
async fn a_recalled_message_does_not_arrive() {
    let name_server = &*stage::name_server_that_recalls().await;
    let (topic, trace_topic) = (fresh_topic("recalled"), fresh_topic("recall_trace"));
    let site = Site::with(name_server, |option| {
        option.set_enable_trace(true).set_trace_topic(trace_topic.as_str());
    })
    .await;
    site.producer.send(Message::new(topic.as_str(), "creates the topic")).await.expect("sent");
    let queue = site.producer.fetch_publish_message_queues(&topic).await.expect("queues")[0].clone();
    let next = site.admin.pull(&queue, 0, 1).await.expect("pulled").max_offset;
    let timed = |body: &str| Message::new(topic.as_str(), body.to_owned()).with_delay_time_sec(3);
    let recalled = site.producer.send_to(timed("recalled"), &queue).await.expect("sent");
    let sibling = site.producer.send_to(timed("sibling"), &queue).await.expect("sent");
    let handle = recalled.recall_handle.expect("timer messages have one");
    for _ in 0..2 {
        let result = site.producer.recall(&topic, &handle).await.expect("recalled, and again");
        assert_eq!(result.msg_id, recalled.msg_id);
    }
    let first = site.pull_one(&queue, next).await;
    assert_eq!((first.body(), first.msg_id()), (&"sibling".into(), &*sibling.msg_id));
    // A message that was due a second later is there, so the recalled message is not just late.
    let later = site.producer.send_to(timed("later"), &queue).await.expect("sent");
    assert_eq!(site.pull_one(&queue, next + 1).await.msg_id(), later.msg_id);
    let due = site.producer.recall(&topic, &handle).await.expect_err("too late");
    assert_eq!(due.response_code().map(|code| code.0), Some(604), "{due}");
    assert!(site.producer.shutdown().await.expect("shut down").is_clean());
    let mut recorded = recalls(&Site::new(name_server).await, &trace_topic).await;
    recorded.sort_unstable();
    assert_eq!(recorded, ["false", "true", "true"], "traced, with their outcome");
}

/// Brokers do not recall by default.
#[tokio::test]
async fn a_broker_that_does_not_recall_says_so() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("not_recalled");
    let timed = Message::new(topic.as_str(), "x").with_delay_time_sec(60);
    let handle = site.producer.send(timed).await.expect("sent").recall_handle.expect("given all the same");
    let error = site.producer.recall(&topic, &handle).await.expect_err("switched off");
    assert_eq!(error.response_code().map(|code| code.0), Some(16), "{error}");
}
