//! Values at the edge of what the types allow, and ends that come from outside: nothing panics, hangs or turns in circles. Over the broker
//! in memory, and, for messages of other publishers, over the mock of RocketMQ.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use rocketmq_event::backend::{Destination, Outgoing};
use rocketmq_event::event::{EncodeError, FailureKind, FailureRecord};
use rocketmq_event::{
    Bus, ConsumerEvent, Context, Envelope, Event, EventType, Failure, Outcome, Position, PublishErrorKind,
    RetryPolicy, Unmatched,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    number: u64,
}

impl EventType for Order {
    const NAMES: &'static [&'static str] = &["order.placed"];
}

async fn ok(_: Event<Order>, _: Context) -> Result<(), Failure> {
    Ok(())
}

async fn publish(bus: &Bus, destination: Destination, envelope: Envelope) -> Position {
    let message = Outgoing { destination, envelope, body: Bytes::from_static(br#"{"number":1}"#) };
    bus.backend().publish(vec![message]).await.remove(0).unwrap().position
}

fn group(delay: Duration) -> Destination {
    Destination::Group { stream: "orders".into(), group: "shop".into(), delay }
}

/// The dead letters of the group, at last.
async fn dead(bus: &Bus, count: usize) -> Vec<rocketmq_event::DeadLetter> {
    let letters = bus.dead_letters("orders", "shop");
    let look = async {
        loop {
            let found: Vec<_> = letters.read().map(Result::unwrap).collect().await;
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.expect("the dead letters are there within 30 s")
}

#[tokio::test]
async fn the_largest_values_are_values() {
    let bus = Bus::connect("memory:").await.unwrap();
    let (tell, mut seen) = mpsc::channel(8);
    let handler = move |event: Event<Order>, context: Context| {
        tell.try_send((event.data.number, context.attempt())).unwrap();
        let later = Failure::after(Duration::MAX, "in all eternity");
        std::future::ready(if event.data.number == 0 { Err(later) } else { Err("no".into()) })
    };
    let shop = bus
        .consumer("orders", "shop")
        .on(handler)
        .concurrency(NonZeroUsize::MAX)
        .timeout(Duration::MAX)
        .retry(RetryPolicy::later(u32::MAX))
        .start()
        .await
        .unwrap();
    bus.producer("orders").await.unwrap().send(&Order { number: 0 }).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), (0, 1));
    // A record that says so came from somewhere else.
    let mut envelope = Envelope::new("order.placed");
    let now = SystemTime::now();
    let origin = Position { stream: "orders".into(), place: "0".into(), offset: Some(0) };
    let (group_name, kind, reason) = ("shop".into(), FailureKind::Failed, "".into());
    let record = FailureRecord {
        group: group_name,
        attempts: u32::MAX,
        kind,
        reason,
        first: now,
        last: now,
        origin,
        replays: u32::MAX,
    };
    envelope.failure = Some(Box::new(record));
    publish(&bus, group(Duration::ZERO), envelope).await;
    assert_eq!(seen.recv().await.unwrap(), (1, u32::MAX));
    let letter = dead(&bus, 1).await.remove(0);
    assert_eq!((letter.attempts, letter.kind), (u32::MAX, FailureKind::Failed));
    assert!(shop.shutdown(Duration::MAX).await.unwrap().is_clean());
}

#[tokio::test]
async fn an_event_that_is_given_back_does_not_turn_in_circles() {
    let bus = Bus::connect("memory:").await.unwrap();
    let old = bus.consumer("orders", "shop").on(ok).bind("order.#").unmatched(Unmatched::Release);
    let old = old.start().await.unwrap();
    // The broker in memory numbers its deliveries and what it stores for a group alike.
    let number = |position: Position| position.offset.unwrap();
    let first = number(publish(&bus, group(Duration::ZERO), Envelope::new("order.lost")).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let last = number(publish(&bus, group(Duration::MAX), Envelope::new("order.lost")).await);
    assert!(last - first < 10, "it was delivered {} times meanwhile", last - first);
    // A newer member takes it.
    let (tell, mut seen) = mpsc::channel(8);
    let handler = move |event: Event<serde_json::Value>, _: Context| {
        tell.try_send(event.name.to_string()).unwrap();
        std::future::ready(Ok(()))
    };
    let new = bus.consumer("orders", "shop").on_key("order.#", handler).start().await.unwrap();
    let report = old.shutdown(DEADLINE).await.unwrap();
    assert!(report.took < DEADLINE, "{report:?}");
    assert_eq!(seen.recv().await.unwrap(), "order.lost");
    new.shutdown(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_consumer_learns_that_the_bus_was_closed() {
    let bus = Bus::connect("memory:").await.unwrap();
    let shop = bus.consumer("orders", "shop").on(ok).start().await.unwrap();
    let events = shop.events();
    bus.close().await.unwrap();
    let waited = async { (shop.wait().await, events.collect::<Vec<ConsumerEvent>>().await.len()) };
    let waited = tokio::time::timeout(Duration::from_secs(20), waited).await.expect("both end");
    assert!(waited.0.is_ok(), "{waited:?}");
    assert!(bus.producer("orders").await.is_err(), "the bus is closed");
    assert!(shop.shutdown(DEADLINE).await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_has_its_deadline_after_the_consumer_ended_by_itself() {
    let bus = Bus::connect("memory:").await.unwrap();
    let (tell, mut seen) = mpsc::channel(8);
    let handler = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.send(event.data.number).await?;
            if event.data.number == 1 { Err(Failure::stop("no more")) } else { std::future::pending().await }
        }
    };
    let two = NonZeroUsize::new(2).unwrap();
    let shop = bus.consumer("orders", "shop").on(handler).concurrency(two).start().await.unwrap();
    let producer = bus.producer("orders").await.unwrap();
    producer.send(&Order { number: 0 }).await.unwrap();
    seen.recv().await.unwrap();
    producer.send(&Order { number: 1 }).await.unwrap();
    shop.wait().await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let called = tokio::time::Instant::now();
    shop.shutdown(Duration::from_secs(2)).await.unwrap_err();
    assert!(called.elapsed() < Duration::from_secs(5), "it took {:?}", called.elapsed());
}

#[tokio::test]
async fn what_a_handler_publishes_after_its_end_is_an_error() {
    let bus = Bus::connect("memory:").await.unwrap();
    let (tell, mut seen) = mpsc::channel(8);
    let handler = move |_: Event<Order>, context: Context| {
        tell.try_send(context).unwrap();
        std::future::ready(Ok(()))
    };
    let shop = bus.consumer("orders", "shop").on(handler).start().await.unwrap();
    bus.producer("orders").await.unwrap().send(&Order { number: 1 }).await.unwrap();
    let context = seen.recv().await.unwrap();
    shop.shutdown(DEADLINE).await.unwrap();
    let late = context.publish("mails", Order { number: 2 }).unwrap_err();
    assert!(matches!(late, EncodeError::Late { .. }), "{late}");
}

#[cfg(feature = "rocketmq")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_without_a_tag_that_no_handler_can_read_is_a_dead_letter() {
    use rocketmq_client::model::Message;
    use rocketmq_client::producer::Producer;

    let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
    let bus = Bus::connect(&format!("rocketmq://{}", cluster.name_server_addr())).await.unwrap();
    let all = |_: Event<Order>, _: Context| std::future::ready(Err::<(), Failure>("no".into()));
    let policy = RetryPolicy::later(2).with_delays([Duration::from_secs(1)]);
    let shop = bus.consumer("orders", "shop").on_key("#", all).retry(policy).start().await.unwrap();
    let other = Producer::builder("other").name_server_addr(cluster.name_server_addr());
    let other = other.start().await.unwrap();
    for body in ["{broken", r#"{"number":1}"#] {
        other.send(Message::new("orders", body)).await.unwrap();
    }
    let mut letters = dead(&bus, 2).await;
    letters.sort_by_key(|letter| letter.attempts);
    let kinds: Vec<_> = letters.iter().map(|letter| (letter.kind, letter.attempts)).collect();
    assert_eq!(kinds, [(FailureKind::Decode, 1), (FailureKind::Failed, 2)]);
    assert_eq!(letters[0].body, "{broken");
    shop.shutdown(DEADLINE).await.unwrap();
    bus.close().await.unwrap();
}

#[cfg(feature = "rocketmq")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_with_large_headers_can_die() {
    let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
    let bus = Bus::connect(&format!("rocketmq://{}", cluster.name_server_addr())).await.unwrap();
    let all = |_: Event<Order>, _: Context| std::future::ready(Err(Failure::permanent("no".repeat(2_000))));
    let shop = bus.consumer("orders", "shop").on(all).start().await.unwrap();
    let producer = bus.producer("orders").await.unwrap();
    let (mut stored, mut refused) = (0, 0);
    for size in (27_000..34_000).step_by(500) {
        let event = Event::new(Order { number: 0 }).with_header("large", "x".repeat(size));
        match producer.send_event(&event).await {
            Ok(_) => stored += 1,
            Err(error) => {
                assert_eq!((error.kind(), error.outcome()), (PublishErrorKind::TooLarge, Outcome::NotStored));
                refused += 1;
            }
        }
    }
    assert!(stored > 0 && refused > 0, "{stored} are stored, and {refused} refused");
    // What is stored has room for the record of its failure.
    dead(&bus, stored).await;
    shop.shutdown(DEADLINE).await.unwrap();
    bus.close().await.unwrap();
}
