//! What the machine allows without any client: frames that were encoded before, over a bare tokio socket.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rocketmq::conf::SerializeType;
use rocketmq_remoting::protocol::header::SendMessageRequestHeaderV2;
use rocketmq_remoting::protocol::{FrameLimits, RemotingCommand, ResponseCode, decode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::load::{Load, Report, TOPIC};

pub(crate) async fn run(broker: &str, headers: SerializeType) {
    while let Some(load) = Load::next() {
        let stream = TcpStream::connect(broker).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket that is connected");
        // A spawned task, as any user's is: what `block_on` polls itself is woken more slowly.
        let mut task = JoinSet::new();
        task.spawn(write_in_batches(stream, frame(headers, load.bytes), load));
        task.join_next().await.expect("one task").expect("the broker answers").print();
    }
}

/// Writes so many sends at once, waits for all their answers, and so on: a ping-pong if it is one.
async fn write_in_batches(mut stream: TcpStream, frame: Vec<u8>, load: Load) -> Report {
    let batch = frame.repeat(load.in_flight);
    let count = u32::try_from(load.in_flight).expect("a number that fits");
    let mut answers = Answers { buffer: BytesMut::new(), checked: false };
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

/// A send as a producer writes it. All have the same opaque, which nobody looks at here.
fn frame(headers: SerializeType, bytes: usize) -> Vec<u8> {
    let header = SendMessageRequestHeaderV2 {
        producer_group: "bench",
        topic: TOPIC,
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        born_timestamp: 1_700_000_000_000,
        properties: Some("UNIQ_KEY\u{1}7F0000010001000000000000000000FF\u{2}"),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        broker_name: Some("broker-a"),
        ..SendMessageRequestHeaderV2::default()
    };
    let mut command = RemotingCommand::request_with(&header).with_body(vec![b'x'; bytes]);
    command.serialize_type = headers;
    let mut frame = BytesMut::new();
    command.encode(&mut frame).expect("a frame within the limits");
    frame.to_vec()
}

struct Answers {
    buffer: BytesMut,
    checked: bool,
}

impl Answers {
    /// Reads until so many answers are there, and skips them by their length.
    async fn wait_for(&mut self, stream: &mut TcpStream, mut count: usize) {
        while count > 0 {
            while let Some(answer) = self.skip_one() {
                count -= 1;
                if !self.checked {
                    self.checked = true;
                    assert_eq!(answer, ResponseCode::SUCCESS.0, "the broker refuses the frame");
                }
            }
            if count > 0 {
                self.buffer.reserve(64 * 1024);
                let read = stream.read_buf(&mut self.buffer).await.expect("the broker answers");
                assert!(read > 0, "the broker closed the connection");
            }
        }
    }

    /// Skips one answer if it is there. Returns the code of the very first, 0 for all others.
    fn skip_one(&mut self) -> Option<i32> {
        if !self.checked {
            let answer = decode_frame(&mut self.buffer, &FrameLimits::default());
            return answer.expect("the broker sends frames").map(|answer| answer.code);
        }
        let length = u32::from_be_bytes(*self.buffer.first_chunk::<4>()?) as usize + 4;
        (self.buffer.len() >= length).then(|| self.buffer.advance(length)).map(|()| 0)
    }
}
