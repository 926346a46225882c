//! This project's client under load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq::conf::SerializeType;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use tokio::task::JoinSet;

use crate::consume;
use crate::latencies::{note, noted, take_noted};
use crate::load::{Load, Mode, Report, TOPIC};
use crate::serve::topics;

/// How often an open-loop run looks which messages are due, and any run whether the last callback has run.
const TICK: Duration = Duration::from_micros(500);

pub(crate) async fn run(name_server: &str, headers: SerializeType, own_thread: bool) {
    while let Some(load) = Load::next() {
        let consumed = match load.mode {
            Mode::Poll => Some(consume::poll(name_server, headers, load).await),
            Mode::ReadQueue => Some(consume::read_queues(name_server, load).await),
            Mode::Groups => Some(consume::groups(name_server, headers, load).await),
            Mode::Idle => Some(consume::idle(name_server, headers, load).await),
            Mode::Latency => Some(consume::latency(name_server, headers, load).await),
            _ if load.messages > 0 => Some(consume::run(name_server, headers, load).await),
            _ => None,
        };
        if let Some(report) = consumed {
            report.print();
            continue;
        }
        let producer = producer(name_server, headers, own_thread, &load).await;
        // Of no owner, as the arrays in Java's program: bodies of real messages are not counted by several threads.
        let body = Bytes::from_static(vec![b'x'; load.bytes].leak());
        // Opens the connections and finds the routes.
        let topics: Vec<String> = topics(load.topics).collect();
        for topic in &topics {
            producer.send(message(topic, &body)).await.expect("the server answers");
        }
        Load::ready();
        let report = match load.mode {
            Mode::Await | Mode::AutoBatch | Mode::Batch => in_tasks(&producer, &body, load).await,
            _ => with_callbacks(&producer, body, topics, load).await,
        };
        producer.shutdown().await.expect("it was started");
        report.print();
    }
}

async fn producer(name_server: &str, headers: SerializeType, own_thread: bool, load: &Load) -> Producer {
    let in_flight = u32::try_from(load.in_flight).expect("a number that fits");
    let builder = Producer::builder("bench").name_server_addr(name_server).option(|option| {
        option.set_serialize_type(headers);
        option.set_own_thread(own_thread);
        option.set_auto_batch(load.mode == Mode::AutoBatch);
        option.set_client_async_semaphore_bytes(1 << 30);
        // The producer's own limit is what holds a run with callbacks to its number in flight.
        if load.mode == Mode::Callback {
            option.set_client_async_semaphore_value(in_flight);
        }
    });
    builder.start().await.expect("a started producer")
}

fn message(topic: &str, body: &Bytes) -> Message {
    Message::new(topic, body.clone())
}

async fn in_tasks(producer: &Producer, body: &Bytes, load: Load) -> Report {
    let began = Instant::now();
    let end = load.end();
    let mut tasks: JoinSet<u64> = (0..load.in_flight)
        .map(|_| {
            let (producer, body) = (producer.clone(), body.clone());
            async move {
                match load.mode {
                    Mode::Batch => batches(producer, body, load, end).await,
                    _ => singles(producer, body, end).await,
                }
            }
        })
        .collect();
    let mut failed = 0;
    while let Some(task) = tasks.join_next().await {
        failed += task.expect("a task that ends");
    }
    Report { elapsed: began.elapsed(), latencies: take_noted(), failed }
}

/// How many failed.
async fn singles(producer: Producer, body: Bytes, end: Instant) -> u64 {
    let mut failed = 0;
    let mut before = Instant::now();
    while before < end {
        let sent = producer.send(message(TOPIC, &body)).await;
        let now = Instant::now();
        match sent {
            Ok(_) => note(now - before, 1),
            Err(_) => failed += 1,
        }
        before = now;
    }
    failed
}

/// How many messages failed.
async fn batches(producer: Producer, body: Bytes, load: Load, end: Instant) -> u64 {
    let count = u32::try_from(load.batch).expect("a number that fits");
    let mut failed = 0;
    let mut before = Instant::now();
    while before < end {
        let sent =
            producer.send_batch(std::iter::repeat_with(|| message(TOPIC, &body)).take(load.batch)).await;
        let now = Instant::now();
        match sent {
            Ok(_) => note(now - before, count),
            Err(_) => failed += u64::from(count),
        }
        before = now;
    }
    failed
}

/// How many sends failed.
static FAILED: AtomicU64 = AtomicU64::new(0);

async fn with_callbacks(producer: &Producer, body: Bytes, topics: Vec<String>, load: Load) -> Report {
    FAILED.store(0, Ordering::Relaxed);
    let began = Instant::now();
    // A spawned task, as any user's is: what `block_on` polls itself is woken more slowly.
    let mut sending = JoinSet::new();
    let sender = producer.clone();
    sending.spawn(async move {
        match load.mode {
            Mode::Open => at_a_rate(&sender, body, load).await,
            _ => as_admitted(&sender, body, &topics, load).await,
        }
    });
    let sent = sending.join_next().await.expect("one task").expect("it ends");
    while noted() + FAILED.load(Ordering::Relaxed) < sent {
        tokio::time::sleep(TICK).await;
    }
    Report { elapsed: began.elapsed(), latencies: take_noted(), failed: FAILED.load(Ordering::Relaxed) }
}

async fn as_admitted(producer: &Producer, body: Bytes, topics: &[String], load: Load) -> u64 {
    let end = load.end();
    let mut sent = 0;
    let mut now = Instant::now();
    for topic in topics.iter().cycle() {
        if now >= end {
            break;
        }
        // The latency begins where the last message was admitted.
        send(producer, message(topic, &body), now).await;
        sent += 1;
        now = Instant::now();
    }
    sent
}

async fn at_a_rate(producer: &Producer, body: Bytes, load: Load) -> u64 {
    let (began, end) = (Instant::now(), load.end());
    let mut ticks = tokio::time::interval(TICK);
    let mut sent = 0;
    while Instant::now() < end {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * load.rate) as u64;
        while sent < due {
            let due_at = began + Duration::from_secs_f64(sent as f64 / load.rate);
            send(producer, message(TOPIC, &body), due_at).await;
            sent += 1;
        }
    }
    sent
}

async fn send(producer: &Producer, message: Message, before: Instant) {
    let admitted = producer.send_async(message, move |sent| match sent {
        Ok(_) => note(before.elapsed(), 1),
        Err(_) => _ = FAILED.fetch_add(1, Ordering::Relaxed),
    });
    admitted.await.expect("a send that is admitted in time");
}
