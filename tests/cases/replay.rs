//! Plain pulls and streams over a queue, which no consumer group notices.

use std::time::Duration;

use rocketmq::admin::{PullStatus, QueuePosition, QueueStream};
use rocketmq::consumer::MessageSelector;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, MessageQueue};

use super::consumer::support::{WITHIN, bodies, fresh_group, send};
use super::support::Site;
use crate::stage;

/// A topic with one queue, and messages `m0` … in it.
async fn filled(site: &Site, name: &str, count: usize) -> MessageQueue {
    let topic = site.create(name, 1).await;
    send(site, &topic, bodies("m", count)).await;
    let queue = site.admin.message_queues(&topic).await.unwrap().remove(0);
    if let Some(last) = i64::try_from(count).unwrap().checked_sub(1).filter(|last| *last >= 0) {
        site.pull_one(&queue, last).await;
    }
    queue
}

/// The bodies up to the end of the stream.
async fn texts(mut stream: QueueStream) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(message) = stream.next().await {
        texts.push(String::from_utf8_lossy(message.unwrap().body()).into_owned());
    }
    texts
}

#[tokio::test]
async fn a_pull_says_what_it_found_and_where_to_go_on() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("plain_pull", 1).await;
    for (body, tag) in [("a", "new"), ("b", "paid"), ("c", "new")] {
        let message = Message::new(topic.as_str(), body).with_tags(tag);
        let message = message.with_property("amount", if body == "b" { "7" } else { "3" });
        site.producer.send(message).await.unwrap();
    }
    let queue = site.admin.message_queues(&topic).await.unwrap().remove(0);
    site.pull_one(&queue, 2).await;
    let pull = async |selector: MessageSelector, offset: i64, max: u32| {
        let pulled = site.admin.pull_matching(&queue, selector, offset, max).await.unwrap();
        let text = |message: &[u8]| String::from_utf8_lossy(message).into_owned();
        let found: String = pulled.messages.iter().map(|one| text(one.as_ref().unwrap().body())).collect();
        assert_eq!((pulled.min_offset, pulled.max_offset), (0, 3));
        (pulled.status, found, pulled.next_begin_offset)
    };
    use PullStatus::{Found, NoMatchedMessage, NoNewMessage, OffsetIllegal};
    assert_eq!(pull("*".into(), 0, 2).await, (Found, "ab".to_owned(), 2));
    assert_eq!(pull("new".into(), 0, 32).await, (Found, "ac".to_owned(), 3));
    assert_eq!(pull("paid || other".into(), 0, 32).await.1, "b");
    assert_eq!(pull(MessageSelector::by_sql("amount > 5"), 0, 32).await.1, "b");
    assert_eq!(pull("other".into(), 0, 32).await, (NoMatchedMessage, String::new(), 3));
    assert_eq!(pull("*".into(), 3, 32).await, (NoNewMessage, String::new(), 3));
    assert_eq!(pull("*".into(), 9, 32).await, (OffsetIllegal, String::new(), 3));

    let error =
        site.admin.pull_matching(&queue, MessageSelector::by_sql("amount >"), 0, 1).await.unwrap_err();
    assert!(error.response_code().is_some(), "{error}");
    let error = site.admin.pull_matching(&queue, "||", 0, 1).await.unwrap_err();
    assert!(matches!(error, MQClientError::InvalidOption { .. }), "{error}");
    let strange = MessageQueue::new(topic.as_str(), queue.broker_name(), 7);
    let error = site.admin.pull(&strange, 0, 1).await.unwrap_err().to_string();
    assert!(error.contains("queue 7 of broker-a") && error.contains(&topic), "{error}");
}

#[tokio::test]
async fn a_queue_is_read_from_each_position_to_each_other() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let queue = filled(&site, "replay", 70).await;
    let read = |from, until| texts(site.admin.read_queue(&queue, from, Some(until)));
    let expected = |range: std::ops::Range<usize>| bodies("m", 70).collect::<Vec<_>>()[range].to_vec();
    use QueuePosition::{Begin, End, Offset, Time};
    assert_eq!(read(Begin, End).await, expected(0..70));
    assert_eq!(read(Offset(10), Offset(45)).await, expected(10..45), "the end is not read");
    assert_eq!(read(End, End).await, expected(0..0));
    assert_eq!(read(Offset(70), End).await, expected(0..0));
    assert_eq!(read(Begin, Begin).await, expected(0..0));
    assert_eq!(read(Time(0), Time(i64::MAX)).await, expected(0..70));

    let stored = site.pull_one(&queue, 35).await.store_timestamp();
    let first = usize::try_from(
        site.admin.search_offset(&queue, stored, rocketmq::admin::BoundaryType::Lower).await.unwrap(),
    )
    .unwrap();
    assert!(first <= 35);
    assert_eq!(read(Time(stored), End).await, expected(first..70));
    assert_eq!(read(Begin, Time(stored)).await, expected(0..first));
    // No group has noticed anything.
    let groups = site.admin.topic_consumed_by(queue.topic()).await.unwrap();
    assert!(groups.done.iter().all(|(_, groups)| groups.is_empty()), "{groups:?}");
}

#[tokio::test]
async fn an_offset_that_the_queue_lacks_is_an_error_that_names_what_it_has() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let queue = filled(&site, "replay_outside", 3).await;
    for offset in [-1, 4] {
        let mut stream = site.admin.read_queue(&queue, QueuePosition::Offset(offset), None);
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("invalid offset: offset {offset} is outside of {queue}, which has 0 to 3")
        );
        assert!(stream.next().await.is_none(), "it has ended");
    }
    let strange = MessageQueue::new("NoSuchTopic_replay", queue.broker_name(), 0);
    let mut stream = site.admin.read_queue(&strange, QueuePosition::Begin, None);
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_stream_without_an_end_waits_and_loses_nothing_when_its_reader_gives_up() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let queue = filled(&site, "replay_waits", 0).await;
    let mut stream = site.admin.read_queue(&queue, QueuePosition::Begin, None);
    for _ in 0..3 {
        // The request stays on its way.
        assert!(tokio::time::timeout(Duration::from_millis(200), stream.next()).await.is_err());
    }
    for body in bodies("m", 3) {
        let sent = site.producer.send(Message::new(queue.topic(), body.clone()));
        let (sent, got) = tokio::join!(sent, tokio::time::timeout(WITHIN, stream.next()));
        sent.unwrap();
        assert_eq!(got.unwrap().unwrap().unwrap().body(), body.as_bytes());
    }
    let mut ahead = site.admin.read_queue(&queue, QueuePosition::Offset(2), Some(QueuePosition::Offset(4)));
    assert_eq!(&ahead.next().await.unwrap().unwrap().body()[..], b"m2");
    assert!(tokio::time::timeout(Duration::from_millis(200), ahead.next()).await.is_err(), "one is missing");
    send(&site, queue.topic(), bodies("n", 2)).await;
    let got = tokio::time::timeout(WITHIN, ahead.next()).await.unwrap();
    assert_eq!(&got.unwrap().unwrap().body()[..], b"n0");
    assert!(ahead.next().await.is_none());
}

#[tokio::test]
async fn a_stream_reads_only_what_matches() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("replay_tags", 1).await;
    for number in 0..50 {
        let tag = if number % 10 == 3 { "paid" } else { "new" };
        site.producer.send(Message::new(topic.as_str(), format!("m{number}")).with_tags(tag)).await.unwrap();
    }
    let queue = site.admin.message_queues(&topic).await.unwrap().remove(0);
    site.pull_one(&queue, 49).await;
    let (from, until) = (QueuePosition::Begin, Some(QueuePosition::End));
    let paid = texts(site.admin.read_queue_matching(&queue, "paid", from, until)).await;
    assert_eq!(paid, ["m3", "m13", "m23", "m33", "m43"]);
    let none = texts(site.admin.read_queue_matching(&queue, "other", from, until)).await;
    assert!(none.is_empty(), "{none:?}");
    let group = fresh_group("untouched");
    assert_eq!(site.admin.consumer_offset(&group, &queue).await.unwrap(), None);
}
