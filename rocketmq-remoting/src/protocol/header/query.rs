//! Looking for messages: 12, 33.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Messages with a key. Java `QueryMessageRequestHeader`; `QUERY_MESSAGE` 12. The answer's body holds stored
    /// messages; code 22 if there are none.
    pub struct QueryMessageRequestHeader(QUERY_MESSAGE -> QueryMessageResponseHeader) as QueryMessageFields {
        /// The topic.
        "topic" topic: ByteString,
        /// One word of the message's keys, or its unique id.
        "key" key: ByteString,
        /// The largest number of messages; the newest are returned.
        "maxNum" max_num: i32,
        /// The earliest store time, in milliseconds since 1970; the index is coarse.
        "beginTimestamp" begin_timestamp: i64,
        /// The latest store time, in milliseconds since 1970.
        "endTimestamp" end_timestamp: i64,
        /// Whether the key is a unique id. Java writes it beside the header.
        "_UNIQUE_KEY_QUERY" unique_key_query: Option<bool>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `QueryMessageResponseHeader`.
    pub struct QueryMessageResponseHeader {
        /// When the index was last written, in milliseconds since 1970.
        "indexLastUpdateTimestamp" index_last_update_timestamp: i64,
        /// The physical offset that the index has reached.
        "indexLastUpdatePhyoffset" index_last_update_phyoffset: i64,
    }

    /// One message at its physical offset. Java `ViewMessageRequestHeader`; `VIEW_MESSAGE_BY_ID` 33. The answer's body
    /// is the stored message; code 1 if there is none.
    pub struct ViewMessageRequestHeader(VIEW_MESSAGE_BY_ID -> NoHeader) as ViewMessageFields {
        /// The topic; brokers ignore it (5.0).
        "topic" topic: Option<ByteString>,
        /// The physical offset.
        "offset" offset: i64,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
