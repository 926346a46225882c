//! Offsets of queues and groups: 14, 15, 29, 30, 31, 32.

use super::macros::headers;
use crate::protocol::ext_fields::FieldValue;
use crate::protocol::fields::HeaderField;
use crate::protocol::{FieldSink, NoHeader};
use bytestring::ByteString;

/// Chooses among several messages with equal times. Java `BoundaryType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoundaryType {
    /// The first message at or after the time.
    #[default]
    Lower,
    /// The last message at or before the time.
    Upper,
}

impl HeaderField for BoundaryType {
    const EXPECTED: &'static str = "LOWER or UPPER";

    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        sink.text(name, if *self == Self::Upper { "UPPER" } else { "LOWER" });
    }

    fn decode(value: FieldValue<'_>) -> Option<Self> {
        Some(Self::from_java(&value.text()))
    }
}

impl BoundaryType {
    /// Anything but `upper` (in any case) means lower, like in Java.
    pub(super) fn from_java(text: &str) -> Self {
        if text.eq_ignore_ascii_case("upper") { Self::Upper } else { Self::Lower }
    }
}

headers! {
    /// The committed offset of a group. Java `QueryConsumerOffsetRequestHeader`; `QUERY_CONSUMER_OFFSET` 14. Code 22
    /// if no offset is committed.
    pub struct QueryConsumerOffsetRequestHeader(QUERY_CONSUMER_OFFSET -> QueryConsumerOffsetResponseHeader)
        as QueryConsumerOffsetFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// `false`: no answer 0 for a new group while the queue still starts at 0 (5.0).
        "setZeroIfNotFound" set_zero_if_not_found: Option<bool>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `QueryConsumerOffsetResponseHeader`.
    pub struct QueryConsumerOffsetResponseHeader {
        /// The committed offset.
        "offset" offset: i64,
    }

    /// Commits an offset; normally one way. Java `UpdateConsumerOffsetRequestHeader`;
    /// `UPDATE_CONSUMER_OFFSET` 15.
    pub struct UpdateConsumerOffsetRequestHeader(UPDATE_CONSUMER_OFFSET -> NoHeader)
        as UpdateConsumerOffsetFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The offset to commit; brokers do not check it.
        "commitOffset" commit_offset: i64,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// The offset at a point in time. Java `SearchOffsetRequestHeader`; `SEARCH_OFFSET_BY_TIMESTAMP` 29.
    pub struct SearchOffsetRequestHeader(SEARCH_OFFSET_BY_TIMESTAMP -> SearchOffsetResponseHeader)
        as SearchOffsetFields {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// Store time in milliseconds since 1970.
        "timestamp" timestamp: i64,
        /// Which end to search from; lower if missing (5.1).
        "boundaryType" boundary_type: Option<BoundaryType>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `SearchOffsetResponseHeader`.
    pub struct SearchOffsetResponseHeader {
        /// The offset; 0 for an empty or unknown queue.
        "offset" offset: i64,
    }

    /// The offset behind the last message. Java `GetMaxOffsetRequestHeader`; `GET_MAX_OFFSET` 30.
    pub struct GetMaxOffsetRequestHeader(GET_MAX_OFFSET -> GetMaxOffsetResponseHeader) {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// Count only messages that replicas confirmed; true if missing (5.0).
        "committed" committed: Option<bool>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `GetMaxOffsetResponseHeader`.
    pub struct GetMaxOffsetResponseHeader {
        /// The offset; 0 for an unknown topic or queue.
        "offset" offset: i64,
    }

    /// The offset of the first message that still exists. Java `GetMinOffsetRequestHeader`; `GET_MIN_OFFSET` 31.
    pub struct GetMinOffsetRequestHeader(GET_MIN_OFFSET -> GetMinOffsetResponseHeader) {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `GetMinOffsetResponseHeader`.
    pub struct GetMinOffsetResponseHeader {
        /// The offset; 0 for an unknown topic or queue.
        "offset" offset: i64,
    }

    /// The store time of the first message that still exists. Java `GetEarliestMsgStoretimeRequestHeader`;
    /// `GET_EARLIEST_MSG_STORETIME` 32.
    pub struct GetEarliestMsgStoretimeRequestHeader(
        GET_EARLIEST_MSG_STORETIME -> GetEarliestMsgStoretimeResponseHeader
    ) {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `GetEarliestMsgStoretimeResponseHeader`.
    pub struct GetEarliestMsgStoretimeResponseHeader {
        /// Milliseconds since 1970; −1 for an unknown or empty queue.
        "timestamp" timestamp: i64,
    }
}
