//! How often a consumed message allocates, from the answer of its pull to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::consumer::{ConsumeFromWhere, Delivery, PullConsumer, PushConsumer, PushConsumerBuilder};
use rocketmq_namesrv_mock::MockCluster;
use stats_alloc::Stats;
use tokio::runtime;
use tokio::sync::mpsc;

use crate::server_process::{ServerProcess, TOPIC, serve_if_told};
use crate::{ALLOCATOR, TURN};

/// Allocations of a message on average. Raise them only with a reason.
const LIMIT: f64 = 2.0;
const LIMIT_IN_BATCHES: f64 = 0.2;
/// A delivery that is taken alone is one: its message and what settles it.
const LIMIT_ONE_BY_ONE: f64 = 1.5;
/// Deliveries that are taken together share two.
const LIMIT_OF_DELIVERIES: f64 = 0.35;

const QUEUES: u32 = 8;
const OF_QUEUE: u32 = 4_000;
/// Before this message, buffers grow to their size.
const FIRST: usize = 8_000;
const LAST: usize = 28_000;
const BATCH: u32 = 32;

#[test]
#[ignore = "not a test: the server process that `consumes` starts"]
fn serve_full() {
    serve_if_told(async {
        let cluster = MockCluster::builder().captured_requests(0).start().await.expect("free ports");
        cluster.preload(TOPIC, QUEUES, OF_QUEUE, &[b'x'; 128]).expect("a legal topic");
        let broker = cluster.broker_addr("broker-a").expect("the only broker");
        let name_server = cluster.name_server_addr();
        (cluster, name_server, broker)
    });
}

/// Tells the allocator's figures when the first and the last counted message come.
struct Counter {
    seen: AtomicUsize,
    figures: mpsc::Sender<Stats>,
}

impl Counter {
    fn new() -> (Arc<Self>, mpsc::Receiver<Stats>) {
        let (figures, counted) = mpsc::channel(2);
        (Arc::new(Self { seen: AtomicUsize::new(0), figures }), counted)
    }

    fn see(&self, count: usize) {
        let before = self.seen.fetch_add(count, Ordering::Relaxed);
        for mark in [FIRST, LAST] {
            if (before..before + count).contains(&mark) {
                self.figures.try_send(ALLOCATOR.stats()).expect("two of them");
            }
        }
    }
}

#[test]
fn a_consumed_message_allocates_less_than_twice_and_hardly_in_batches() {
    let _turn = TURN.blocking_lock();
    let server = ServerProcess::start(&["consumes::serve_full", "--exact", "--ignored", "--nocapture"]);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let builder = |way: &str| {
        let builder = PushConsumer::builder(way.replace(' ', "_")).name_server_addr(&server.name_server_addr);
        builder.subscribe(TOPIC, "*").option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_consume_message_batch_max_size(BATCH);
            option.set_consume_concurrency(64);
        })
    };
    let check = |way: &str, counted: f64, limit: f64| {
        println!("allocations of a consumed message, {way}: {counted:.2}");
        assert!(counted <= limit, "a message, {way}, allocates {counted:.2} times, more than {limit}");
    };
    for (way, limit) in [("concurrently", LIMIT), ("in order", LIMIT), ("in batches", LIMIT_IN_BATCHES)] {
        check(way, runtime.block_on(listened(way, builder(way))), limit);
    }
    for (way, limit) in [("one by one", LIMIT_ONE_BY_ONE), ("several at a time", LIMIT_OF_DELIVERIES)] {
        check(way, runtime.block_on(read(way, builder(way))), limit);
    }
    check("polled", runtime.block_on(polled(&server.name_server_addr)), LIMIT_IN_BATCHES);
}

async fn polled(name_server: &str) -> f64 {
    let (counter, counted) = Counter::new();
    let builder = PullConsumer::builder("polled").name_server_addr(name_server).subscribe(TOPIC, "*");
    let builder = builder.option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First));
    let mut consumer = builder.start().await.expect("a started consumer");
    while counter.seen.load(Ordering::Relaxed) <= LAST {
        let messages = consumer.poll(Duration::from_secs(10)).await.expect("a consumer that runs");
        assert!(!messages.is_empty(), "messages are left");
        counter.see(messages.len());
    }
    let figure = figure(counted).await;
    consumer.shutdown().await.expect("it was started");
    figure
}

async fn listened(way: &str, builder: PushConsumerBuilder) -> f64 {
    let (counter, counted) = Counter::new();
    let builder = match way {
        "concurrently" => builder.listener(move |_, _| {
            counter.see(1);
            async {}
        }),
        "in order" => builder.orderly_listener(move |_, _| {
            counter.see(1);
            async {}
        }),
        _ => builder.batch_listener(move |messages, _| {
            counter.see(messages.len());
            async {}
        }),
    };
    let consumer = builder.start().await.expect("a started consumer");
    let figure = figure(counted).await;
    consumer.shutdown().await.expect("it was started");
    figure
}

async fn read(way: &str, builder: PushConsumerBuilder) -> f64 {
    let (counter, counted) = Counter::new();
    let consumer = builder.build().expect("legal options");
    let mut stream = consumer.messages().expect("the only stream");
    consumer.start().await.expect("a started consumer");
    while counter.seen.load(Ordering::Relaxed) <= LAST {
        if way == "one by one" {
            stream.next().await.expect("a message").expect("a consumer that runs").ack();
            counter.see(1);
        } else {
            let batch = stream.next_batch(BATCH as usize, Duration::from_secs(1)).await;
            let batch = batch.expect("messages").expect("a consumer that runs");
            counter.see(batch.len());
            batch.into_iter().for_each(Delivery::ack);
        }
    }
    let figure = figure(counted).await;
    consumer.shutdown().await.expect("it was started");
    figure
}

/// Allocations of one message between the first and the last counted message.
async fn figure(mut counted: mpsc::Receiver<Stats>) -> f64 {
    let (first, last) = (counted.recv().await.expect("a first"), counted.recv().await.expect("a last"));
    let change = last - first;
    (change.allocations + change.reallocations) as f64 / (LAST - FIRST) as f64
}
