//! Giving a message back for a later retry: 36.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Gives a message back. Java `ConsumerSendMsgBackRequestHeader`; `CONSUMER_SEND_MSG_BACK` 36.
    pub struct ConsumerSendMsgBackRequestHeader(CONSUMER_SEND_MSG_BACK -> NoHeader)
        as ConsumerSendMsgBackFields {
        /// Physical offset of the stored message.
        "offset" offset: i64,
        /// The consumer group.
        "group" group: ByteString,
        /// Below 0 to the dead letters, 0 by the number of retries so far, above 0 this level.
        "delayLevel" delay_level: i32,
        /// Id of the message when it was first stored; brokers ignore it.
        "originMsgId" origin_msg_id: Option<ByteString>,
        /// Topic that the message was consumed from.
        "originTopic" origin_topic: Option<ByteString>,
        /// Whether the consumer belongs to a unit.
        "unitMode" unit_mode: bool = false,
        /// After how many times the message goes to the dead letters; the group's setting without it.
        "maxReconsumeTimes" max_reconsume_times: Option<i32>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
