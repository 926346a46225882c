//! The request and the answer for one message, and stored messages.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageSysFlag;
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::record::{RecordFields, encode_record};
use rocketmq_remoting::protocol::header::SendMessageRequestHeaderV2;
use rocketmq_remoting::protocol::{LanguageCode, RemotingCommand, ResponseCode, SerializeType};

/// The header of a plain message in a producer's form.
pub fn send_header(topic: &str) -> SendMessageRequestHeaderV2<'_> {
    SendMessageRequestHeaderV2 {
        producer_group: "order_service",
        topic,
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        queue_id: 3,
        born_timestamp: 1_700_000_000_000,
        properties: Some("UNIQ_KEY\u{1}7F0000010001000000000000000000FF\u{2}"),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        broker_name: Some("broker-a"),
        ..SendMessageRequestHeaderV2::default()
    }
}

/// The frame of an answer to a send, with the fields of a broker 5.x.
pub fn answer(serialize_type: SerializeType) -> BytesMut {
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
    frame
}

/// `count` stored messages of 128 bytes, one after the other: the body of the answer to a pull.
pub fn records(count: usize, properties: &str) -> Bytes {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let mut records = BytesMut::new();
    for offset in 0..count as i64 {
        let header = RecordHeader {
            queue_id: 3,
            queue_offset: offset,
            commit_log_offset: offset * 400,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: 1_700_000_000_000,
            born_host: host,
            store_timestamp: 1_700_000_000_001,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        let fields = RecordFields { header, flag: 0, topic: "TopicTest", body: &[b'x'; 128], properties };
        encode_record(&fields, &mut records).expect("a small record");
    }
    records.freeze()
}
