//! The other Rust client under load: `rocketmq-client-rust-load NAMESRV`, driven by the protocol in `load.rs`.

#![recursion_limit = "256"]

#[path = "../../latencies.rs"]
#[expect(dead_code, reason = "this project's own program uses the rest")]
mod latencies;
#[path = "../../load.rs"]
#[expect(dead_code, reason = "this project's own program uses the rest")]
mod load;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq_client_rust::{
    ClientRuntime, ClientRuntimeConfig, ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus, ConsumeOrderlyContext,
    ConsumeOrderlyStatus, DefaultMQProducer, DefaultMQPushConsumer, MQPushConsumer,
};
use rocketmq_model::common::consumer::consume_from_where::ConsumeFromWhere;
use rocketmq_model::common::message::message_ext::MessageExt;
use rocketmq_model::common::message::message_single::Message;
use rocketmq_observability::{TelemetryBootstrapConfig, install_global};
use rocketmq_runtime::{RuntimeConfig, RuntimeOwner};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use latencies::{note, noted, take_noted};
use load::{Load, Mode, Report, TOPIC};

#[tokio::main(worker_threads = 2)]
async fn main() {
    let name_server = std::env::args().nth(1).expect("the address of a NameServer");
    let config = RuntimeConfig { thread_name: "load".to_owned(), ..Default::default() };
    let owner = RuntimeOwner::plan(config).expect("a legal configuration").build().expect("a runtime");
    let telemetry = install_global(&TelemetryBootstrapConfig::default()).expect("telemetry");
    let context = owner.root_context().component("client");
    let runtime = ClientRuntime::try_new(context, ClientRuntimeConfig::default(), telemetry.handle());
    let runtime = runtime.expect("a client runtime");
    let mut producer = DefaultMQProducer::builder(runtime.clone())
        .producer_group("bench_rust".to_owned())
        .name_server_addr(name_server.clone())
        .build();
    producer.start().await.expect("a started producer");
    while let Some(load) = Load::next() {
        if load.messages > 0 {
            Load::ready();
            consume(runtime.clone(), &name_server, load).await.print();
            continue;
        }
        assert_eq!(load.topics, 1, "this client is not asked for more");
        let body = vec![b'x'; load.bytes];
        producer.send(message(&body)).await.expect("the server answers");
        Load::ready();
        let report = match load.mode {
            Mode::Await | Mode::Batch => in_tasks(&producer, &body, load).await,
            Mode::Callback | Mode::Open => with_callbacks(&producer, &body, load).await,
            _ => panic!("this client has no such mode"),
        };
        report.print();
    }
    producer.shutdown().await;
    // Its runtime must not be dropped from within an async context.
    std::process::exit(0);
}

/// Consumes all messages of the topic once, in a group that is new.
async fn consume(runtime: Arc<ClientRuntime>, name_server: &str, load: Load) -> Report {
    static GROUPS: AtomicU64 = AtomicU64::new(0);
    let threads = u32::try_from(load.in_flight).expect("a number that fits");
    let batch = if load.mode == Mode::BatchListener { load.batch } else { 1 };
    let mut consumer = DefaultMQPushConsumer::builder(runtime)
        .consumer_group(format!("rust_{}_{}", std::process::id(), GROUPS.fetch_add(1, Ordering::Relaxed)))
        .name_server_addr(name_server.to_owned())
        .consume_from_where(ConsumeFromWhere::ConsumeFromFirstOffset)
        .consume_thread_min(threads)
        .consume_thread_max(threads)
        .consume_message_batch_max_size(u32::try_from(batch).expect("a number that fits"))
        .build();
    consumer.subscribe(TOPIC, "*").await.expect("a legal topic");
    if load.mode == Mode::Orderly {
        consumer.register_message_listener_orderly(|messages: &[&MessageExt], _: &mut ConsumeOrderlyContext| {
            messages.iter().for_each(|message| seen(message));
            Ok(ConsumeOrderlyStatus::Success)
        });
    } else {
        consumer.register_message_listener_concurrently(|messages: &[&MessageExt], _: &ConsumeConcurrentlyContext| {
            messages.iter().for_each(|message| seen(message));
            Ok(ConsumeConcurrentlyStatus::ConsumeSuccess)
        });
    }
    consumer.start().await.expect("a started consumer");
    wait_for(1).await;
    let began = Instant::now();
    wait_for(load.messages).await;
    let elapsed = began.elapsed();
    consumer.shutdown().await;
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

fn seen(message: &MessageExt) {
    std::hint::black_box(message.body());
    note(Duration::ZERO, 1);
}

async fn wait_for(count: u64) {
    while noted() < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn message(body: &[u8]) -> Message {
    Message::builder().topic(TOPIC).body_slice(body).build_unchecked()
}

async fn in_tasks(producer: &DefaultMQProducer, body: &[u8], load: Load) -> Report {
    let began = Instant::now();
    let end = load.end();
    let mut tasks: JoinSet<u64> =
        (0..load.in_flight).map(|_| in_turn(producer.clone(), body.to_vec(), load, end)).collect();
    let mut failed = 0;
    while let Some(task) = tasks.join_next().await {
        failed += task.expect("a task that ends");
    }
    Report { elapsed: began.elapsed(), latencies: take_noted(), failed }
}

/// Returns the number of failed sends.
async fn in_turn(producer: DefaultMQProducer, body: Vec<u8>, load: Load, end: Instant) -> u64 {
    let mut failed = 0;
    let count = if load.mode == Mode::Batch { load.batch } else { 1 };
    let mut before = Instant::now();
    while before < end {
        let sent = match load.mode {
            Mode::Batch => producer.send_batch((0..count).map(|_| message(&body)).collect()).await.is_ok(),
            _ => matches!(producer.send(message(&body)).await, Ok(Some(_))),
        };
        let now = Instant::now();
        if sent {
            note(now - before, u32::try_from(count).expect("a number that fits"));
        } else {
            failed += count as u64;
            tokio::task::yield_now().await;
        }
        before = now;
    }
    failed
}

async fn with_callbacks(producer: &DefaultMQProducer, body: &[u8], load: Load) -> Report {
    let failed = Arc::new(AtomicU64::new(0));
    let permits = Arc::new(Semaphore::new(load.in_flight));
    let (began, end) = (Instant::now(), load.end());
    let mut sent = 0;
    while Instant::now() < end {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("never closed");
        let mut before = Instant::now();
        if load.mode == Mode::Open {
            before = began + Duration::from_secs_f64(sent as f64 / load.rate);
            tokio::time::sleep_until(before.into()).await;
        }
        // The callback may run twice.
        let (done, failed) = (AtomicBool::new(false), Arc::clone(&failed));
        let permit = Mutex::new(Some(permit));
        let callback = producer.send_with_callback(message(body), move |result, _| {
            if done.swap(true, Ordering::AcqRel) {
                return;
            }
            match result {
                Some(_) => note(before.elapsed(), 1),
                None => _ = failed.fetch_add(1, Ordering::Relaxed),
            }
            drop(permit.lock().expect("no panic").take());
        });
        if callback.await.is_err() {
            tokio::task::yield_now().await;
        }
        sent += 1;
    }
    let all = u32::try_from(load.in_flight).expect("a number that fits");
    let _all = permits.acquire_many(all).await.expect("never closed");
    Report { elapsed: began.elapsed(), latencies: take_noted(), failed: failed.load(Ordering::Relaxed) }
}
