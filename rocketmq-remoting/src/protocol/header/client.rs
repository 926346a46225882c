//! Clients and their brokers: 34, 35, 38, 40, 41, 42, 46, 400, 401.

use super::macros::{bare_requests, headers};
use crate::protocol::NoHeader;
use bytestring::ByteString;

bare_requests! {
    /// Asks a broker to check a filter expression. Java sends no header; `CHECK_CLIENT_CONFIG` 46. The body
    /// is a [`CheckClientRequestBody`](crate::protocol::body::CheckClientRequestBody).
    pub struct CheckClientConfigRequest (CHECK_CLIENT_CONFIG -> NoHeader);

    /// The queues that the broker assigns to a consumer (5.0). Java sends no header; `QUERY_ASSIGNMENT` 400. The body
    /// is a
    /// [`QueryAssignmentRequestBody`](crate::protocol::body::QueryAssignmentRequestBody), the answer's body a
    /// [`QueryAssignmentResponseBody`](crate::protocol::body::QueryAssignmentResponseBody).
    pub struct QueryAssignmentRequest (QUERY_ASSIGNMENT -> NoHeader);

    /// Sets whether a group's members pull or pop (5.0). Java sends no header; `SET_MESSAGE_REQUEST_MODE` 401. The
    /// body is a [`SetMessageRequestModeRequestBody`](crate::protocol::body::SetMessageRequestModeRequestBody).
    pub struct SetMessageRequestModeRequest (SET_MESSAGE_REQUEST_MODE -> NoHeader);
}

headers! {
    /// Registers a client. Java `HeartbeatRequestHeader`, without fields; `HEART_BEAT` 34. The body is a
    /// [`HeartbeatData`](crate::protocol::body::HeartbeatData). The answer's version is the broker's.
    pub struct HeartbeatRequestHeader(HEART_BEAT -> HeartbeatResponseHeader) {}

    /// Fields that the broker adds to the answer to a heartbeat; Java has no class for them.
    pub struct HeartbeatResponseHeader {
        /// Whether the broker understands heartbeats without subscriptions (5.1).
        "IS_SUPPORT_HEART_BEAT_V2" is_support_heart_beat_v2: Option<bool>,
        /// Whether the subscriptions must be sent in full next time (5.1).
        "IS_SUB_CHANGE" is_sub_change: Option<bool>,
    }

    /// Removes a client from one group. Java `UnregisterClientRequestHeader`; `UNREGISTER_CLIENT` 35. Java sends one
    /// request per group.
    pub struct UnregisterClientRequestHeader(UNREGISTER_CLIENT -> NoHeader) as UnregisterClientFields {
        /// The client's id.
        "clientID" client_id: ByteString,
        /// The producer group to leave.
        "producerGroup" producer_group: Option<ByteString>,
        /// The consumer group to leave.
        "consumerGroup" consumer_group: Option<ByteString>,
    }

    /// The members of a consumer group. Java `GetConsumerListByGroupRequestHeader`;
    /// `GET_CONSUMER_LIST_BY_GROUP` 38. The answer's body is a
    /// [`GetConsumerListByGroupResponseBody`](crate::protocol::body::GetConsumerListByGroupResponseBody);
    /// code 1 if the group has no members.
    pub struct GetConsumerListByGroupRequestHeader(GET_CONSUMER_LIST_BY_GROUP -> NoHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
    }

    /// Broker to consumer, one way: the members of the group changed. Java
    /// `NotifyConsumerIdsChangedRequestHeader`; `NOTIFY_CONSUMER_IDS_CHANGED` 40.
    pub struct NotifyConsumerIdsChangedRequestHeader(NOTIFY_CONSUMER_IDS_CHANGED -> NoHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
    }

    /// Locks queues for orderly consumption, for 60 s. Java `LockBatchMqRequestHeader`, without fields;
    /// `LOCK_BATCH_MQ` 41. The body is a
    /// [`LockBatchRequestBody`](crate::protocol::body::LockBatchRequestBody), the answer's body a
    /// [`LockBatchResponseBody`](crate::protocol::body::LockBatchResponseBody).
    pub struct LockBatchMqRequestHeader(LOCK_BATCH_MQ -> NoHeader) {}

    /// Releases locks of queues. Java `UnlockBatchMqRequestHeader`, without fields; `UNLOCK_BATCH_MQ` 42. The body is
    /// an
    /// [`UnlockBatchRequestBody`](crate::protocol::body::UnlockBatchRequestBody).
    pub struct UnlockBatchMqRequestHeader(UNLOCK_BATCH_MQ -> NoHeader) {}
}
