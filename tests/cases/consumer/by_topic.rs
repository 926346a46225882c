//! Listeners of single topics, and the rate limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocketmq::consumer::{ConsumeFailure, ConsumeOutcome, MessageListener};

use super::support::{Seen, bodies, consumer, fresh_group, send};
use crate::cases::support::Site;
use crate::stage;

/// A listener that collects, and that puts the first message off.
fn fails_once(seen: &Seen) -> MessageListener {
    let (collect, failed) = (seen.clone(), Arc::new(AtomicU32::new(0)));
    MessageListener::concurrently(move |message, _| {
        let outcome = match failed.fetch_add(1, Ordering::Relaxed) {
            0 => ConsumeOutcome::Later { delay_level: Some(1) },
            _ => ConsumeOutcome::Success,
        };
        if outcome == ConsumeOutcome::Success {
            collect.add(message);
        }
        std::future::ready(outcome)
    })
}

#[tokio::test]
async fn each_topic_has_its_listener_also_for_messages_that_come_again() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topics =
        [site.create("own_a", 2).await, site.create("own_b", 2).await, site.create("own_c", 2).await];
    let seen = [Seen::default(), Seen::default(), Seen::default()];
    for topic in &topics {
        send(&site, topic, bodies(topic, 6)).await;
    }
    let rest = seen[2].clone();
    let builder = consumer(name_server, &fresh_group("own"))
        .subscribe(&topics[0], "*")
        .topic_listener(&topics[0], fails_once(&seen[0]))
        .topic_listener(&topics[1], fails_once(&seen[1]))
        .listener(move |message, _| {
            rest.add(message);
            async { Ok::<_, ConsumeFailure>(()) }
        });
    let consumer = builder.start().await.unwrap();
    // While it runs: the listener of a topic may be there before its subscription.
    consumer.subscribe(&topics[1], "*").await.unwrap();
    consumer.subscribe(&topics[2], "*").await.unwrap();
    for (seen, topic) in seen.iter().zip(&topics) {
        seen.wait_for(6).await;
        assert!(seen.messages().iter().all(|message| message.topic() == topic), "{:?}", seen.bodies());
        assert_eq!(seen.counts().len(), 6);
    }
    assert!(seen[0].messages().iter().any(|message| message.reconsume_times() == 1), "it came again");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_batch_has_messages_of_one_topic() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topics = [site.create("batch_a", 1).await, site.create("batch_b", 1).await];
    let mixed = Arc::new(AtomicU32::new(0));
    let builder = topics.iter().fold(
        consumer(name_server, &fresh_group("own_batch"))
            .option(|option| _ = option.set_consume_message_batch_max_size(8)),
        |builder, topic| {
            let (mixed, own) = (mixed.clone(), topic.clone());
            let listener = MessageListener::batch(move |messages, context| {
                if messages.iter().any(|message| message.topic() != own) {
                    mixed.fetch_add(1_000, Ordering::Relaxed);
                }
                let again = context.reconsume_times > 0;
                mixed.fetch_add(if again { messages.len() as u32 } else { 0 }, Ordering::Relaxed);
                std::future::ready(if again { Ok(()) } else { Err(ConsumeFailure::from("the first time")) })
            });
            builder.subscribe(topic, "*").topic_listener(topic, listener)
        },
    );
    for topic in &topics {
        send(&site, topic, bodies(topic, 4)).await;
    }
    let consumer = builder.start().await.unwrap();
    super::support::until("all came again", || mixed.load(Ordering::Relaxed) >= 8).await;
    assert_eq!(mixed.load(Ordering::Relaxed), 8, "each came again once, to the listener of its topic");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_topic_without_a_listener_is_refused_before_and_after_the_start() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, other) = (site.create("own_only", 1).await, site.create("own_none", 1).await);
    let build = || {
        let listener = MessageListener::concurrently(|_, _| async {});
        let group = fresh_group("own_only");
        consumer(name_server, &group).subscribe(&topic, "*").topic_listener(&topic, listener)
    };
    let refused = build().subscribe(&other, "*").start().await.unwrap_err().to_string();
    assert!(refused.contains("topic_listener") && refused.contains(&other), "{refused}");
    let consumer = build().start().await.unwrap();
    let refused = consumer.subscribe(&other, "*").await.unwrap_err().to_string();
    assert!(refused.contains("topic_listener") && refused.contains(&other), "{refused}");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_rate_limit_spreads_messages_over_time() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("rate", 4).await;
    send(&site, &topic, bodies("m", 40)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let began = Instant::now();
    let consumer = consumer(name_server, &fresh_group("rate"))
        .option(|option| _ = option.set_consume_rate_limit(40))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        })
        .start()
        .await
        .unwrap();
    seen.wait_for(40).await;
    assert!(began.elapsed() >= Duration::from_millis(39 * 25 - 10), "{:?}", began.elapsed());
    assert!(consumer.shutdown().await.unwrap().is_clean());
}
