//! The cost of a send, and of the record of a pulled message.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rocketmq::conf::SerializeType;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_benches::process::{ServerProcess, TOPIC};
use rocketmq_benches::samples::{answer, records, send_header};
use rocketmq_common::MessageProperties;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::protocol::header::{SendMessageAnswer, SendTemplate};
use rocketmq_remoting::protocol::{
    CommandView, EncodeHeader, ExtFields, FrameHead, FrameLimits, RequestCode, encode_frame,
};
use tokio::runtime::Builder;

use crate::consume::{self, Way};

/// Does some work the given number of times.
type Work = fn(usize);

pub(crate) const WORKS: [(&str, Work); 14] = [
    ("encode-send-binary", |count| encode_sends(SerializeType::RocketMq, count)),
    ("encode-send-json", |count| encode_sends(SerializeType::Json, count)),
    ("read-answer-binary", |count| read_answers(SerializeType::RocketMq, count)),
    ("read-answer-json", |count| read_answers(SerializeType::Json, count)),
    ("decode-record", decode_records),
    ("put-three-properties", put_properties),
    ("send-awaited", |count| sends(count, false)),
    ("send-callback", |count| sends(count, true)),
    ("consume-concurrently", |count| consume::messages(count, Way::Concurrently)),
    ("consume-batch", |count| consume::messages(count, Way::Batch)),
    ("consume-orderly", |count| consume::messages(count, Way::Orderly)),
    ("consume-stream", |count| consume::messages(count, Way::Stream)),
    ("consume-next-batch", |count| consume::messages(count, Way::NextBatch)),
    ("consume-poll", |count| consume::messages(count, Way::Poll)),
];

const ID_ENTRY: &str = "UNIQ_KEY\u{1}";
const ID: &str = "7F0000010001000000000000000000FF";

/// Encodes the frame of a send without its body, with the template of its queue.
fn encode_sends(serialize_type: SerializeType, count: usize) {
    let header = send_header(TOPIC);
    let template = SendTemplate::new(&header).expect("short texts").expect("a plain message");
    let code = RequestCode::SEND_MESSAGE_V2.0;
    let head = FrameHead { serialize_type, code, opaque: 123_456, ..FrameHead::default() };
    let mut out = BytesMut::with_capacity(4096);
    for _ in 0..count {
        out.clear();
        let properties = ["", ID_ENTRY, black_box(ID), "\u{2}"];
        let send = template.send(black_box(1_700_000_000_000), &properties);
        encode(&mut out, &head, &send);
    }
}

fn encode(out: &mut BytesMut, head: &FrameHead, header: &impl EncodeHeader) {
    encode_frame(out, head, None, header, &ExtFields::absent(), 128).expect("a small frame");
}

/// Reads the answer to a send, from its frame to its fields.
fn read_answers(serialize_type: SerializeType, count: usize) {
    let received = answer(serialize_type).repeat(count);
    let (mut rest, mut read) = (&received[..], 0);
    while let Some((answer, behind)) =
        CommandView::first(rest, &FrameLimits::default()).expect("sound frames")
    {
        black_box(SendMessageAnswer::read(answer.fields()).expect("all fields"));
        (rest, read) = (behind, read + 1);
    }
    assert_eq!(read, count);
}

/// Decodes a pulled message of 128 bytes.
fn decode_records(count: usize) {
    let stored = Bytes::from(records(1, &[ID_ENTRY, ID, "\u{2}"].concat()).repeat(count));
    let decoded = RecordDecoder::new(stored).map(|record| record.map(black_box));
    assert_eq!(decoded.filter(Result::is_ok).count(), count);
}

fn put_properties(count: usize) {
    for _ in 0..count {
        let mut properties = MessageProperties::new();
        properties.put(black_box("tenant"), black_box("a"));
        properties.put(black_box("region"), black_box("eu-central"));
        properties.put(black_box("attempt"), black_box("1"));
        black_box(properties);
    }
}

/// Sends messages one after another, to a server in another process, whose instructions do not count.
fn sends(count: usize, with_callback: bool) {
    let server = ServerProcess::start(&[]);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = Producer::builder("bench").name_server_addr(server.name_server_addr.as_str());
        let producer = builder.start().await.expect("a started producer");
        for _ in 0..count {
            let message = Message::new(TOPIC, Bytes::from_static(&[b'x'; 128]));
            if with_callback {
                let (answer, answered) = tokio::sync::oneshot::channel();
                let sent = producer.send_async(message, |sent| _ = answer.send(sent));
                sent.await.expect("a send that is admitted");
                answered.await.expect("a callback").expect("the server answers");
            } else {
                producer.send(message).await.expect("the server answers");
            }
        }
        producer.shutdown().await.expect("it was started");
    });
}
