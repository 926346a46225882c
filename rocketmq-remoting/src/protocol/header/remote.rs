//! Commands of a broker to a consumer, and the admin's requests that cause them: 220–223, 307, 309.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Sets a group's offsets to a point in time. Java `ResetOffsetRequestHeader`.
    ///
    /// An admin sends `INVOKE_BROKER_TO_RESET_OFFSET` 222, the code given here. A broker tells its consumers
    /// with the same header and `RESET_CONSUMER_CLIENT_OFFSET` 220, one way. Both the answer to 222 and the
    /// body of 220 are a [`ResetOffsetBody`](crate::protocol::body::ResetOffsetBody).
    pub struct ResetOffsetRequestHeader(INVOKE_BROKER_TO_RESET_OFFSET -> NoHeader) as ResetOffsetFields {
        /// The consumer group.
        "group" group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// Only this queue; −1 or missing for all (5.0).
        "queueId" queue_id: Option<i32>,
        /// An offset instead of a time (5.0).
        "offset" offset: Option<i64>,
        /// Milliseconds since 1970; −1 for the end of the queue.
        "timestamp" timestamp: i64,
        /// Whether offsets may also move forwards.
        "isForce" is_force: bool,
    }

    /// The offsets that consumers hold. Java `GetConsumerStatusRequestHeader`.
    ///
    /// An admin sends `INVOKE_BROKER_TO_GET_CONSUMER_STATUS` 223, the code given here. A broker asks its
    /// consumers with the same header and `GET_CONSUMER_STATUS_FROM_CLIENT` 221. The answer's body is a
    /// [`GetConsumerStatusBody`](crate::protocol::body::GetConsumerStatusBody).
    pub struct GetConsumerStatusRequestHeader(INVOKE_BROKER_TO_GET_CONSUMER_STATUS -> NoHeader)
        as GetConsumerStatusFields {
        /// The topic.
        "topic" topic: ByteString,
        /// The consumer group.
        "group" group: ByteString,
        /// Only this client.
        "clientAddr" client_addr: Option<ByteString>,
    }

    /// The state of a consumer; brokers forward the request to it. Java `GetConsumerRunningInfoRequestHeader`;
    /// `GET_CONSUMER_RUNNING_INFO` 307. The answer's body is a
    /// [`ConsumerRunningInfo`](crate::protocol::body::ConsumerRunningInfo).
    pub struct GetConsumerRunningInfoRequestHeader(GET_CONSUMER_RUNNING_INFO -> NoHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The client's id.
        "clientId" client_id: ByteString,
        /// Whether to add the stacks of its threads.
        "jstackEnable" jstack_enable: bool = false,
    }

    /// Lets one consumer process one message now; brokers forward the request to it. Java
    /// `ConsumeMessageDirectlyResultRequestHeader`; `CONSUME_MESSAGE_DIRECTLY` 309. The request's body is the stored
    /// message, the answer's body a
    /// [`ConsumeMessageDirectlyResult`](crate::protocol::body::ConsumeMessageDirectlyResult).
    pub struct ConsumeMessageDirectlyRequestHeader(CONSUME_MESSAGE_DIRECTLY -> NoHeader)
        as ConsumeMessageDirectlyFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The client's id; if missing, the broker picks a client.
        "clientId" client_id: Option<ByteString>,
        /// Store address and physical offset of the message in hexadecimal.
        "msgId" msg_id: Option<ByteString>,
        /// The broker's name.
        "brokerName" broker_name: Option<ByteString>,
        /// The topic (5.0).
        "topic" topic: Option<ByteString>,
        /// The topic's flags (5.0).
        "topicSysFlag" topic_sys_flag: Option<i32>,
        /// The group's flags (5.0).
        "groupSysFlag" group_sys_flag: Option<i32>,
    }
}
