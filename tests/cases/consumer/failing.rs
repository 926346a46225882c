//! Messages whose listener fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::consumer::{ConsumeFailure, ConsumeOutcome, ConsumerEvent};
use rocketmq::model::mix_all;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually};
use crate::stage;

#[tokio::test]
async fn a_message_that_fails_comes_again_with_its_own_topic() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("again", 2).await;
    send(&site, &topic, bodies("m", 4)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = consumer(name_server, &fresh_group("again")).subscribe(&topic, "*").listener(
        move |message, context| {
            collect.add(message);
            async move {
                match context.reconsume_times {
                    0 => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                    _ => Ok::<_, ConsumeFailure>(ConsumeOutcome::Success),
                }
            }
        },
    );
    let consumer = consumer.start().await.unwrap();
    until("second deliveries", || seen.counts().values().filter(|count| **count == 2).count() == 4).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let again: Vec<_> =
        seen.messages().into_iter().filter(|message| message.reconsume_times() == 1).collect();
    assert_eq!(again.len(), 4);
    assert!(again.iter().all(|message| message.topic() == topic), "listeners see the topic that was sent to");
}

#[tokio::test]
async fn the_last_failure_makes_a_dead_letter_with_its_reason() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("dead", 1).await, fresh_group("dead"));
    send(&site, &topic, ["no number".to_owned(), "7".to_owned()]).await;
    let attempts: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let count = attempts.clone();
    let consumer = consumer(name_server, &group)
        .option(|option| _ = option.set_max_reconsume_times(1))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            let body = String::from_utf8_lossy(message.body()).into_owned();
            *count.lock().unwrap().entry(body.clone()).or_default() += 1;
            async move {
                let _: u32 = body.parse()?;
                Ok::<_, ConsumeFailure>(())
            }
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    let dead = async {
        loop {
            if let Some(ConsumerEvent::DeadLettered { reason, message, .. }) = events.next().await {
                return (reason, message);
            }
        }
    };
    let (reason, message) = tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
    assert_eq!((&*reason, &*message.topic), ("invalid digit found in string", topic.as_str()));
    assert_eq!(attempts.lock().unwrap().get("no number"), Some(&2), "once, and once more");
    let queues = eventually("the dead letter topic", || async {
        let queues = site.admin.message_queues(&mix_all::dlq_topic(&group)).await;
        queues.ok().filter(|queues| !queues.is_empty())
    })
    .await;
    let letter = site.pull_one(&queues[0], 0).await;
    assert_eq!(&letter.body()[..], b"no number");
    assert_eq!(letter.property("DLQ_REASON"), Some("invalid digit found in string"));
    assert_eq!(letter.property("RETRY_TOPIC"), Some(topic.as_str()));
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_by_choice_and_a_panic_cost_no_neighbour() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("panics", 1).await;
    send(&site, &topic, bodies("m", 20)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = consumer(name_server, &fresh_group("panics")).subscribe(&topic, "*").listener(
        move |message, context| {
            collect.add(message.clone());
            async move {
                match (&message.body()[..], context.reconsume_times) {
                    (b"m3", _) => ConsumeOutcome::DeadLetter { reason: "three".to_owned() },
                    (b"m5", 0) => panic!("five"),
                    _ => ConsumeOutcome::Success,
                }
            }
        },
    );
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(20).await;
    until("m5 comes again", || seen.counts().get("m5") == Some(&2)).await;
    let stats = consumer.get_stats().unwrap();
    assert_eq!((stats.panic_count, stats.dead_letter_count), (1, 1));
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(seen.counts().get("m3"), Some(&1));
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_stopped_and_its_message_comes_again() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("slow", 1).await;
    send(&site, &topic, bodies("m", 3)).await;
    let (seen, told) = (Seen::default(), Arc::new(Mutex::new(0)));
    let (collect, note) = (seen.clone(), told.clone());
    let consumer = consumer(name_server, &fresh_group("slow"))
        .option(|option| _ = option.set_consume_timeout(100).set_timeout_grace(50))
        .subscribe(&topic, "*")
        .listener(move |message, context| {
            collect.add(message.clone());
            let note = note.clone();
            async move {
                if &message.body()[..] == b"m1" && context.reconsume_times == 0 {
                    context.cancelled.cancelled().await;
                    *note.lock().unwrap() += 1;
                    std::future::pending::<()>().await;
                }
            }
        });
    let consumer = consumer.start().await.unwrap();
    until("m1 comes again", || seen.counts().get("m1") == Some(&2)).await;
    assert_eq!(*told.lock().unwrap(), 1, "the token said so first");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}
