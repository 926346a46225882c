//! Messages as a stream.

use std::collections::BTreeSet;
use std::time::Duration;

use rocketmq::consumer::{Delivery, MessageStream, PushConsumer};
use rocketmq::error::MQClientError;
use rocketmq::model::mix_all;
use tokio::time::timeout;

use super::support::{bodies, consumer, fresh_group, send};
use crate::cases::support::{Site, eventually};
use crate::stage;

const LONG: Duration = Duration::from_secs(60);

async fn started(name_server: &str, group: &str, topic: &str) -> (PushConsumer, MessageStream) {
    let consumer = consumer(name_server, group).subscribe(topic, "*").build().unwrap();
    let messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    (consumer, messages)
}

async fn next(messages: &mut MessageStream) -> Delivery {
    timeout(LONG, messages.next()).await.expect("a message comes").expect("the stream goes on").unwrap()
}

fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.body()).into_owned()
}

#[tokio::test]
async fn what_is_acknowledged_is_committed_and_the_stream_ends_at_the_shutdown() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("stream_acks", 4).await, fresh_group("stream_acks"));
    for round in 0..2 {
        send(&site, &topic, bodies(&format!("round{round}-"), 60)).await;
        let (consumer, mut messages) = started(name_server, &group, &topic).await;
        let mut seen = BTreeSet::new();
        while seen.len() < 60 {
            let delivery = next(&mut messages).await;
            assert!(seen.insert(body(&delivery)), "nothing comes twice");
            delivery.ack();
        }
        assert!(seen.iter().all(|body| body.starts_with(&format!("round{round}-"))));
        let report = consumer.shutdown().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert!(messages.next().await.is_none());
        assert!(messages.next_batch(8, LONG).await.is_none());
    }
}

#[tokio::test]
async fn a_delivery_that_is_dropped_or_put_off_comes_again() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("stream_again", 1).await;
    let (consumer, mut messages) = started(name_server, &fresh_group("stream_again"), &topic).await;
    send(&site, &topic, bodies("m", 3)).await;
    let mut again = BTreeSet::new();
    while again.len() < 2 {
        let delivery = next(&mut messages).await;
        assert_eq!(delivery.topic(), topic);
        match (body(&delivery).as_str(), delivery.reconsume_times()) {
            ("m0", 0) => delivery.retry_later(Some(1)),
            ("m1", 0) => drop(delivery),
            (_, 0) => delivery.ack(),
            (_, times) => {
                assert_eq!(times, 1);
                again.insert(body(&delivery));
                delivery.ack();
            }
        }
    }
    assert_eq!(again, BTreeSet::from(["m0".to_owned(), "m1".to_owned()]));
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_dead_letter_keeps_its_reason() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("stream_dead", 1).await, fresh_group("stream_dead"));
    send(&site, &topic, bodies("m", 2)).await;
    let (consumer, mut messages) = started(name_server, &group, &topic).await;
    next(&mut messages).await.dead_letter("no such account").await.unwrap();
    let (message, acker) = next(&mut messages).await.split();
    assert_eq!(&message.body()[..], b"m1");
    acker.ack_committed().await.unwrap();
    let queues = eventually("the dead letter topic", || async {
        let queues = site.admin.message_queues(&mix_all::dlq_topic(&group)).await;
        queues.ok().filter(|queues| !queues.is_empty())
    })
    .await;
    let letter = site.pull_one(&queues[0], 0).await;
    assert_eq!((&letter.body()[..], letter.property("DLQ_REASON")), (&b"m0"[..], Some("no such account")));
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn futures_of_next_can_be_dropped_and_batches_come_together() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("stream_batches", 1).await;
    let (consumer, mut messages) = started(name_server, &fresh_group("stream_batches"), &topic).await;
    assert!(messages.next_batch(8, Duration::from_millis(1)).await.unwrap().unwrap().is_empty());
    send(&site, &topic, bodies("m", 40)).await;
    let (mut seen, mut largest) = (Vec::new(), 0);
    while seen.len() < 40 {
        // Each is dropped at its first await, or has a message.
        tokio::select! {
            biased;
            delivery = messages.next() => {
                let delivery = delivery.unwrap().unwrap();
                seen.push(body(&delivery));
                delivery.ack();
            }
            () = std::future::ready(()) => {}
        }
        let _ = timeout(Duration::from_micros(10), messages.next_batch(100, LONG)).await.map(|batch| {
            for delivery in batch.unwrap().unwrap() {
                seen.push(body(&delivery));
                delivery.ack();
            }
        });
        let batch = messages.next_batch(8, Duration::from_millis(50)).await.unwrap().unwrap();
        largest = largest.max(batch.len());
        for delivery in batch {
            seen.push(body(&delivery));
            delivery.ack();
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (40, 40), "each once: {seen:?}");
    assert!((2..=8).contains(&largest), "{largest}");
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// Acknowledges what comes until all of `m{from}` to `m29` were seen, and nothing else.
async fn assert_rest(name_server: &str, group: &str, topic: &str, from: usize) {
    let (consumer, mut messages) = started(name_server, group, topic).await;
    let mut rest = BTreeSet::new();
    while rest.len() < 30 - from {
        let delivery = next(&mut messages).await;
        assert_eq!(delivery.reconsume_times(), 0, "it has not failed");
        rest.insert(body(&delivery));
        delivery.ack();
    }
    assert!(bodies("m", from).all(|done| !rest.contains(&done)), "{rest:?}");
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_dropped_commits_what_was_acknowledged() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("stream_left", 1).await, fresh_group("stream_left"));
    send(&site, &topic, bodies("m", 30)).await;
    let (consumer, mut messages) = started(name_server, &group, &topic).await;
    for _ in 0..3 {
        next(&mut messages).await.ack();
    }
    let held = next(&mut messages).await;
    assert_eq!(body(&held), "m3");
    drop(messages);
    held.ack_committed().await.unwrap();
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_rest(name_server, &group, &topic, 4).await;
}

#[tokio::test]
async fn deliveries_that_are_dropped_during_the_shutdown_have_not_failed() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("stream_ends", 1).await, fresh_group("stream_ends"));
    send(&site, &topic, bodies("m", 30)).await;
    let (consumer, mut messages) = started(name_server, &group, &topic).await;
    for _ in 0..3 {
        next(&mut messages).await.ack();
    }
    let mut held = vec![next(&mut messages).await];
    let stopping = consumer.clone();
    let stopped = tokio::spawn(async move { stopping.shutdown().await });
    while let Some(delivery) = messages.next().await {
        held.push(delivery.unwrap());
    }
    drop(held);
    let report = stopped.await.unwrap().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(report.took < Duration::from_secs(5), "{report:?}");
    assert_rest(name_server, &group, &topic, 3).await;
}

#[tokio::test]
async fn a_delivery_has_its_time_and_may_ask_for_more() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("stream_slow", 1).await;
    send(&site, &topic, bodies("m", 2)).await;
    let consumer = consumer(name_server, &fresh_group("stream_slow"))
        .option(|option| _ = option.set_consume_timeout(200).set_timeout_grace(50))
        .subscribe(&topic, "*")
        .build()
        .unwrap();
    let mut messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    let (slow, extended) = (next(&mut messages).await, next(&mut messages).await);
    extended.extend(LONG);
    let again = next(&mut messages).await;
    assert_eq!((body(&again), again.reconsume_times()), (body(&slow), 1));
    again.ack();
    assert!(matches!(slow.ack_committed().await, Err(MQClientError::NotSettled { .. })), "it is too late");
    extended.ack_committed().await.unwrap();
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_listener_and_a_stream_contradict_each_other() {
    let consumer = consumer("127.0.0.1:9", "both").listener(|_, _| async {}).build().unwrap();
    let refused = consumer.messages().unwrap_err().to_string();
    assert!(refused.contains("listener") && refused.contains("messages()"), "{refused}");
    let again = consumer.messages().unwrap_err().to_string();
    assert_eq!(again, refused, "a refused stream leaves nothing behind");
}
