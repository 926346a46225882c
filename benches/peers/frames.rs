//! The limit of the machine without a client: frames encoded in advance, over a bare tokio socket.

use std::time::{Duration, Instant};

use rocketmq::conf::SerializeType;
use rocketmq_benches::raw::{Answers, frame};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::load::{Load, Report, TOPIC};
use crate::pulls;

pub(crate) async fn run(broker: &str, headers: SerializeType) {
    while let Some(load) = Load::next() {
        let stream = TcpStream::connect(broker).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket that is connected");
        Load::ready();
        // Spawn a task, like users do: a future that `block_on` polls directly is woken more slowly.
        let mut task = JoinSet::new();
        if load.messages > 0 {
            task.spawn(pulls::run(stream, headers, load));
        } else {
            task.spawn(write_in_batches(stream, frame(TOPIC, headers, load.bytes), load));
        }
        task.join_next().await.expect("one task").expect("the broker answers").print();
    }
}

/// Repeats: writes N sends at once and waits for all answers, where N is the number in flight. With N = 1 a ping-pong.
async fn write_in_batches(mut stream: TcpStream, frame: Vec<u8>, load: Load) -> Report {
    let batch = frame.repeat(load.in_flight);
    let count = u32::try_from(load.in_flight).expect("a number that fits");
    let mut answers = Answers::default();
    let mut latencies = Latencies::new();
    let (began, end) = (Instant::now(), load.end());
    let mut before = began;
    while before < end {
        stream.write_all(&batch).await.expect("the broker reads");
        answers.wait_for(&mut stream, load.in_flight).await;
        let now = Instant::now();
        latencies.add_many(now - before, count);
        before = now;
    }
    Report { elapsed: before.max(began + Duration::from_nanos(1)) - began, latencies, failed: 0 }
}
