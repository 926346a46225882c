//! The ways to send.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rocketmq::conf::ProducerOption;
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::hook::{
    CheckForbiddenHook, CommunicationMode, SendMessageContext, SendMessageHook, SendMessageOutcome,
};
use rocketmq::model::{Message, MessageQueue, SendStatus};
use rocketmq::producer::SendOptions;
use rocketmq::selector::{MessageQueueSelector, SelectMessageQueueByHash};
use tokio::sync::mpsc;

use super::support::{Site, eventually, fresh_topic};
use crate::stage;

#[tokio::test]
async fn two_thousand_sends_awaited_at_once() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("joined");
    let mut sends = tokio::task::JoinSet::new();
    for index in 0..2000 {
        let (producer, message) =
            (site.producer.clone(), Message::new(topic.as_str(), format!("body {index}")));
        sends.spawn(async move { producer.send(message).await });
    }
    let mut places = HashSet::new();
    while let Some(sent) = sends.join_next().await {
        let sent = sent.expect("the task ends").expect("sent");
        assert!(places.insert((sent.message_queue, sent.queue_offset)));
    }
    let stats = site.producer.get_stats().expect("the producer runs");
    assert_eq!((stats.send_success_count, stats.send_failure_count), (2000, 0));
    assert!(stats.average_rt > 0.0 && stats.p50_rt <= stats.p99_rt && stats.p99_rt <= stats.max_rt * 1.07);
}

#[tokio::test]
async fn callbacks_run_exactly_once() {
    let name_server = &*stage::name_server().await;
    let site = Site::with(name_server, |option| {
        // Back-pressure: the fifth send waits for the first.
        option.set_client_async_semaphore_value(4);
    })
    .await;
    let topic = fresh_topic("async");
    let (outcomes, mut received) = mpsc::channel(1000);
    for index in 0..500 {
        let outcomes = outcomes.clone();
        let message = Message::new(topic.as_str(), format!("body {index}"));
        let admitted = site.producer.send_async(message, move |sent| {
            outcomes.try_send(sent).expect("room for every outcome");
            assert!(index != 7, "a panic in a callback is caught");
        });
        admitted.await.expect("admitted");
    }
    drop(outcomes);
    let mut ids = HashSet::new();
    while let Some(sent) = received.recv().await {
        assert!(ids.insert(sent.expect("sent").msg_id));
    }
    assert_eq!(ids.len(), 500);
    assert_eq!(site.producer.get_stats().expect("the producer runs").callback_panic_count, 1);
    let refused = site.producer.send_async(Message::new("bad topic", "x"), |_| panic!("never called")).await;
    assert!(matches!(refused, Err(MQClientError::MessageIllegal { .. })));
}

#[tokio::test]
async fn a_batch_arrives_in_order_in_one_queue() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("batch");
    let message = |index: i32| {
        let mut message = Message::new(topic.as_str(), format!("body {index}")).with_tags("T").with_keys("k");
        message.set_flag(index);
        message.put_property("index", index.to_string());
        message
    };
    let sent = site.producer.send_batch((0..10).map(message)).await.expect("sent");
    assert_eq!(sent.send_status, SendStatus::SendOk);
    let ids: Vec<&str> = sent.msg_id.split(',').collect();
    assert_eq!((ids.len(), sent.offset_msg_id.split(',').count()), (10, 10));
    for index in 0..10 {
        let stored = site.pull_one(&sent.message_queue, sent.queue_offset + i64::from(index)).await;
        assert_eq!(stored.body(), &format!("body {index}"));
        assert_eq!((stored.flag(), stored.property("index")), (index, Some(index.to_string().as_str())));
        assert_eq!(stored.msg_id(), ids[index as usize]);
    }
}

#[tokio::test]
async fn batches_that_brokers_refuse_are_refused_here() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let plain = || Message::new("Fine", "x");
    let mut delayed = plain();
    delayed.set_delay_time_level(1);
    let mut timer = plain();
    timer.set_delay_time_sec(1);
    for batch in [
        vec![],
        vec![plain(), Message::new("Other", "x")],
        vec![plain(), delayed],
        vec![plain(), timer],
        vec![plain(), Message::new("Fine", "")],
        vec![Message::new("%RETRY%group", "x")],
        vec![Message::new("Fine", vec![1; 3 << 20]), Message::new("Fine", vec![1; 3 << 20])],
    ] {
        let error = site.producer.send_batch(batch).await.expect_err("refused");
        assert!(matches!(error, MQClientError::MessageIllegal { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotStored);
    }
}

#[tokio::test]
async fn a_message_goes_to_the_queue_that_is_named() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("named");
    site.round_trip(Message::new(topic.as_str(), "creates the topic")).await;
    let queues = site.producer.fetch_publish_message_queues(&topic).await.expect("queues");
    assert_eq!(queues.len(), 4);
    for queue in &queues {
        let sent = site.producer.send_to(Message::new(topic.as_str(), "x"), queue).await.expect("sent");
        assert_eq!(&sent.message_queue, queue);
        // Practically for ever.
        let options = SendOptions::new().queue(queue.clone()).timeout(u64::MAX).retry_times(0);
        let sent = site.producer.send_with(Message::new(topic.as_str(), "x"), options).await.expect("sent");
        assert_eq!(&sent.message_queue, queue);
    }
    let elsewhere = MessageQueue::new(topic.as_str(), "no-such-broker", 0);
    let error =
        site.producer.send_to(Message::new(topic.as_str(), "x"), &elsewhere).await.expect_err("no broker");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
    let error = site.producer.send_to(Message::new("Other", "x"), &queues[0]).await.expect_err("wrong topic");
    assert!(matches!(error, MQClientError::InvalidArgument { .. }), "{error}");
}

#[tokio::test]
async fn a_selector_keeps_a_key_in_one_queue() {
    let name_server = &*stage::name_server().await;
    struct Last;
    impl MessageQueueSelector for Last {
        fn select<'q>(&self, queues: &'q [MessageQueue], _: &Message, _: &str) -> &'q MessageQueue {
            queues.last().expect("queues are never empty")
        }
    }
    let site = Site::new(name_server).await;
    let topic = fresh_topic("ordered");
    let mut used = HashSet::new();
    for order in 0..8 {
        let key = format!("order-{order}");
        let mut next = None;
        for step in 0..3 {
            let message = Message::new(topic.as_str(), format!("{key} step {step}"));
            let sent = site
                .producer
                .send_with_selector(message, SelectMessageQueueByHash, &key)
                .await
                .expect("sent");
            let expected = next.get_or_insert((sent.message_queue.clone(), sent.queue_offset));
            assert_eq!((&sent.message_queue, sent.queue_offset), (&expected.0, expected.1));
            expected.1 += 1;
            used.insert(sent.message_queue);
        }
    }
    assert!(used.len() > 1);
    let sent =
        site.producer.send_with_selector(Message::new(topic.as_str(), "x"), &Last, "").await.expect("sent");
    assert_eq!(sent.message_queue.queue_id(), 3);
}

#[tokio::test]
async fn hooks_see_every_attempt_and_may_forbid_it() {
    let name_server = &*stage::name_server().await;
    #[derive(Default)]
    struct Counting {
        before: AtomicU32,
        stored: AtomicU32,
    }
    impl SendMessageHook for Counting {
        fn send_message_before(&self, context: &mut SendMessageContext<'_>) {
            assert!(!context.msg_id.is_empty() && context.body_length > 0);
            context.extensions.insert("seen", context.msg_id.to_owned());
            self.before.fetch_add(1, Ordering::SeqCst);
        }
        fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>) {
            assert_eq!(context.extensions.get("seen").map(String::as_str), Some(context.msg_id));
            let stored = outcome.result.as_ref().is_ok_and(|result| result.is_some());
            assert_eq!(stored, context.mode == CommunicationMode::Sync);
            self.stored.fetch_add(u32::from(stored), Ordering::SeqCst);
        }
    }
    impl CheckForbiddenHook for Counting {
        fn check_forbidden(&self, context: &SendMessageContext<'_>) -> Result<(), String> {
            match context.message.tags() {
                Some("secret") => Err("secrets stay at home".to_owned()),
                _ => Ok(()),
            }
        }
    }
    let hook = Arc::new(Counting::default());
    let site = Site::with(name_server, |option: &mut ProducerOption| {
        option.add_send_message_hook(hook.clone()).add_check_forbidden_hook(hook.clone());
    })
    .await;
    let topic = fresh_topic("hooked");
    site.producer.send(Message::new(topic.as_str(), "x")).await.expect("sent");
    site.producer.send_oneway(Message::new(topic.as_str(), "x")).await.expect("sent");
    let error = site
        .producer
        .send(Message::new(topic.as_str(), "x").with_tags("secret"))
        .await
        .expect_err("forbidden");
    assert!(
        matches!(&error, MQClientError::MessageIllegal { source, .. } if source.to_string().contains("at home"))
    );
    assert_eq!((hook.before.load(Ordering::SeqCst), hook.stored.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_namespace_keeps_topics_apart() {
    let name_server = &*stage::name_server().await;
    let topic = fresh_topic("spaced");
    let spaced = Site::with(name_server, |option| {
        option.set_namespace("MQ_INST_1");
    })
    .await;
    let sent = spaced.producer.send(Message::new(topic.as_str(), "inside")).await.expect("sent");
    assert_eq!(sent.message_queue.topic(), topic, "results name the topic as the user does");
    let wrapped = MessageQueue::new(
        format!("MQ_INST_1%{topic}"),
        sent.message_queue.broker_name(),
        sent.message_queue.queue_id(),
    );
    let stored = spaced.pull_one(&wrapped, sent.queue_offset).await;
    assert_eq!((stored.topic(), stored.property("INSTANCE_ID")), (wrapped.topic(), Some("MQ_INST_1")));
    let queues = spaced.producer.fetch_publish_message_queues(&topic).await.expect("queues");
    let sent =
        spaced.producer.send_to(Message::new(topic.as_str(), "again"), &queues[1]).await.expect("sent");
    assert_eq!(sent.message_queue, queues[1]);
}

#[tokio::test]
async fn a_unit_marks_its_topics_and_clients() {
    let name_server = &*stage::name_server().await;
    let group = fresh_topic("unit");
    let site = Site::with(name_server, |option| {
        option.set_unit_mode(true).set_unit_name("unit7").set_group_name(group.as_str());
    })
    .await;
    let topic = fresh_topic("unit");
    site.round_trip(Message::new(topic.as_str(), "x")).await;
    let route = site.admin.route(&topic).await.expect("it has a route");
    assert!(route.queue_datas.iter().all(|data| data.topic_sys_flag == 1), "{route:?}");
    let client_id = eventually("the producer", async || {
        let answers = site.admin.producer_connections(&group, &topic).await.expect("an answer");
        answers.done.into_iter().find_map(|(_, members)| Some(members.first()?.client_id.clone()))
    });
    let client_id = client_id.await;
    assert!(client_id.ends_with("@unit7"), "{client_id}");
}
