//! What the machine allows without any client: frames that were encoded before, over a bare tokio socket.

use std::time::{Duration, Instant};

use rocketmq::conf::SerializeType;
use rocketmq_benches::raw::{Answers, frame};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::load::{Load, Report, TOPIC};

pub(crate) async fn run(broker: &str, headers: SerializeType) {
    while let Some(load) = Load::next() {
        let stream = TcpStream::connect(broker).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket that is connected");
        Load::ready();
        // A spawned task, as any user's is: what `block_on` polls itself is woken more slowly.
        let mut task = JoinSet::new();
        task.spawn(write_in_batches(stream, frame(TOPIC, headers, load.bytes), load));
        task.join_next().await.expect("one task").expect("the broker answers").print();
    }
}

/// Writes as many sends at once as are to be in flight, waits for all their answers, and so on: a ping-pong if it is one.
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
