//! Orderly consumers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::consumer::{ConsumeFailure, OrderlyOutcome, PushConsumer};
use rocketmq::model::{Message, mix_all};
use rocketmq::selector::SelectMessageQueueByHash;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually};
use crate::stage;

/// Sends `count` messages to each of `keys` orders; those of an order go to one queue.
async fn send_orders(site: &Site, topic: &str, keys: usize, from: usize, count: usize) {
    for step in from..from + count {
        for key in 0..keys {
            let message =
                Message::new(topic, format!("order{key}-{step:03}")).with_keys(format!("order{key}"));
            let key = format!("order{key}");
            site.producer.send_with_selector(message, SelectMessageQueueByHash, &key).await.unwrap();
        }
    }
}

/// The steps of each order, as they came.
fn orders(bodies: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for body in bodies {
        let (order, step) = body.split_once('-').unwrap();
        orders.entry(order.to_owned()).or_default().push(step.to_owned());
    }
    orders
}

#[tokio::test]
async fn the_messages_of_a_queue_come_one_by_one_and_a_failure_holds_the_queue() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("in_order", 4).await;
    send_orders(&site, &topic, 6, 0, 20).await;
    let (seen, running) = (Seen::default(), Arc::new(Mutex::new(BTreeMap::<i32, u32>::new())));
    let (collect, count, failed) = (seen.clone(), running.clone(), Arc::new(AtomicU32::new(0)));
    let (fail, overlaps) = (failed.clone(), Arc::new(AtomicU32::new(0)));
    let overlapping = overlaps.clone();
    let consumer = consumer(name_server, &fresh_group("in_order")).subscribe(&topic, "*").orderly_listener(
        move |message, _| {
            let (collect, count, fail, overlapping) =
                (collect.clone(), count.clone(), fail.clone(), overlapping.clone());
            async move {
                let queue = message.queue_id();
                let at_once = {
                    let mut count = count.lock().unwrap();
                    let handlers = count.entry(queue).or_default();
                    *handlers += 1;
                    *handlers
                };
                overlapping.fetch_max(at_once, Ordering::Relaxed);
                tokio::task::yield_now().await;
                *count.lock().unwrap().entry(queue).or_default() -= 1;
                if &message.body()[..] == b"order3-007" && fail.fetch_add(1, Ordering::Relaxed) < 2 {
                    return Ok(OrderlyOutcome::SuspendCurrentQueueAMoment { millis: Some(50) });
                }
                collect.add(message);
                Ok::<_, ConsumeFailure>(OrderlyOutcome::Success)
            }
        },
    );
    let consumer = consumer.start().await.unwrap();
    send_orders(&site, &topic, 6, 20, 10).await;
    seen.wait_for(180).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((failed.load(Ordering::Relaxed), overlaps.load(Ordering::Relaxed)), (3, 1));
    for (order, steps) in orders(&seen.bodies()) {
        let expected: Vec<_> = (0..30).map(|step| format!("{step:03}")).collect();
        assert_eq!(steps, expected, "{order}");
    }
}

#[tokio::test]
async fn past_the_maximum_a_message_becomes_a_dead_letter_and_its_queue_goes_on() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("orderly_dead", 1).await, fresh_group("orderly_dead"));
    send(&site, &topic, bodies("m", 5)).await;
    let (seen, attempts) = (Seen::default(), Arc::new(AtomicU32::new(0)));
    let (collect, count) = (seen.clone(), attempts.clone());
    let consumer = consumer(name_server, &group)
        .option(|option| _ = option.set_max_reconsume_times(2).set_suspend_current_queue_time(20))
        .subscribe(&topic, "*")
        .orderly_listener(move |message, _| {
            let (collect, count) = (collect.clone(), count.clone());
            async move {
                if &message.body()[..] == b"m2" {
                    count.fetch_add(1, Ordering::Relaxed);
                    return Err::<(), ConsumeFailure>("two is bad".into());
                }
                collect.add(message);
                Ok(())
            }
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(4).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(attempts.load(Ordering::Relaxed), 3, "once, and twice more");
    assert_eq!(seen.bodies(), ["m0", "m1", "m3", "m4"]);
    let queues = eventually("the dead letter topic", || async {
        let queues = site.admin.message_queues(&mix_all::dlq_topic(&group)).await;
        queues.ok().filter(|queues| !queues.is_empty())
    })
    .await;
    let letter = site.pull_one(&queues[0], 0).await;
    assert_eq!((&letter.body()[..], letter.property("DLQ_REASON")), (&b"m2"[..], Some("two is bad")));
}

async fn member(name_server: &str, group: &str, topic: &str, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    let member = consumer(name_server, group).subscribe(topic, "*").orderly_listener(move |message, _| {
        collect.add(message);
        async { tokio::time::sleep(Duration::from_millis(1)).await }
    });
    member.start().await.unwrap()
}

#[tokio::test]
async fn order_holds_while_members_join_and_leave() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, seen) =
        (site.create("orderly_share", 4).await, fresh_group("orderly_share"), Seen::default());
    let first = member(name_server, &group, &topic, &seen).await;
    send_orders(&site, &topic, 8, 0, 10).await;
    let second = member(name_server, &group, &topic, &seen).await;
    send_orders(&site, &topic, 8, 10, 10).await;
    until("the second has queues", || !second.assignment().is_empty()).await;
    assert!(first.shutdown().await.unwrap().is_clean());
    send_orders(&site, &topic, 8, 20, 10).await;
    seen.wait_for(240).await;
    assert!(second.shutdown().await.unwrap().is_clean());
    for (order, steps) in orders(&seen.bodies()) {
        assert!(steps.is_sorted(), "{order}: {steps:?}");
        assert_eq!(steps.len(), 30, "{order} repeats nothing: {steps:?}");
    }
}
