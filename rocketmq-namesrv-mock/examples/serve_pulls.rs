//! The cost of serving pulls from the mock: processor time of its thread for each message, while a reader on another
//! thread pulls 128-byte messages in batches of 32, with 1 to 64 pulls in flight. Run it by hand, on an idle machine:
//!
//! `cargo run --release -p rocketmq-namesrv-mock --example serve_pulls`

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an example fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use bytes::BytesMut;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, SerializeType};

const QUEUES: u32 = 64;
const MESSAGES: u32 = 16_384;
const BATCH: u32 = 32;
const PULLS: usize = 200_000;

fn main() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || serve(&tell));
    let (broker, task) = told.recv().expect("the mock started");
    for in_flight in [1, 8, 64] {
        let messages = PULLS as f64 * f64::from(BATCH);
        let (cpu, wall) = (cpu_nanos(&task), Instant::now());
        read(broker, in_flight);
        let (cpu, wall) = ((cpu_nanos(&task) - cpu) as f64, wall.elapsed());
        println!(
            "{in_flight:>2} pulls in flight: server {:.3} us of processor time a message, {:.2} million messages/s",
            cpu / messages / 1000.0,
            messages / wall.as_secs_f64() / 1e6
        );
    }
}

fn serve(tell: &std::sync::mpsc::Sender<(SocketAddr, String)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = MockCluster::builder().captured_requests(0).serialize_type(SerializeType::RocketMq);
        let cluster = builder.start().await.unwrap();
        cluster.preload("T", QUEUES, MESSAGES, &[b'x'; 128]).unwrap();
        let task = std::fs::read_link("/proc/thread-self").unwrap();
        tell.send((cluster.broker_addr("broker-a").unwrap(), format!("/proc/{}", task.display()))).unwrap();
        std::future::pending::<()>().await;
    });
}

/// The processor time of a thread.
fn cpu_nanos(task: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("{task}/schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// Pulls all queues again and again, and reads only the lengths of answers.
fn read(broker: SocketAddr, in_flight: usize) {
    let mut stream = TcpStream::connect(broker).unwrap();
    stream.set_nodelay(true).unwrap();
    let requests: Vec<BytesMut> = (0..QUEUES * MESSAGES / BATCH).map(pull).collect();
    let mut buffer = vec![0; 1 << 20];
    let (mut sent, mut answered, mut kept) = (0, 0, 0);
    while answered < PULLS {
        let mut out = Vec::new();
        while sent < PULLS && sent - answered < in_flight {
            out.extend_from_slice(&requests[sent % requests.len()]);
            sent += 1;
        }
        stream.write_all(&out).unwrap();
        kept += stream.read(&mut buffer[kept..]).unwrap();
        let mut at = 0;
        while let Some(length) = buffer[at..kept].first_chunk::<4>() {
            let end = at + 4 + u32::from_be_bytes(*length) as usize;
            if end > kept {
                break;
            }
            assert!(end - at > 32 * 128, "an answer without its messages");
            (at, answered) = (end, answered + 1);
        }
        buffer.copy_within(at..kept, 0);
        kept -= at;
    }
}

/// The pull with this number: queue after queue, then the next offsets.
fn pull(number: u32) -> BytesMut {
    let (queue, offset) = (number % QUEUES, number / QUEUES * BATCH);
    let fields = [
        ("consumerGroup", "group".to_owned()),
        ("topic", "T".to_owned()),
        ("queueId", queue.to_string()),
        ("queueOffset", offset.to_string()),
        ("maxMsgNums", BATCH.to_string()),
        ("sysFlag", "7".to_owned()),
        ("commitOffset", offset.to_string()),
        ("suspendTimeoutMillis", "15000".to_owned()),
        ("subscription", "*".to_owned()),
        ("subVersion", "0".to_owned()),
        ("expressionType", "TAG".to_owned()),
    ];
    let mut request = RemotingCommand::request(RequestCode::PULL_MESSAGE);
    request.ext_fields = fields.into_iter().collect();
    request.serialize_type = SerializeType::RocketMq;
    request.opaque = number as i32;
    let mut frame = BytesMut::new();
    request.encode(&mut frame).unwrap();
    frame
}
