//! How long queues wait for another member when theirs leaves, is killed, or falls silent: on the network's own time, so that a busy
//! machine changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::PushConsumer;
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster};
use rocketmq_remoting::net::memory::seed_random;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::line::Line;
use super::producers::simulate;

const QUEUES: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Leaves,
    /// Its broker learns that its connections are closed.
    Killed,
    /// Nobody learns that it is gone.
    Silent,
}

/// When each queue was handled first.
type Handled = Arc<Mutex<BTreeMap<MessageQueue, Instant>>>;

async fn join(
    cluster: &MockCluster,
    line: &Line,
    name: &str,
    orderly: bool,
    handled: &Handled,
) -> PushConsumer {
    let mut option = ConsumerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name("G");
    option.set_transport(Arc::new(line.clone())).set_client_ip("10.0.0.1").set_instance_name(name);
    let handled = handled.clone();
    let note = move |queue: MessageQueue| {
        handled.lock().unwrap().entry(queue).or_insert_with(Instant::now);
    };
    let consumer = PushConsumer::new(option);
    consumer.subscribe("T", "*").await.unwrap();
    if orderly {
        consumer.orderly_listener(move |message, _| {
            note(message.message_queue());
            async {}
        });
    } else {
        consumer.listener(move |message, _| {
            note(message.message_queue());
            async {}
        });
    }
    consumer.start().await.unwrap();
    consumer
}

/// Ends a member, and returns how long the slowest of its queues waited for the other one.
async fn takeover(seed: u64, orderly: bool, end: End) -> Duration {
    seed_random(seed);
    let mut dice = Dice::new(seed);
    let network = InMemoryNetwork::new(seed);
    network.set_latency(Duration::from_millis(1)..=Duration::from_millis(5));
    let cluster = MockCluster::builder().network(network.clone()).captured_requests(0).start().await.unwrap();
    cluster.create_topic("T", QUEUES).unwrap();
    let producer = Producer::builder("P").name_server_addr(cluster.name_server_addr());
    let producer = producer.option(|option| _ = option.set_transport(Arc::new(network.clone())));
    let producer = producer.start().await.unwrap();
    let (ends, stays) = (Handled::default(), Handled::default());
    let (line, other) = (Line::new(&network), Line::new(&network));
    let leaver = join(&cluster, &line, "ends", orderly, &ends).await;
    let stayer = join(&cluster, &other, "stays", orderly, &stays).await;
    // Not the retry topic.
    let of = |consumer: &PushConsumer| -> Vec<_> {
        consumer.assignment().into_iter().filter(|queue| queue.topic() == "T").collect()
    };
    while of(&leaver).len() != 4 || of(&stayer).len() != 4 {
        sleep(Duration::from_millis(10)).await;
    }
    // Members rebalance every 20 s: the end comes anywhere between.
    sleep(dice.ms(0..=20_000)).await;
    let moved = of(&leaver);
    let pause = if end == End::Leaves || !orderly && end == End::Killed { 10 } else { 1_000 };
    let mut sending = JoinSet::new();
    sending.spawn(async move {
        loop {
            for queue in 0..QUEUES {
                let queue = MessageQueue::new("T", "broker-a", queue.cast_signed());
                producer.send_to(Message::new("T", "x"), &queue).await.unwrap();
            }
            sleep(Duration::from_millis(pause)).await;
        }
    });
    sleep(Duration::from_millis(100)).await;
    stays.lock().unwrap().clear();
    let mut began = Instant::now();
    match end {
        End::Leaves => assert!(leaver.shutdown().await.unwrap().is_clean()),
        End::Killed | End::Silent => {
            line.take_down();
            drop(leaver);
            while line.streams() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
            if end == End::Killed {
                line.bury();
            }
            began = Instant::now();
        }
    }
    while !moved.iter().all(|queue| stays.lock().unwrap().contains_key(queue)) {
        sleep(Duration::from_millis(1)).await;
    }
    let last = moved.iter().map(|queue| stays.lock().unwrap()[queue]).max().unwrap();
    sending.shutdown().await;
    line.bury();
    stayer.shutdown().await.unwrap();
    cluster.shutdown().await;
    last - began
}

/// How many takeovers of each kind: `TAKEOVERS`, or few.
fn count() -> u64 {
    std::env::var("TAKEOVERS").map_or(16, |count| count.parse().expect("a number of takeovers"))
}

/// The 99th percentile of many takeovers.
fn slowest_of(count: u64, orderly: bool, end: End) -> Duration {
    let mut took: Vec<Duration> = (0..count).map(|seed| simulate(takeover(seed, orderly, end))).collect();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1];
    let kind = if orderly { "orderly" } else { "concurrent" };
    eprintln!("{count} takeovers, {kind}, {end:?}: p50 {:?}, p99 {:?}", at(50), at(99));
    at(99)
}

#[test]
fn queues_of_a_member_that_leaves_go_on_at_once() {
    assert!(slowest_of(count(), false, End::Leaves) <= Duration::from_millis(300));
    assert!(slowest_of(count(), true, End::Leaves) <= Duration::from_millis(500));
}

#[test]
fn queues_of_a_member_that_is_killed_go_on_at_once_or_when_its_locks_expire() {
    assert!(slowest_of(count(), false, End::Killed) <= Duration::from_millis(300));
    assert!(slowest_of(count() / 4, true, End::Killed) <= Duration::from_secs(61));
}

#[test]
fn queues_of_a_member_that_fell_silent_go_on_when_the_broker_gives_it_up() {
    assert!(slowest_of(count() / 4, false, End::Silent) <= Duration::from_secs(150));
}
