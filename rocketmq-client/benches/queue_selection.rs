//! What it costs to choose a queue: in turn, around brokers that failed, and by a key.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark; its entry points come from macros")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rocketmq_client::model::{Message, MessageQueue};
use rocketmq_client::selector::{MessageQueueSelector, SelectMessageQueueByHash};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData};

// What chooses is not public: its files are compiled once more, with what they need of the crate around them.
mod conf {
    pub(crate) struct AddressTranslator;

    impl AddressTranslator {
        pub(crate) fn translate(&self, _: &str) -> Option<String> {
            None
        }
    }
}
mod error {
    pub(crate) use rocketmq_client::error::MQClientError;
}
mod factory {
    pub(crate) use crate::topic_publish_info::{Choice, TopicPublishInfo};
}
#[path = "../src/latency.rs"]
#[expect(dead_code, reason = "the client uses the rest")]
mod latency;
#[path = "../src/factory/topic_publish_info.rs"]
#[expect(dead_code, reason = "the client uses the rest")]
mod topic_publish_info;

use error::MQClientError;
use latency::{LatencyTables, MQFaultStrategy};
use topic_publish_info::TopicPublishInfo;

const TOPIC: &str = "TopicTest";
const QUEUES: [u32; 3] = [4, 64, 1024];

criterion_group!(benches, in_turn, around_failed_brokers, by_hash);
criterion_main!(benches);

fn in_turn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose a queue in turn");
    let faults = MQFaultStrategy::new(None, false);
    for queues in QUEUES {
        let route = route(1, queues);
        group.bench_function(BenchmarkId::from_parameter(queues), |bencher| {
            bencher.iter(|| faults.select(black_box(&route), None).map(|choice| choice.place));
        });
    }
}

/// Ten brokers, of which so many failed a moment ago.
fn around_failed_brokers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose a queue of ten brokers");
    let route = route(10, 4);
    for failed in [0, 1, 9] {
        let tables = LatencyTables { latency_max: vec![50], not_available_duration: vec![600_000] };
        let faults = MQFaultStrategy::new(Some(tables), false);
        for broker in 0..failed {
            let error = MQClientError::NotStarted { client: "benchmark" };
            faults.note(&broker_name(broker), tokio::time::Instant::now(), Some(&error));
        }
        group.bench_function(BenchmarkId::new("failed", failed), |bencher| {
            bencher.iter(|| faults.select(black_box(&route), None).map(|choice| choice.place));
        });
    }
}

fn by_hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose a queue by the hash of a key");
    let message = Message::new(TOPIC, "body");
    for count in QUEUES {
        let queues: Vec<MessageQueue> =
            (0..count).map(|queue| MessageQueue::new(TOPIC, "broker-a", queue as i32)).collect();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                SelectMessageQueueByHash.select(&queues, &message, black_box("order-1234567890")).queue_id()
            });
        });
    }
}

fn broker_name(number: u32) -> String {
    format!("broker-{number}")
}

/// Brokers with so many queues each.
fn route(brokers: u32, queues: u32) -> TopicPublishInfo {
    let broker_datas = (0..brokers).map(|broker| BrokerData {
        broker_name: broker_name(broker),
        broker_addrs: [(0, format!("127.0.0.1:{}", 10_911 + broker))].into(),
        ..BrokerData::default()
    });
    let queue_datas = (0..brokers).map(|broker| QueueData {
        broker_name: broker_name(broker),
        read_queue_nums: queues as i32,
        write_queue_nums: queues as i32,
        perm: 6,
        ..QueueData::default()
    });
    let route = TopicRouteData {
        broker_datas: broker_datas.collect(),
        queue_datas: queue_datas.collect(),
        ..TopicRouteData::default()
    };
    TopicPublishInfo::of_topic(TOPIC, route, None)
}
