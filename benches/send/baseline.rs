//! The limit of the machine without a client: frames encoded in advance, over a bare tokio socket.

use std::net::SocketAddr;
use std::time::Instant;

use rocketmq_benches::process::TOPIC;
use rocketmq_benches::raw::{Answers, frame};
use rocketmq_remoting::protocol::SerializeType;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::BODY;
use super::run::{Latencies, Measured, Stopwatch, Until, latency};

/// Repeats: writes `in_flight` sends at once and waits for all answers. With 1 in flight a ping-pong.
pub(crate) async fn run(broker: SocketAddr, in_flight: usize, until: Until) -> Measured {
    let stream = TcpStream::connect(broker).await.expect("the broker listens");
    stream.set_nodelay(true).expect("a socket that is connected");
    let frame = frame(TOPIC, SerializeType::RocketMq, BODY.len());
    let watch = Stopwatch::start();
    // Spawn a task, like users do: a future that `block_on` polls directly is woken more slowly.
    let mut task = JoinSet::new();
    task.spawn(write_in_batches(stream, frame, in_flight, until));
    let latencies = task.join_next().await.expect("one task").expect("the broker answers");
    watch.stop(latencies)
}

async fn write_in_batches(
    mut stream: TcpStream,
    frame: Vec<u8>,
    in_flight: usize,
    until: Until,
) -> Latencies {
    let batch = frame.repeat(in_flight);
    let mut answers = Answers::default();
    let mut latencies = Latencies::new();
    let mut before = Instant::now();
    loop {
        let count = until.next(latencies.len(), before, in_flight);
        if count == 0 {
            return latencies;
        }
        stream.write_all(&batch[..count * frame.len()]).await.expect("the broker reads");
        answers.wait_for(&mut stream, count).await;
        let now = Instant::now();
        latencies.extend(std::iter::repeat_n(latency(before, now), count));
        before = now;
    }
}
