//! How often a send allocates, from call to result.

use rocketmq::conf::{ProducerOption, SerializeType};
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::Producer;
use rocketmq::selector::SelectMessageQueueByHash;
use stats_alloc::Region;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::server_process::{ServerProcess, TOPIC};
use crate::{ALLOCATOR, TURN};

/// Allocations of a send on average: the three ids of its result, and room for buffers that grow. Raise it only with a
/// reason.
const LIMIT: f64 = 3.5;
/// With a callback, which is boxed.
const LIMIT_BY_CALLBACK: f64 = 4.5;
const TASKS: usize = 64;
const SENDS_OF_A_TASK: usize = 50;

/// Bytes of the future of a send, which each task that sends holds. Raise it only with a reason.
const FUTURE_LIMIT: usize = 1700;

#[test]
fn the_future_of_a_send_is_small() {
    let _turn = TURN.blocking_lock();
    let producer = Producer::new(ProducerOption::default());
    let queue = MessageQueue::new(TOPIC, "broker-a", 0);
    let message = || Message::new(TOPIC, "x");
    let sizes = [
        ("send", size_of_val(&producer.send(message()))),
        ("send_oneway", size_of_val(&producer.send_oneway(message()))),
        ("send_to", size_of_val(&producer.send_to(message(), &queue))),
        ("send_async", size_of_val(&producer.send_async(message(), drop))),
        ("send_batch", size_of_val(&producer.send_batch([message()]))),
        (
            "send_with_selector",
            size_of_val(&producer.send_with_selector(message(), SelectMessageQueueByHash, "")),
        ),
        ("request", size_of_val(&producer.request(message(), 1))),
    ];
    println!("bytes of a future: {sizes:?}");
    for (call, size) in sizes {
        assert!(size <= FUTURE_LIMIT, "the future of {call} has {size} bytes, more than {FUTURE_LIMIT}");
    }
}

#[test]
fn a_send_allocates_a_few_times_alone_and_among_many() {
    let _turn = TURN.blocking_lock();
    let server = ServerProcess::start(&["serve", "--exact", "--ignored", "--nocapture"]);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for headers in [SerializeType::RocketMq, SerializeType::Json] {
        for (way, count, limit) in runtime.block_on(counts(&server, headers)) {
            println!("allocations of a send, {headers:?} headers, {way}: {count:.2}");
            assert!(count <= limit, "a send, {way}, allocates {count:.2} times, more than {limit}");
        }
    }
}

/// The allocations of one send, in several ways.
async fn counts(server: &ServerProcess, headers: SerializeType) -> [(&'static str, f64, f64); 4] {
    let builder = Producer::builder("bench").name_server_addr(server.name_server_addr.as_str());
    let builder = builder.option(|option| _ = option.set_serialize_type(headers));
    let producer = builder.start().await.expect("a started producer");
    // Route, connection and buffers are there, and as large as they get.
    count_sends(&producer, TASKS, false).await;
    count_callbacks(&producer).await;
    let counts = [
        ("alone", count_sends(&producer, 1, false).await, LIMIT),
        ("among many", count_sends(&producer, TASKS, false).await, LIMIT),
        ("with a selector", count_sends(&producer, 1, true).await, LIMIT),
        ("by callback", count_callbacks(&producer).await, LIMIT_BY_CALLBACK),
    ];
    producer.shutdown().await.expect("it was started");
    counts
}

async fn count_sends(producer: &Producer, tasks: usize, selector: bool) -> f64 {
    let mut ready: Vec<Vec<Message>> = (0..tasks).map(|_| messages()).collect();
    let mut sending = JoinSet::new();
    let region = Region::new(ALLOCATOR);
    for messages in ready.drain(..) {
        let producer = producer.clone();
        sending.spawn(async move {
            for message in messages {
                let sent = if selector {
                    producer.send_with_selector(message, SelectMessageQueueByHash, "key").await
                } else {
                    producer.send(message).await
                };
                sent.expect("the mock refuses nothing");
            }
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.expect("no send fails");
    }
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / (tasks * SENDS_OF_A_TASK) as f64
}

/// All in flight at once.
async fn count_callbacks(producer: &Producer) -> f64 {
    let ready = messages();
    let (done, mut all) = mpsc::channel(SENDS_OF_A_TASK);
    let region = Region::new(ALLOCATOR);
    for message in ready {
        let done = done.clone();
        let sent = producer.send_async(message, move |sent| _ = done.try_send(sent.is_ok()));
        sent.await.expect("there is room");
    }
    for _ in 0..SENDS_OF_A_TASK {
        assert_eq!(all.recv().await, Some(true), "the mock refuses nothing");
    }
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / SENDS_OF_A_TASK as f64
}

/// Messages with a body each. The counts leave out their making.
fn messages() -> Vec<Message> {
    (0..SENDS_OF_A_TASK).map(|_| Message::new(TOPIC, vec![b'x'; 128])).collect()
}
