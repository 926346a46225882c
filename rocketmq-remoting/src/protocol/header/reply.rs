//! A reply on its way to whoever asked: 326.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Broker to client: the reply to your request. The body is that of the reply, still compressed.
    ///
    /// Java `ReplyMessageRequestHeader`; `PUSH_REPLY_MESSAGE_TO_CLIENT` 326. The client answers 0, also to a
    /// reply that nobody waits for.
    pub struct ReplyMessageRequestHeader(PUSH_REPLY_MESSAGE_TO_CLIENT -> NoHeader) {
        /// Group of the producer that replied.
        "producerGroup" producer_group: ByteString,
        /// The cluster's reply topic.
        "topic" topic: ByteString,
        /// As in the request of the one that replied.
        "defaultTopic" default_topic: ByteString,
        /// As in the request of the one that replied.
        "defaultTopicQueueNums" default_topic_queue_nums: i32,
        /// The queue that the reply was stored in.
        "queueId" queue_id: i32,
        /// Compression bits, Java `MessageSysFlag`.
        "sysFlag" sys_flag: i32,
        /// When the reply was made, in milliseconds since 1970.
        "bornTimestamp" born_timestamp: i64,
        /// The user's flag.
        "flag" flag: i32,
        /// `name` 0x01 `value` 0x02, repeated; `CORRELATION_ID` names the request.
        "properties" properties: Option<ByteString>,
        /// How often the reply was consumed before.
        "reconsumeTimes" reconsume_times: Option<i32>,
        /// Whether the producer belongs to a unit.
        "unitMode" unit_mode: bool = false,
        /// `ip:port` of the one that replied.
        "bornHost" born_host: ByteString,
        /// `ip:port` of the broker.
        "storeHost" store_host: ByteString,
        /// When the reply was stored, in milliseconds since 1970.
        "storeTimestamp" store_timestamp: i64,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
