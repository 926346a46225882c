//! Response codes.

use super::open_code::open_code;

open_code! {
    /// The `code` of an answer. Open: an unknown value survives a round trip.
    ///
    /// Java `ResponseCode` and `RemotingSysResponseCode`. The meaning (*stored*, *refused*, *try again*) depends on the
    /// request. A remark with code 0 is no error.
    pub struct ResponseCode(i32) of "ResponseCode" {
        /// Done.
        SUCCESS = 0,
        /// The broker failed, or could not read the request.
        SYSTEM_ERROR = 1,
        /// Flow control: the broker refuses for now.
        SYSTEM_BUSY = 2,
        /// The peer does not know the request code.
        REQUEST_CODE_NOT_SUPPORTED = 3,
        /// A transaction could not be ended.
        TRANSACTION_FAILED = 4,
        /// Stored, but the flush to disk took too long.
        FLUSH_DISK_TIMEOUT = 10,
        /// Stored on the master; too few replicas were there.
        SLAVE_NOT_AVAILABLE = 11,
        /// Stored on the master; a replica took too long.
        FLUSH_SLAVE_TIMEOUT = 12,
        /// The message breaks a rule: size, properties, timer.
        MESSAGE_ILLEGAL = 13,
        /// The broker cannot serve now: shutting down, disk full, slave.
        SERVICE_NOT_AVAILABLE = 14,
        /// The peer is too old or too new for this request.
        VERSION_NOT_SUPPORTED = 15,
        /// Not allowed: permission of topic, group or broker, or ACL.
        NO_PERMISSION = 16,
        /// The topic is unknown here; from a NameServer: no route.
        TOPIC_NOT_EXIST = 17,
        /// The topic exists already.
        TOPIC_EXIST_ALREADY = 18,
        /// No new message at this offset.
        PULL_NOT_FOUND = 19,
        /// No matching message; pull again from the next offset.
        PULL_RETRY_IMMEDIATELY = 20,
        /// The offset is outside the queue; the answer has the right one.
        PULL_OFFSET_MOVED = 21,
        /// Nothing was found: no committed offset, no message of that key.
        QUERY_NOT_FOUND = 22,
        /// The filter expression cannot be parsed.
        SUBSCRIPTION_PARSE_FAILED = 23,
        /// The broker has no subscription of this topic from the group.
        SUBSCRIPTION_NOT_EXIST = 24,
        /// The broker has an older subscription than this request.
        SUBSCRIPTION_NOT_LATEST = 25,
        /// The consumer group is unknown and is not created automatically.
        SUBSCRIPTION_GROUP_NOT_EXIST = 26,
        /// The broker has no filter data of the group.
        FILTER_DATA_NOT_EXIST = 27,
        /// The broker has older filter data than this request.
        FILTER_DATA_NOT_LATEST = 28,
        /// A field of the request is not allowed: topic name, queue id, count.
        INVALID_PARAMETER = 29,
        /// Half message: commit.
        TRANSACTION_SHOULD_COMMIT = 200,
        /// Half message: roll back.
        TRANSACTION_SHOULD_ROLLBACK = 201,
        /// Half message: state not known yet.
        TRANSACTION_STATE_UNKNOW = 202,
        /// Half message: it belongs to another group.
        TRANSACTION_STATE_GROUP_WRONG = 203,
        /// A buyer id is missing.
        NO_BUYER_ID = 204,
        /// The request came to the wrong unit.
        NOT_IN_CURRENT_UNIT = 205,
        /// No member of the consumer group is connected.
        CONSUMER_NOT_ONLINE = 206,
        /// The consumer did not answer in time.
        CONSUME_MSG_TIMEOUT = 207,
        /// There is no such message.
        NO_MESSAGE = 208,
        /// Pop: too many requests wait already.
        POLLING_FULL = 209,
        /// Pop: no message came while waiting.
        POLLING_TIMEOUT = 210,
        /// There is no such broker.
        BROKER_NOT_EXIST = 211,
        /// The broker has not made all messages visible yet.
        BROKER_DISPATCH_NOT_COMPLETE = 212,
        /// The group broadcasts: it has no shared offsets.
        BROADCAST_CONSUMPTION = 213,
        /// A limit of the cluster was met.
        FLOW_CONTROL = 215,
        /// Static topic: another broker leads this queue.
        NOT_LEADER_FOR_QUEUE = 501,
        /// The operation is not allowed in this state.
        ILLEGAL_OPERATION = 604,
        /// The peer shuts down: reconnect and ask again (5.3).
        GO_AWAY = 1500,
        /// ACL 2.0: the user is unknown.
        USER_NOT_EXIST = 3001,
        /// ACL 2.0: the subject has no policies.
        POLICY_NOT_EXIST = 3002,
    }
}
