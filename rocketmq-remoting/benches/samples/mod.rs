//! What a producer and a broker say to each other of one message.

use bytes::BytesMut;
use rocketmq_remoting::protocol::header::SendMessageRequestHeaderV2;
use rocketmq_remoting::protocol::{LanguageCode, RemotingCommand, ResponseCode, SerializeType};

/// A plain message as a producer sends it.
pub(crate) fn send_header(topic: &str) -> SendMessageRequestHeaderV2<'_> {
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

/// An answer with the fields of a broker of 5.x.
pub(crate) fn answer(serialize_type: SerializeType) -> BytesMut {
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
