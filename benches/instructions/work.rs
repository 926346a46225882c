//! What a send, and what a pulled message costs.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use rocketmq::conf::SerializeType;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::record::{RecordDecoder, RecordFields, encode_record};
use rocketmq_common::{MessageProperties, MessageSysFlag};
use rocketmq_remoting::protocol::header::{SendMessageAnswer, SendMessageRequestHeaderV2, SendTemplate};
use rocketmq_remoting::protocol::{
    EncodeHeader, ExtFields, FrameHead, FrameLimits, LanguageCode, RemotingCommand, RequestCode,
    ResponseCode, decode_frame, encode_frame,
};
use tokio::runtime::Builder;

use crate::server_process::{ServerProcess, TOPIC};

/// Does something so many times.
type Work = fn(usize);

pub(crate) const WORKS: [(&str, Work); 8] = [
    ("encode-send-binary", |count| encode_sends(SerializeType::RocketMq, count)),
    ("encode-send-json", |count| encode_sends(SerializeType::Json, count)),
    ("read-answer-binary", |count| read_answers(SerializeType::RocketMq, count)),
    ("read-answer-json", |count| read_answers(SerializeType::Json, count)),
    ("decode-record", decode_records),
    ("put-three-properties", put_properties),
    ("send-awaited", |count| sends(count, false)),
    ("send-callback", |count| sends(count, true)),
];

const PROPERTIES: &str = "UNIQ_KEY\u{1}7F0000010001000000000000000000FF\u{2}";

/// The frame of a send but for its body, with the template of its queue.
fn encode_sends(serialize_type: SerializeType, count: usize) {
    let header = SendMessageRequestHeaderV2 {
        producer_group: "order_service",
        topic: TOPIC,
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        queue_id: 3,
        reconsume_times: Some(0),
        unit_mode: Some(false),
        broker_name: Some("broker-a"),
        ..SendMessageRequestHeaderV2::default()
    };
    let template = SendTemplate::new(&header).expect("short texts").expect("a plain message");
    let code = RequestCode::SEND_MESSAGE_V2.0;
    let head = FrameHead { serialize_type, code, opaque: 123_456, ..FrameHead::default() };
    let mut out = BytesMut::with_capacity(4096);
    for _ in 0..count {
        out.clear();
        let send = template.send(black_box(1_700_000_000_000), black_box(PROPERTIES));
        encode(&mut out, &head, &send);
    }
}

fn encode(out: &mut BytesMut, head: &FrameHead, header: &impl EncodeHeader) {
    encode_frame(out, head, None, header, &ExtFields::absent(), 128).expect("a small frame");
}

/// The answer to a send, from its frame to its fields.
fn read_answers(serialize_type: SerializeType, count: usize) {
    let mut answer = RemotingCommand::response(ResponseCode::SUCCESS)
        .with_field("queueId", "3")
        .with_field("transactionId", "7F0000010001000000000000000000FF")
        .with_field("msgId", "7F00000100002A9F000000000000AB12")
        .with_field("queueOffset", "123456")
        .with_field("MSG_REGION", "DefaultRegion")
        .with_field("TRACE_ON", "true")
        .with_opaque(123_456);
    answer.serialize_type = serialize_type;
    answer.language = LanguageCode::JAVA;
    let mut frame = BytesMut::new();
    answer.encode(&mut frame).expect("a small frame");
    let mut received = BytesMut::from(&frame.repeat(count)[..]);
    let mut read = 0;
    while let Some(answer) = decode_frame(&mut received, &FrameLimits::default()).expect("sound frames") {
        black_box(SendMessageAnswer::read(&answer.ext_fields).expect("all fields"));
        read += 1;
    }
    assert_eq!(read, count);
}

/// A pulled message of 128 bytes.
fn decode_records(count: usize) {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_911));
    let header = RecordHeader {
        queue_id: 3,
        queue_offset: 1,
        commit_log_offset: 400,
        sys_flag: MessageSysFlag::default(),
        born_timestamp: 1_700_000_000_000,
        born_host: host,
        store_timestamp: 1_700_000_000_001,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let fields = RecordFields { header, flag: 0, topic: TOPIC, body: &[b'x'; 128], properties: PROPERTIES };
    let mut record = BytesMut::new();
    encode_record(&fields, &mut record).expect("a small record");
    let records = Bytes::from(record.repeat(count));
    assert_eq!(
        RecordDecoder::new(records).map(|record| record.map(black_box)).filter(Result::is_ok).count(),
        count
    );
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

/// Sends one after another, to a server whose instructions do not count.
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
