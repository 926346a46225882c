//! What publishing and consuming cost on each backend, through this crate and by the backend's client alone, in one run.
//!
//! `cargo bench -p rocketmq-event --all-features --bench throughput -- 3 memory mock rocketmq rabbitmq kafka`: rounds, and backends;
//! without arguments three rounds on all. It starts the servers that `.ci/servers` installs, one after the other. It prints a table whose
//! figures are medians of the rounds; the two sides of a backend take turns.
//!
//! - `sides`: what is measured, and the side of this crate
//! - `bare`: the sides of the clients alone, with the settings that this crate gives them
//! - `support`: the servers

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark ends with its first error"
)]

mod bare;
mod sides;
#[path = "../../tests/servers/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "tests need more of it")]
mod support;

use std::time::{Duration, Instant, SystemTime};

use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use sides::{Order, Ours, Side};

/// Events of one after the other, in batches, and from publisher to handler.
const AWAITED: u64 = 1_000;
const BATCHED: u64 = 20_000;
const HANDLED: u64 = 300;
const BATCH: u64 = 500;
/// Connections and caches are warm behind these.
const FIRST: u64 = 50;
/// Room for all events of a run: no handler waits until a number is read.
const CAPACITY: usize = 100_000;

const BACKENDS: [&str; 5] = ["memory", "mock", "rocketmq", "rabbitmq", "kafka"];

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(3);
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !BACKENDS.iter().any(|name| named(name));
    println!(
        "{} logical CPUs, {rounds} rounds\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "| backend | side | one after the other | p50 | p99 | batches of {BATCH} | consumed | until handled, p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for name in BACKENDS.into_iter().filter(|name| all || named(name)) {
        match name {
            "memory" => compare(name, "memory:", rounds).await,
            "mock" => {
                let cluster = MockCluster::start().await.unwrap();
                compare(name, &format!("rocketmq://{}", cluster.name_server_addr()), rounds).await;
            }
            "rocketmq" => {
                let server = spawn_blocking(support::rocketmq::RocketMq::start).await.unwrap();
                let address = format!("rocketmq://{}", server.name_server());
                bare::until_registered(&address).await;
                compare(name, &address, rounds).await;
            }
            "rabbitmq" => {
                let server = spawn_blocking(support::rabbitmq::RabbitMq::start).await.unwrap();
                compare(name, &server.address(), rounds).await;
            }
            _ => {
                let server = spawn_blocking(support::kafka::Kafka::start).await.unwrap();
                compare(name, &server.address(), rounds).await;
            }
        }
    }
}

/// The figures of one round.
struct Figures {
    /// Events per second.
    awaited: f64,
    batched: f64,
    consumed: f64,
    /// The median, and the 99th of 100.
    publication: [Duration; 2],
    handling: [Duration; 2],
}

async fn compare(name: &str, address: &str, rounds: usize) {
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let stream = format!("bench-{run}-{round}");
        ours.push(measure(Box::new(Ours::open(address, &format!("{stream}-ours")).await)).await);
        if let Some(side) = bare::open(address, &format!("{stream}-bare")).await {
            alone.push(measure(side).await);
        }
    }
    let ours = medians(&ours);
    print(name, "this crate", &ours);
    if !alone.is_empty() {
        let alone = medians(&alone);
        print(name, "client alone", &alone);
        let times = |ours: Duration, alone: Duration| ours.as_secs_f64() / alone.as_secs_f64();
        println!(
            "| {name} | times as long | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            alone.awaited / ours.awaited,
            times(ours.publication[0], alone.publication[0]),
            times(ours.publication[1], alone.publication[1]),
            alone.batched / ours.batched,
            alone.consumed / ours.consumed,
            times(ours.handling[0], alone.handling[0]),
            times(ours.handling[1], alone.handling[1]),
        );
    }
}

fn print(name: &str, side: &str, figures: &Figures) {
    println!(
        "| {name} | {side} | {:.0} /s | {:.2?} | {:.2?} | {:.0} /s | {:.0} /s | {:.2?} | {:.2?} |",
        figures.awaited,
        figures.publication[0],
        figures.publication[1],
        figures.batched,
        figures.consumed,
        figures.handling[0],
        figures.handling[1],
    );
}

fn medians(rounds: &[Figures]) -> Figures {
    let rate = |of: fn(&Figures) -> f64| {
        let mut rates: Vec<f64> = rounds.iter().map(of).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let time = |of: &dyn Fn(&Figures) -> Duration| {
        let mut times: Vec<Duration> = rounds.iter().map(of).collect();
        times.sort();
        times[times.len() / 2]
    };
    Figures {
        awaited: rate(|figures| figures.awaited),
        batched: rate(|figures| figures.batched),
        consumed: rate(|figures| figures.consumed),
        publication: [0, 1].map(|place| time(&|figures| figures.publication[place])),
        handling: [0, 1].map(|place| time(&|figures| figures.handling[place])),
    }
}

/// One round: publishes, consumes what was published, then publishes each event when the one before is handled.
async fn measure(mut side: Box<dyn Side>) -> Figures {
    for number in 0..FIRST {
        side.publish(&order(number)).await;
    }
    let mut times = Vec::new();
    let begun = Instant::now();
    for number in FIRST..FIRST + AWAITED {
        let sent = Instant::now();
        side.publish(&order(number)).await;
        times.push(sent.elapsed());
    }
    let awaited = per_second(AWAITED, begun);
    let publication = percentiles(times);

    let published = FIRST + AWAITED + BATCHED;
    let orders: Vec<Order> = (FIRST + AWAITED..published).map(order).collect();
    let begun = Instant::now();
    for batch in orders.chunks(usize::try_from(BATCH).unwrap()) {
        side.publish_all(batch).await;
    }
    let batched = per_second(BATCHED, begun);

    let (tell, mut handled) = mpsc::channel(CAPACITY);
    side.consume(tell).await;
    let mut missing: std::collections::HashSet<u64> = (0..published).collect();
    // Joining the group is no part of it.
    missing.remove(&handled.recv().await.unwrap());
    let begun = Instant::now();
    while !missing.is_empty() {
        missing.remove(&handled.recv().await.unwrap());
    }
    let consumed = per_second(published - 1, begun);

    let mut times = Vec::new();
    for number in published..published + HANDLED {
        let sent = Instant::now();
        side.publish(&order(number)).await;
        while handled.recv().await.unwrap() != number {}
        times.push(sent.elapsed());
    }
    side.close().await;
    Figures { awaited, batched, consumed, publication, handling: percentiles(times) }
}

/// Some 230 bytes of JSON.
fn order(number: u64) -> Order {
    Order { number, customer: format!("customer-{}", number % 1_000), note: "n".repeat(170) }
}

fn per_second(count: u64, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort();
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}
