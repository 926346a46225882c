//! Received messages that are sent on: what a broker wrote into them stays behind.

use std::time::{Duration, Instant};

use rocketmq::model::{Message, MessageExt, SendStatus};
use rocketmq::producer::{LocalTransactionState, TransactionListenerFn, TransactionProducer};

use super::support::{Site, fresh_topic};
use crate::stage;

/// Properties that brokers write into messages that they kept.
const OF_BROKER: [&str; 9] = [
    "DELAY",
    "TIMER_DELAY_SEC",
    "TIMER_DELAY_MS",
    "TIMER_DELIVER_MS",
    "TIMER_OUT_MS",
    "TIMER_ENQUEUE_MS",
    "TIMER_DEQUEUE_MS",
    "REAL_TOPIC",
    "REAL_QID",
];

/// A message that was delayed by a level, and another that was delayed by a timer, as they were received.
async fn received(site: &Site) -> [MessageExt; 2] {
    let message = || Message::new(fresh_topic("delayed"), "body").with_tags("T").with_property("mine", "1");
    let level = site.producer.send(message().with_delay_time_level(1)).await.expect("sent");
    let timer = site.producer.send(message().with_delay_time_sec(1)).await.expect("sent");
    let received =
        [site.pull_one(&level.message_queue, 0).await, site.pull_one(&timer.message_queue, 0).await];
    assert!(received[0].property("DELAY").is_some() && received[1].property("TIMER_OUT_MS").is_some());
    received
}

fn assert_clean(stored: &MessageExt) {
    for name in OF_BROKER {
        assert_eq!(stored.property(name), None, "{name}: {stored:?}");
    }
    assert_eq!((stored.tags(), stored.property("mine")), (Some("T"), Some("1")));
}

#[tokio::test]
async fn a_delayed_message_is_sent_on_at_once() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    for received in received(&site).await {
        let id = received.msg_id().to_owned();
        let message = received.into_message().with_topic(fresh_topic("sent_on"));
        let sent = site.producer.send(message).await.expect("sent");
        assert_eq!((sent.recall_handle, &sent.msg_id), (None, &id));
        // Its place is in the topic itself, not among the messages that wait.
        let stored = site.admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
        assert_eq!(stored.topic(), sent.message_queue.topic());
        assert_clean(&stored);
    }
}

#[tokio::test]
async fn a_delay_that_is_set_anew_is_kept_whole() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let [level, timer] = received(&site).await;
    for (received, level) in [(level, None), (timer, Some(2))] {
        let mut message = received.into_message().with_topic(fresh_topic("delayed_anew"));
        match level {
            Some(level) => message.set_delay_time_level(level),
            None => message.set_delay_time_sec(4),
        }
        let began = Instant::now();
        let sent = site.producer.send(message).await.expect("sent");
        assert_eq!(sent.recall_handle.is_some(), level.is_none());
        let stored = site.pull_one(&sent.message_queue, 0).await;
        assert!(began.elapsed() >= Duration::from_secs(3), "delivered after {:?}", began.elapsed());
        assert_eq!(stored.body(), "body");
    }
}

#[tokio::test]
async fn batches_and_transactions_take_it() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let received = received(&site).await.map(MessageExt::into_message);
    let topic = site.create("sent_on_together", 1).await;
    let on = |message: &Message| message.clone().with_topic(topic.as_str());
    let sent = site.producer.send_batch(received.iter().map(on)).await.expect("a batch takes them");
    assert_eq!(sent.send_status, SendStatus::SendOk);
    for offset in 0..2 {
        assert_clean(&site.pull_one(&sent.message_queue, offset).await);
    }

    let listener = TransactionListenerFn::new(
        async |_: Message, _: String| Ok(LocalTransactionState::Commit),
        async |_: MessageExt| Ok(LocalTransactionState::Commit),
    );
    let producer = TransactionProducer::builder("case_sent_on", listener).name_server_addr(name_server);
    let producer = producer.option(|option| _ = option.set_send_msg_timeout(20_000)).start().await;
    let producer = producer.expect("the producer starts");
    for (offset, message) in (2..).zip(&received) {
        producer.send_in_transaction(on(message)).await.expect("a transaction takes it");
        let stored = site.pull_one(&sent.message_queue, offset).await;
        assert_eq!((stored.property("DELAY"), stored.property("TIMER_OUT_MS")), (None, None));
        // What came out of a transaction is an ordinary message when it is sent on.
        let again = site.producer.send(stored.into_message().with_topic(fresh_topic("again"))).await;
        let id = again.expect("sent").offset_msg_id;
        let stored = site.admin.view_message(&id).await.expect("it can be viewed");
        assert_clean(&stored);
        assert_eq!((stored.property("TRAN_MSG"), stored.property("PGROUP")), (None, None));
    }
    producer.shutdown().await.expect("shut down");
}

#[tokio::test]
async fn auto_batches_gather_it() {
    let name_server = &*stage::name_server().await;
    let received = received(&Site::new(name_server).await).await;
    let site = Site::with(name_server, |option| {
        option.set_auto_batch(true).set_batch_max_delay_ms(100);
    })
    .await;
    let topic = site.create("sent_on_gathered", 1).await;
    let [first, second] = received.map(|received| received.into_message().with_topic(topic.as_str()));
    let (first, second) = tokio::join!(site.producer.send(first), site.producer.send(second));
    for sent in [first.expect("sent"), second.expect("sent")] {
        assert_clean(&site.pull_one(&sent.message_queue, sent.queue_offset).await);
        assert_eq!(sent.recall_handle, None);
    }
}
