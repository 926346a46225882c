//! Returning a message for a later retry: 36.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Returns a message for a later retry. Java `ConsumerSendMsgBackRequestHeader`; `CONSUMER_SEND_MSG_BACK` 36.
    pub struct ConsumerSendMsgBackRequestHeader(CONSUMER_SEND_MSG_BACK -> NoHeader)
        as ConsumerSendMsgBackFields {
        /// Physical offset of the stored message.
        "offset" offset: i64,
        /// The consumer group.
        "group" group: ByteString,
        /// Below 0: to the dead letters. 0: delay by the number of retries so far. Above 0: this delay level.
        "delayLevel" delay_level: i32,
        /// Id of the message when it was stored first; brokers ignore it.
        "originMsgId" origin_msg_id: Option<ByteString>,
        /// Topic that the message was consumed from.
        "originTopic" origin_topic: Option<ByteString>,
        /// Whether the consumer belongs to a unit.
        "unitMode" unit_mode: bool = false,
        /// The retries after which the message becomes a dead letter; if missing, the group's setting.
        "maxReconsumeTimes" max_reconsume_times: Option<i32>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
