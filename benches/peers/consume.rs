//! This project's client as a consumer.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rocketmq::admin::{Brokers, MQAdmin, MessageRequestMode, QueuePosition};
use rocketmq::conf::{ConsumeFromWhere, SerializeType};
use rocketmq::consumer::{
    MessageStream, PullConsumer, PushConsumer, PushConsumerBuilder, QueueHealth, QueueState,
};
use rocketmq::model::{Message, MessageExt};
use rocketmq::producer::Producer;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::latencies::{note, noted, take_noted};
use crate::load::{Load, Mode, Report, TOPIC};
use crate::serve::topics;

/// How often a run looks whether all messages are there.
const TICK: Duration = Duration::from_millis(1);
/// How long a batch waits to be full.
const FULL: Duration = Duration::from_millis(10);

/// Consumes all messages of the topic once, in a group that is new.
pub(crate) async fn run(name_server: &str, headers: SerializeType, load: Load) -> Report {
    Load::ready();
    let mut readers = JoinSet::new();
    let group = group();
    let mut builder = builder_of(&group, name_server, headers, load);
    if load.mode == Mode::Pop {
        let admin = MQAdmin::connect(name_server).await.expect("a NameServer");
        let set = admin.set_message_request_mode(TOPIC, &group, MessageRequestMode::Pop, 0, &Brokers::All);
        set.await.expect("a cluster").into_complete().expect("a broker of 5.x");
        builder = builder.option(|option| _ = option.set_client_rebalance(false).set_pop_batch_nums(32));
    }
    let consumer = match load.mode {
        Mode::Concurrently | Mode::Pop => builder.listener(|message, _| async move { seen(message.body()) }),
        Mode::Orderly => builder.orderly_listener(|message, _| async move { seen(message.body()) }),
        Mode::BatchListener => builder.batch_listener(|messages, _| async move {
            messages.iter().for_each(|message| seen(message.body()));
        }),
        _ => builder,
    };
    let consumer = consumer.build().expect("legal options");
    match load.mode {
        Mode::Stream => _ = readers.spawn(one_by_one(consumer.messages().expect("the only stream"))),
        Mode::NextBatch => {
            let stream = consumer.messages().expect("the only stream");
            readers.spawn(in_batches(stream, load.batch));
        }
        _ => {}
    }
    consumer.start().await.expect("a started consumer");
    wait_for(1).await;
    let began = Instant::now();
    wait_for(load.messages).await;
    let elapsed = began.elapsed();
    consumer.shutdown().await.expect("it was started");
    while let Some(reader) = readers.join_next().await {
        reader.expect("a reader that ends");
    }
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Consumes all messages once in each of many groups that are new.
pub(crate) async fn groups(name_server: &str, headers: SerializeType, load: Load) -> Report {
    Load::ready();
    let mut consumers = Vec::new();
    let began = Instant::now();
    for _ in 0..load.in_flight {
        let builder = builder(name_server, headers, Load { in_flight: 20, ..load });
        let consumer = builder.listener(|message, _| async move { seen(message.body()) }).start().await;
        consumers.push(consumer.expect("a started consumer"));
    }
    wait_for(load.messages * load.in_flight as u64).await;
    let elapsed = began.elapsed();
    for consumer in consumers {
        consumer.shutdown().await.expect("it was started");
    }
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Polls all messages of the topic once, in a group that is new.
pub(crate) async fn poll(name_server: &str, headers: SerializeType, load: Load) -> Report {
    Load::ready();
    let builder = PullConsumer::builder(group()).name_server_addr(name_server).subscribe(TOPIC, "*");
    let builder = builder.option(|option| {
        option.set_serialize_type(headers).set_consume_from_where(ConsumeFromWhere::First);
    });
    let mut consumer = builder.start().await.expect("a started consumer");
    let mut began = None;
    while noted() < load.messages {
        let messages = consumer.poll(Duration::from_secs(1)).await.expect("a consumer that runs");
        began.get_or_insert_with(Instant::now);
        messages.iter().for_each(|message| seen(message.body()));
    }
    let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
    consumer.shutdown().await.expect("it was started");
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Reads each queue of the topic from its begin to its end, a task for each.
pub(crate) async fn read_queues(name_server: &str, load: Load) -> Report {
    Load::ready();
    let admin = MQAdmin::connect(name_server).await.expect("a NameServer");
    let queues = admin.message_queues(TOPIC).await.expect("a route");
    let began = Instant::now();
    let mut readers = JoinSet::new();
    for queue in queues {
        let mut messages = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
        readers.spawn(async move {
            while let Some(message) = messages.next().await {
                seen(message.expect("a queue that is there").body());
            }
        });
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("a reader that ends");
    }
    let elapsed = began.elapsed();
    assert_eq!(noted(), load.messages);
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Sends at a rate to a listener of this process. Messages of other runs, which a new group may still be given, do not count.
pub(crate) async fn latency(name_server: &str, headers: SerializeType, load: Load) -> Report {
    let start = Instant::now();
    let run = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() as u64;
    let listener = move |message: Arc<MessageExt>, _| async move {
        let (due, of) = stamps(message.body());
        if of == run {
            note(start.elapsed().saturating_sub(Duration::from_nanos(due)), 1);
        }
    };
    let consumer = builder(name_server, headers, load).listener(listener).start().await;
    let consumer = consumer.expect("a started consumer");
    let producer = Producer::builder("bench").name_server_addr(name_server).start().await;
    let producer = producer.expect("a started producer");
    wait_for_pulls(&consumer, load.queues).await;
    Load::ready();
    let began = Instant::now();
    let sending = tokio::task::spawn_blocking({
        let (producer, runtime) = (producer.clone(), Handle::current());
        move || send_at_rate(&producer, &runtime, load, start, run)
    });
    wait_for(sending.await.expect("a sender that ends")).await;
    let elapsed = began.elapsed();
    consumer.shutdown().await.expect("it was started");
    producer.shutdown().await.expect("it was started");
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Sends each message when it is due, from a thread of its own: it wakes as often as Java's sender does, which timers of tokio, whose
/// steps are milliseconds, cannot. Returns how many it sent.
#[expect(clippy::disallowed_methods, reason = "the thread is its own")]
fn send_at_rate(producer: &Producer, runtime: &Handle, load: Load, start: Instant, run: u64) -> u64 {
    let (began, end) = (Instant::now(), load.end());
    let mut sent = 0;
    while Instant::now() < end {
        while (sent as f64) < began.elapsed().as_secs_f64() * load.rate {
            let due = (began - start) + Duration::from_secs_f64(sent as f64 / load.rate);
            let mut body = vec![b'x'; load.bytes];
            body[..8].copy_from_slice(&(due.as_nanos() as u64).to_be_bytes());
            body[8..16].copy_from_slice(&run.to_be_bytes());
            let sending =
                producer.send_async(Message::new(TOPIC, body), |sent| drop(sent.expect("it is stored")));
            runtime.block_on(sending).expect("it is admitted");
            sent += 1;
        }
        std::thread::sleep(TICK / 2);
    }
    sent
}

/// When a message of [`latency`] was due, and the run that it is of.
fn stamps(body: &[u8]) -> (u64, u64) {
    let number = |at: usize| body[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    if body.len() < 16 { (0, 0) } else { (number(0), number(8)) }
}

/// Waits for messages that do not come.
pub(crate) async fn idle(name_server: &str, headers: SerializeType, load: Load) -> Report {
    let consumer = builder(name_server, headers, load).listener(|_, _| async {}).start().await;
    let consumer = consumer.expect("a started consumer");
    wait_for_pulls(&consumer, load.queues).await;
    eprintln!("{} queues, {} tasks", load.queues, Handle::current().metrics().num_alive_tasks());
    Load::ready();
    let began = Instant::now();
    tokio::time::sleep(load.time).await;
    note(Duration::ZERO, u32::try_from(load.queues).expect("a number that fits"));
    let elapsed = began.elapsed();
    consumer.shutdown().await.expect("it was started");
    Report { elapsed, latencies: take_noted(), failed: 0 }
}

/// Waits until each queue has a pull under way.
async fn wait_for_pulls(consumer: &PushConsumer, queues: usize) {
    let pulls = |queue: &QueueHealth| matches!(queue.state, QueueState::LongPolling | QueueState::CaughtUp);
    while consumer.health().queues.iter().filter(|queue| pulls(queue)).count() < queues {
        tokio::time::sleep(TICK * 10).await;
    }
}

fn builder(name_server: &str, headers: SerializeType, load: Load) -> PushConsumerBuilder {
    builder_of(&group(), name_server, headers, load)
}

fn builder_of(group: &str, name_server: &str, headers: SerializeType, load: Load) -> PushConsumerBuilder {
    let builder = PushConsumer::builder(group).name_server_addr(name_server);
    let builder = topics(load.topics).fold(builder, |builder, topic| builder.subscribe(topic, "*"));
    builder.option(|option| {
        option.set_serialize_type(headers);
        option.set_consume_from_where(ConsumeFromWhere::First);
        option.set_consume_concurrency(load.in_flight);
        option.set_consume_message_batch_max_size(u32::try_from(load.batch).expect("a number that fits"));
    })
}

/// A group that is new.
fn group() -> String {
    static GROUPS: AtomicU64 = AtomicU64::new(0);
    format!("ours-{}-{}", std::process::id(), GROUPS.fetch_add(1, Ordering::Relaxed))
}

fn seen(body: &[u8]) {
    black_box(body);
    note(Duration::ZERO, 1);
}

async fn wait_for(count: u64) {
    while noted() < count {
        tokio::time::sleep(TICK).await;
    }
}

async fn one_by_one(mut stream: MessageStream) {
    while let Some(delivery) = stream.next().await {
        let delivery = delivery.expect("a consumer that runs");
        seen(delivery.body());
        delivery.ack();
    }
}

async fn in_batches(mut stream: MessageStream, count: usize) {
    while let Some(deliveries) = stream.next_batch(count, FULL).await {
        for delivery in deliveries.expect("a consumer that runs") {
            seen(delivery.body());
            delivery.ack();
        }
    }
}
