//! The limit of the machine without a client: a loop over pulls and their answers, over a bare tokio socket.

use std::time::Instant;

use bytes::BytesMut;
use rocketmq::conf::SerializeType;
use rocketmq_common::PullSysFlag;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;
use rocketmq_remoting::protocol::{FrameLimits, RemotingCommand, ResponseCode, decode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::latencies::Latencies;
use crate::load::{Load, Mode, Report, TOPIC};

/// The number of messages that one pull asks for.
const AT_A_TIME: i32 = 32;
const QUEUES: i32 = 8;

/// Pulls all messages of the topic once, with one pull for each queue under way.
pub(crate) async fn run(mut stream: TcpStream, headers: SerializeType, load: Load) -> Report {
    let began = Instant::now();
    let (mut received, mut requests, mut answers) = (0, BytesMut::new(), BytesMut::new());
    let mut offsets = [0_i64; QUEUES as usize];
    (0..QUEUES).for_each(|queue| pull(&mut requests, headers, queue, 0));
    while received < load.messages {
        stream.write_all_buf(&mut requests).await.expect("the broker reads");
        answers.reserve(256 * 1024);
        let read = stream.read_buf(&mut answers).await.expect("the broker answers");
        assert!(read > 0, "the broker closed the connection");
        while let Some(answer) = decode_frame(&mut answers, &FrameLimits::default()).expect("sound frames") {
            assert_eq!(answer.code, ResponseCode::SUCCESS.0, "{:?}", answer.remark);
            let mut count = AT_A_TIME as usize;
            if load.mode == Mode::DecodedPulls {
                count = 0;
                for record in RecordDecoder::new(answer.body) {
                    std::hint::black_box(record.expect("a sound record"));
                    count += 1;
                }
            }
            received += count as u64;
            let offset = &mut offsets[answer.opaque as usize];
            *offset += count as i64;
            if (*offset as u64) < load.messages / QUEUES as u64 {
                pull(&mut requests, headers, answer.opaque, *offset);
            }
        }
    }
    let mut latencies = Latencies::new();
    latencies.add_many(began.elapsed(), u32::try_from(received).expect("a number that fits"));
    Report { elapsed: began.elapsed(), latencies, failed: 0 }
}

/// Adds the request for the next messages of a queue, whose number is its opaque.
fn pull(out: &mut BytesMut, headers: SerializeType, queue: i32, offset: i64) {
    let header = PullMessageRequestHeader {
        consumer_group: "frames".into(),
        topic: TOPIC.into(),
        queue_id: queue,
        queue_offset: offset,
        max_msg_nums: AT_A_TIME,
        sys_flag: PullSysFlag::SUBSCRIPTION.bits(),
        subscription: Some("*".into()),
        ..PullMessageRequestHeader::default()
    };
    let mut request = RemotingCommand::request_with(&header).with_opaque(queue);
    request.serialize_type = headers;
    request.encode(out).expect("a frame within the limits");
}
