//! Names of message properties (Java: `MessageConst`).
//!
//! "Reserved" below means that a user cannot set the property through
//! [`Message::put_property`](crate::Message::put_property).

/// Keys of a message for look-ups, separated by [`KEY_SEPARATOR`].
pub const PROPERTY_KEYS: &str = "KEYS";
/// The tag that consumers filter by.
pub const PROPERTY_TAGS: &str = "TAGS";
/// Whether the broker answers only after it has flushed and replicated the message; absent means yes.
pub const PROPERTY_WAIT_STORE_MSG_OK: &str = "WAIT";
/// The delay level, 1 to 18.
pub const PROPERTY_DELAY_TIME_LEVEL: &str = "DELAY";
/// An id of the buyer, for the user's own use.
pub const PROPERTY_BUYER_ID: &str = "BUYER_ID";
/// The namespace instance of a message.
pub const PROPERTY_INSTANCE_ID: &str = "INSTANCE_ID";
/// The key that keeps messages of one group in order (not reserved).
pub const PROPERTY_SHARDING_KEY: &str = "__SHARDINGKEY";

/// The id that the client gives a message.
pub const PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX: &str = "UNIQ_KEY";
/// Short name of [`PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX`].
pub const UNIQ_KEY: &str = PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX;
/// The offset id of the first copy of a message that is consumed again.
pub const PROPERTY_ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// More about the unique id (not reserved).
pub const PROPERTY_EXTEND_UNIQ_INFO: &str = "EXTEND_UNIQ_INFO";
/// Data with which a broker drops duplicates (not reserved).
pub const DUP_INFO: &str = "DUP_INFO";

/// The topic that a retried message came from.
pub const PROPERTY_RETRY_TOPIC: &str = "RETRY_TOPIC";
/// The topic that a delayed or half message is meant for.
pub const PROPERTY_REAL_TOPIC: &str = "REAL_TOPIC";
/// The queue that a delayed or half message is meant for.
pub const PROPERTY_REAL_QUEUE_ID: &str = "REAL_QID";
/// How many times the message was consumed, if a client sends it to a retry topic itself.
pub const PROPERTY_RECONSUME_TIME: &str = "RECONSUME_TIME";
/// The attempts after which a message becomes a dead letter.
pub const PROPERTY_MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// When the consumer handed the message to its listener, milliseconds since the epoch.
pub const PROPERTY_CONSUME_START_TIMESTAMP: &str = "CONSUME_START_TIME";
/// The topic that a dead letter came from.
pub const PROPERTY_DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// The id that a dead letter had.
pub const PROPERTY_DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";

/// Marks a half message.
pub const PROPERTY_TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// The producer group that a half message belongs to.
pub const PROPERTY_PRODUCER_GROUP: &str = "PGROUP";
/// The id of a transaction (not reserved).
pub const PROPERTY_TRANSACTION_ID: &str = "__transactionId__";
/// How many times the broker has checked a transaction (not reserved).
pub const PROPERTY_TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// For how many seconds the broker does not ask (not reserved).
pub const PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// The queue offset of a half message (not reserved).
pub const PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";

/// The delay before delivery, in seconds.
pub const PROPERTY_TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// The delay before delivery, in milliseconds.
pub const PROPERTY_TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// The time of delivery, in milliseconds since the epoch.
pub const PROPERTY_TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// The time at which the broker's timer is due.
pub const PROPERTY_TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// When the broker put the message into its timer.
pub const PROPERTY_TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";
/// When the broker took the message out of its timer.
pub const PROPERTY_TIMER_DEQUEUE_MS: &str = "TIMER_DEQUEUE_MS";
/// How many times a long timer was put back.
pub const PROPERTY_TIMER_ROLL_TIMES: &str = "TIMER_ROLL_TIMES";
/// The unique id of the timer message that is to be recalled.
pub const PROPERTY_TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// The delay level that a timer stands for (not reserved).
pub const PROPERTY_TIMER_DELAY_LEVEL: &str = "TIMER_DELAY_LEVEL";

/// Matches a reply to its request.
pub const PROPERTY_CORRELATION_ID: &str = "CORRELATION_ID";
/// The client that a reply goes to.
pub const PROPERTY_MESSAGE_REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// How long a request waits for its reply, milliseconds.
pub const PROPERTY_MESSAGE_TTL: &str = "TTL";
/// When a reply reached its client.
pub const PROPERTY_REPLY_MESSAGE_ARRIVE_TIME: &str = "ARRIVE_TIME";
/// When the broker pushed a reply.
pub const PROPERTY_PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// The cluster that stored the message.
pub const PROPERTY_CLUSTER: &str = "CLUSTER";
/// `reply` for replies.
pub const PROPERTY_MESSAGE_TYPE: &str = "MSG_TYPE";

/// The first offset of the queue, filled in by a consumer.
pub const PROPERTY_MIN_OFFSET: &str = "MIN_OFFSET";
/// The end of the queue, filled in by a consumer.
pub const PROPERTY_MAX_OFFSET: &str = "MAX_OFFSET";

/// The receipt of a popped message.
pub const PROPERTY_POP_CK: &str = "POP_CK";
/// The queue offset that a receipt belongs to.
pub const PROPERTY_POP_CK_OFFSET: &str = "POP_CK_OFFSET";
/// When the message was popped for the first time.
pub const PROPERTY_FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// The group whose message comes again after a pop.
pub const PROPERTY_ORIGIN_GROUP: &str = "ORIGIN_GROUP";

/// How many messages an inner batch holds (not reserved).
pub const PROPERTY_INNER_NUM: &str = "INNER_NUM";
/// The queue offset of an inner batch's first message (not reserved).
pub const PROPERTY_INNER_BASE: &str = "INNER_BASE";
/// The light queues that a message is also dispatched to (not reserved).
pub const PROPERTY_INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// The offsets of a message in its light queues.
pub const PROPERTY_INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";

/// How urgent the message is; the broker chooses the queue by it (5.4).
pub const PROPERTY_PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// The light topic that the message belongs to (5.4).
pub const PROPERTY_LITE_TOPIC: &str = "__LITE_TOPIC";

/// The region of the broker.
pub const PROPERTY_MSG_REGION: &str = "MSG_REGION";
/// Whether the message is traced.
pub const PROPERTY_TRACE_SWITCH: &str = "TRACE_ON";
/// A caller's trace context (not reserved).
pub const PROPERTY_TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// The host that sent the message first.
pub const PROPERTY_BORN_HOST: &str = "__BORNHOST";
/// When the message was sent first.
pub const PROPERTY_BORN_TIMESTAMP: &str = "BORN_TIMESTAMP";
/// Left over from older versions.
pub const PROPERTY_TRANSFER_FLAG: &str = "TRANSFER_FLAG";
/// Left over from older versions.
pub const PROPERTY_CORRECTION_FLAG: &str = "CORRECTION_FLAG";
/// Left over from older versions.
pub const PROPERTY_MQ2_FLAG: &str = "MQ2_FLAG";
/// Whether the message was redirected (not reserved).
pub const PROPERTY_REDIRECT: &str = "REDIRECT";
/// The queue that a message was forwarded to (not reserved).
pub const PROPERTY_FORWARD_QUEUE_ID: &str = "PROPERTY_FORWARD_QUEUE_ID";
/// The checksum of the properties, which the broker may append.
pub const PROPERTY_CRC32: &str = "__CRC32#";
/// The start of names that are for the broker only (not reserved).
pub const PROPERTY_TRANSIENT_PREFIX: &str = "__RMQ.TRANSIENT.";

/// Separates the keys in [`PROPERTY_KEYS`].
pub const KEY_SEPARATOR: &str = " ";

/// The names that a user cannot set (Java: `MessageConst.STRING_HASH_SET`).
pub const RESERVED: [&str; 46] = [
    PROPERTY_TRACE_SWITCH,
    PROPERTY_MSG_REGION,
    PROPERTY_KEYS,
    PROPERTY_TAGS,
    PROPERTY_WAIT_STORE_MSG_OK,
    PROPERTY_DELAY_TIME_LEVEL,
    PROPERTY_RETRY_TOPIC,
    PROPERTY_REAL_TOPIC,
    PROPERTY_REAL_QUEUE_ID,
    PROPERTY_TRANSACTION_PREPARED,
    PROPERTY_PRODUCER_GROUP,
    PROPERTY_MIN_OFFSET,
    PROPERTY_MAX_OFFSET,
    PROPERTY_BUYER_ID,
    PROPERTY_ORIGIN_MESSAGE_ID,
    PROPERTY_TRANSFER_FLAG,
    PROPERTY_CORRECTION_FLAG,
    PROPERTY_MQ2_FLAG,
    PROPERTY_RECONSUME_TIME,
    PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX,
    PROPERTY_MAX_RECONSUME_TIMES,
    PROPERTY_CONSUME_START_TIMESTAMP,
    PROPERTY_INSTANCE_ID,
    PROPERTY_CORRELATION_ID,
    PROPERTY_MESSAGE_REPLY_TO_CLIENT,
    PROPERTY_MESSAGE_TTL,
    PROPERTY_REPLY_MESSAGE_ARRIVE_TIME,
    PROPERTY_PUSH_REPLY_TIME,
    PROPERTY_CLUSTER,
    PROPERTY_MESSAGE_TYPE,
    PROPERTY_INNER_MULTI_QUEUE_OFFSET,
    PROPERTY_TIMER_DELAY_SEC,
    PROPERTY_TIMER_DELAY_MS,
    PROPERTY_TIMER_DELIVER_MS,
    PROPERTY_TIMER_ENQUEUE_MS,
    PROPERTY_TIMER_DEQUEUE_MS,
    PROPERTY_TIMER_ROLL_TIMES,
    PROPERTY_TIMER_OUT_MS,
    PROPERTY_TIMER_DEL_UNIQKEY,
    PROPERTY_BORN_HOST,
    PROPERTY_BORN_TIMESTAMP,
    PROPERTY_DLQ_ORIGIN_TOPIC,
    PROPERTY_DLQ_ORIGIN_MESSAGE_ID,
    PROPERTY_CRC32,
    PROPERTY_PRIORITY,
    PROPERTY_LITE_TOPIC,
];

/// Whether a user may not set the property of this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}
