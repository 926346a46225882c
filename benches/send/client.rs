//! The measured load: tasks that each send a message and wait for its result.

use std::time::Instant;

use bytes::Bytes;
use rocketmq::conf::SerializeType;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_benches::process::TOPIC;
use tokio::task::JoinSet;

use super::run::{Latencies, Measured, Stopwatch, Until, latency};

pub(crate) const BODY: Bytes = Bytes::from_static(&[b'x'; 128]);

/// A started producer with these headers.
pub(crate) async fn producer(name_server_addr: &str, headers: SerializeType) -> Producer {
    let builder = Producer::builder("bench").name_server_addr(name_server_addr);
    builder.option(|option| _ = option.set_serialize_type(headers)).start().await.expect("a started producer")
}

/// Sends with `in_flight` tasks, each of which has one message in flight.
pub(crate) async fn run(producer: &Producer, in_flight: usize, until: Until) -> Measured {
    let message = Message::new(TOPIC, BODY);
    let tasks = in_flight as u64;
    let watch = Stopwatch::start();
    let mut sending: JoinSet<Latencies> = (0..tasks)
        .map(|task| send_in_turn(producer.clone(), message.clone(), until.share(task, tasks)))
        .collect();
    let mut all = Latencies::new();
    while let Some(latencies) = sending.join_next().await {
        all.extend(latencies.expect("no send fails"));
    }
    watch.stop(all)
}

async fn send_in_turn(producer: Producer, message: Message, until: Until) -> Latencies {
    let mut latencies = Latencies::new();
    let mut before = Instant::now();
    while until.next(latencies.len(), before, 1) > 0 {
        producer.send(message.clone()).await.expect("the server refuses nothing");
        let now = Instant::now();
        latencies.push(latency(before, now));
        before = now;
    }
    latencies
}
