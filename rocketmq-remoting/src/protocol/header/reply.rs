//! A reply on its way to the requester: 326.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Broker to client: the reply to your request. The body is the reply's body, still compressed.
    ///
    /// Java `ReplyMessageRequestHeader`; `PUSH_REPLY_MESSAGE_TO_CLIENT` 326. The client answers 0, even if no request
    /// waits for the reply.
    pub struct ReplyMessageRequestHeader(PUSH_REPLY_MESSAGE_TO_CLIENT -> NoHeader) {
        /// Group of the producer that replied.
        "producerGroup" producer_group: ByteString,
        /// The cluster's reply topic.
        "topic" topic: ByteString,
        /// Copied from the request of the replying producer.
        "defaultTopic" default_topic: ByteString,
        /// Copied from the request of the replying producer.
        "defaultTopicQueueNums" default_topic_queue_nums: i32,
        /// The queue in which the reply was stored.
        "queueId" queue_id: i32,
        /// Compression bits, Java `MessageSysFlag`.
        "sysFlag" sys_flag: i32,
        /// When the reply was made, in milliseconds since 1970.
        "bornTimestamp" born_timestamp: i64,
        /// The user's flag.
        "flag" flag: i32,
        /// `name` 0x01 `value` 0x02, repeated; `CORRELATION_ID` names the request.
        "properties" properties: Option<ByteString>,
        /// How many times the reply was consumed before.
        "reconsumeTimes" reconsume_times: Option<i32>,
        /// Whether the producer belongs to a unit.
        "unitMode" unit_mode: bool = false,
        /// `ip:port` of the replying producer.
        "bornHost" born_host: ByteString,
        /// `ip:port` of the broker.
        "storeHost" store_host: ByteString,
        /// When the reply was stored, in milliseconds since 1970.
        "storeTimestamp" store_timestamp: i64,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
