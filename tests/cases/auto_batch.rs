//! Single sends that go out together.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::hook::{SendMessageContext, SendMessageHook, SendMessageOutcome};
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::SendOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::support::{Site, fresh_topic};
use crate::stage;

/// Counts requests and the messages in them.
#[derive(Default)]
struct Requests {
    requests: AtomicUsize,
    messages: AtomicUsize,
}

impl SendMessageHook for Requests {
    fn send_message_before(&self, context: &mut SendMessageContext<'_>) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.messages.fetch_add(context.messages.len(), Ordering::SeqCst);
    }
    fn send_message_after(&self, _: &SendMessageContext<'_>, _: &SendMessageOutcome<'_>) {}
}

impl Requests {
    fn seen(&self) -> (usize, usize) {
        (self.requests.load(Ordering::SeqCst), self.messages.load(Ordering::SeqCst))
    }
}

async fn batching(
    name_server: &str,
    delay_ms: u64,
    change: impl FnOnce(&mut ProducerOption),
) -> (Site, Arc<Requests>) {
    let requests = Arc::new(Requests::default());
    let site = Site::with(name_server, |option| {
        option.set_auto_batch(true).set_batch_max_delay_ms(delay_ms).add_send_message_hook(requests.clone());
        change(option);
    })
    .await;
    (site, requests)
}

/// A queue of a topic that exists.
async fn queue_of(site: &Site, topic: &str) -> MessageQueue {
    site.producer.send(Message::new(topic, "creates the topic")).await.expect("sent");
    site.producer.fetch_publish_message_queues(topic).await.expect("queues")[0].clone()
}

#[tokio::test]
async fn senders_share_requests_and_keep_their_own_results() {
    let name_server = &*stage::name_server().await;
    let (site, requests) = batching(name_server, 20, |_| {}).await;
    let topic = fresh_topic("gathered");
    let mut sends = JoinSet::new();
    for index in 0..300 {
        let producer = site.producer.clone();
        let mut message =
            Message::new(topic.as_str(), format!("body {index}")).with_keys(format!("k{index}"));
        message.set_flag(index);
        if index % 3 == 0 {
            message.set_tags("third");
        }
        sends.spawn(async move { (index, producer.send(message).await) });
    }
    let (mut places, mut ids) = (HashSet::new(), HashSet::new());
    while let Some(sent) = sends.join_next().await {
        let (index, sent) = sent.expect("the task ends");
        let sent = sent.expect("sent");
        let viewed = site.admin.view_message(&sent.offset_msg_id).await.expect("an id of its own");
        assert_eq!((viewed.body(), viewed.flag()), (&format!("body {index}").into(), index));
        assert_eq!(viewed.keys(), Some(&*format!("k{index}")));
        assert_eq!(viewed.tags(), (index % 3 == 0).then_some("third"));
        assert_eq!((viewed.msg_id(), viewed.queue_offset()), (&*sent.msg_id, sent.queue_offset));
        assert_eq!(viewed.queue_id(), sent.message_queue.queue_id());
        assert!(places.insert((sent.message_queue, sent.queue_offset)) && ids.insert(sent.msg_id));
    }
    let (requests, messages) = requests.seen();
    assert_eq!(messages, 300);
    assert!(requests <= 30, "{requests} requests");
    let stats = site.producer.get_stats().expect("the producer runs");
    assert_eq!((stats.send_success_count, stats.in_flight), (300, 0), "each sender counts");
}

#[tokio::test]
async fn callbacks_are_gathered_too() {
    let name_server = &*stage::name_server().await;
    let (site, requests) = batching(name_server, 20, |_| {}).await;
    let topic = fresh_topic("gathered_callbacks");
    let (outcomes, mut received) = mpsc::channel(100);
    for index in 0..100 {
        let outcomes = outcomes.clone();
        let message = Message::new(topic.as_str(), format!("body {index}"));
        let admitted = site.producer.send_async(message, move |sent| {
            outcomes.try_send(sent.map(|sent| (sent.message_queue, sent.queue_offset))).expect("room");
        });
        admitted.await.expect("admitted");
    }
    drop(outcomes);
    let mut places = HashSet::new();
    while let Some(sent) = received.recv().await {
        assert!(places.insert(sent.expect("sent")));
    }
    assert_eq!((places.len(), requests.seen().1), (100, 100));
    assert!(requests.seen().0 <= 10, "{:?}", requests.seen());
}

#[tokio::test]
async fn what_cannot_be_in_a_batch_goes_alone() {
    let name_server = &*stage::name_server().await;
    let (site, requests) = batching(name_server, 20, |option| {
        option.set_batch_max_bytes(2000);
    })
    .await;
    let topic = fresh_topic("alone");
    let level = Message::new(topic.as_str(), "x").with_delay_time_level(1);
    let too_large = Message::new(topic.as_str(), vec![b'x'; 1990]);
    let compressible = Message::new(topic.as_str(), vec![b'x'; 8000]);
    let waits_not = Message::new(topic.as_str(), "x").with_wait_store_msg_ok(false);
    let tagged = Message::new(topic.as_str(), "x").with_tags("t");
    let mut sends = JoinSet::new();
    for message in [level, too_large, compressible, waits_not, tagged] {
        let producer = site.producer.clone();
        sends.spawn(async move { producer.send(message).await });
    }
    while let Some(sent) = sends.join_next().await {
        sent.expect("the task ends").expect("sent");
    }
    assert_eq!(requests.seen(), (5, 5));
}

/// Properties of as many bytes as a send alone takes.
#[tokio::test]
async fn the_longest_properties_are_gathered_too() {
    let name_server = &*stage::name_server().await;
    let (site, requests) = batching(name_server, 20, |_| {}).await;
    let topic = fresh_topic("long_properties");
    let message = |bytes: usize| {
        Message::new(topic.as_str(), "x").with_property("k", "v".repeat(bytes - "k".len() - 2))
    };
    for bytes in [32_213, 32_214, 32_255] {
        let sent = site.producer.send(message(bytes)).await.expect("sent");
        let stored = site.admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
        assert_eq!(stored.property("k").map(str::len), Some(bytes - 3));
    }
    site.producer.send(message(32_256)).await.expect_err("a send alone refuses it, too");
    assert_eq!(requests.seen(), (3, 3));
}

#[tokio::test]
async fn a_failed_batch_fails_each_sender() {
    let name_server = &*stage::name_server().await;
    let (site, _) = batching(name_server, 20, |_| {}).await;
    let topic = fresh_topic("failed");
    queue_of(&site, &topic).await;
    let nowhere = SendOptions::new().queue(MessageQueue::new(topic.as_str(), "no-such-broker", 0));
    let send = || site.producer.send_with(Message::new(topic.as_str(), "x"), nowhere.clone());
    let illegal = || site.producer.send_with(Message::new(topic.as_str(), ""), nowhere.clone());
    let (first, second, illegal) = tokio::join!(send(), send(), illegal());
    for error in [first.expect_err("no queue"), second.expect_err("no queue")] {
        assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotStored);
        assert!(error.report().expect("a report").waited_for_batch() > Duration::ZERO);
    }
    assert!(matches!(illegal, Err(MQClientError::MessageIllegal { .. })), "its own error");
    assert_eq!(site.producer.get_stats().expect("the producer runs").send_failure_count, 2);
}

#[tokio::test]
async fn a_sender_that_gives_up_harms_nobody() {
    let name_server = &*stage::name_server().await;
    let (site, _) = batching(name_server, 300, |_| {}).await;
    let topic = fresh_topic("given_up");
    let queue = queue_of(&site, &topic).await;
    let next = site.admin.pull(&queue, 0, 1).await.expect("pulled").max_offset;
    let send = |body: &'static str| site.producer.send_to(Message::new(topic.as_str(), body), &queue);
    let (first, given_up, last) = tokio::join!(
        send("first"),
        tokio::time::timeout(Duration::from_millis(30), send("given up")),
        send("last"),
    );
    assert!(given_up.is_err(), "the future was dropped while its batch waited");
    assert_eq!(first.expect("sent").queue_offset, next);
    let last = last.expect("sent");
    assert_eq!(last.queue_offset, next + 1, "what was given up in time is not sent");
    assert_eq!(site.pull_one(&queue, last.queue_offset).await.body(), "last");
}

#[tokio::test]
async fn a_shutdown_sends_what_waits() {
    let name_server = &*stage::name_server().await;
    let (site, requests) = batching(name_server, 30_000, |_| {}).await;
    let topic = fresh_topic("flushed");
    let began = Instant::now();
    let mut sends = JoinSet::new();
    for index in 0..10 {
        let (producer, message) =
            (site.producer.clone(), Message::new(topic.as_str(), format!("body {index}")));
        sends.spawn(async move { producer.send(message).await });
    }
    while site.producer.get_stats().expect("the producer runs").in_flight < 10 {
        tokio::task::yield_now().await;
    }
    let left = site.producer.shutdown().await.expect("shut down");
    assert!(left.is_clean(), "{left:?}");
    while let Some(sent) = sends.join_next().await {
        sent.expect("the task ends").expect("sent");
    }
    assert_eq!(requests.seen(), (1, 10));
    assert!(began.elapsed() < Duration::from_secs(9), "nobody waited for the delay");
}
