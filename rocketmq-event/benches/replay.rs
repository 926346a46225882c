//! What the event store costs: appends, the first read of a log, a replay of one aggregate and of all.
//!
//! `cargo bench -p rocketmq-event --all-features --bench replay -- ADDRESS EVENTS AGGREGATES`; without arguments on memory and on the mock
//! of RocketMQ, 100,000 events of 1,000 aggregates. One line for each step.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark ends with its first error")]

use std::time::{Instant, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use rocketmq_event::backend::Positions;
use rocketmq_event::store::Expected;
use rocketmq_event::{Bus, EventStore, EventType};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Deposited {
    cents: u64,
}

impl EventType for Deposited {
    const NAMES: &'static [&'static str] = &["account.deposited"];
}

/// Appends that wait for their answers together.
const AT_A_TIME: usize = 64;

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let address = arguments.next();
    let mut number = |default: u64| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let (events, aggregates) = (number(100_000), number(1_000));
    if let Some(address) = address {
        return measure(&address, events, aggregates).await;
    }
    measure("memory:", events, aggregates).await;
    let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
    measure(&format!("rocketmq://{}", cluster.name_server_addr()), events, aggregates).await;
}

async fn measure(address: &str, events: u64, aggregates: u64) {
    let bus = Bus::connect(address).await.unwrap();
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let stream = format!("bench-{run}");
    let store = EventStore::<Deposited>::open(&bus, stream.clone()).await.unwrap();
    println!("{address}: {events} events of {aggregates} aggregates");

    let begun = Instant::now();
    let append = |number: u64| {
        let (store, account) = (&store, format!("account-{}", number % aggregates));
        async move { store.append(&account, Expected::Any, &[Deposited { cents: number }]).await.unwrap() }
    };
    futures_util::stream::iter(0..events)
        .map(append)
        .buffer_unordered(AT_A_TIME)
        .for_each(|_| async {})
        .await;
    told("append", events, begun);

    let begun = Instant::now();
    for number in 0..1_000 {
        store.append("alone", Expected::Version(number), &[Deposited { cents: number }]).await.unwrap();
    }
    told("append, one after the other", 1_000, begun);

    let store = EventStore::<Deposited>::open(&bus, stream).await.unwrap();
    let begun = Instant::now();
    let first = store.replay_events("account-0").await.unwrap();
    told("first read of the log", events + 1_000, begun);
    for (what, account, repeats) in [("scattered", "account-0", 20_usize), ("in a row", "alone", 5)] {
        let begun = Instant::now();
        let mut count = 0;
        for _ in 0..repeats {
            count += store.replay_events(account).await.unwrap().len();
        }
        told(&format!("replay of {} events of one aggregate, {what}", count / repeats), count as u64, begun);
    }
    assert_eq!(first.len() as u64, events.div_ceil(aggregates));
    let begun = Instant::now();
    let all =
        store.read_all(Positions::beginning()).try_fold(0, |count, _| std::future::ready(Ok(count + 1)));
    let count = all.await.unwrap();
    told("replay of all", count, begun);
    assert_eq!(count, events + 1_000);
    bus.close().await.unwrap();
}

fn told(what: &str, events: u64, begun: Instant) {
    let taken = begun.elapsed();
    let rate = events as f64 / taken.as_secs_f64();
    println!(
        "  {what}: {taken:.3?}, {rate:.0} events/s, {:.1?} each",
        taken / u32::try_from(events).unwrap()
    );
}
