//! Offsets and state that brokers and consumers tell each other.

use super::object_keys;
use super::open_enum::open_enum;
use super::{ConsumeType, SubscriptionData};
use rocketmq_common::MessageQueue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// New offsets of a group. Java `ResetOffsetBody`; the body of `RESET_CONSUMER_CLIENT_OFFSET` 220, the
/// answer to `INVOKE_BROKER_TO_RESET_OFFSET` 222.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBody {
    /// Offsets by queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, i64>,
}

/// New offsets of a group for clients that cannot read objects as keys. Java `ResetOffsetBodyForC`; brokers before 5.x
/// send it to an admin client that announces C++ as its language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBodyForC {
    /// The queues.
    pub offset_table: Vec<MessageQueueForC>,
}

/// A queue with an offset. Java `MessageQueueForC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueForC {
    /// The broker's name.
    pub broker_name: String,
    /// The offset.
    pub offset: i64,
    /// The queue.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// Offsets that consumers hold. Java `GetConsumerStatusBody`; the answer to
/// `GET_CONSUMER_STATUS_FROM_CLIENT` 221 and 223.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerStatusBody {
    /// From a broker: offsets by queue, by client id. The inner maps are raw JSON.
    pub consumer_table: BTreeMap<String, serde_json::Value>,
    /// From a consumer: offsets by queue.
    #[serde(with = "object_keys")]
    pub message_queue_table: BTreeMap<MessageQueue, i64>,
}

/// The state of a consumer. Java `ConsumerRunningInfo`; the answer to `GET_CONSUMER_RUNNING_INFO` 307.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerRunningInfo {
    /// The stacks of its threads, if the request asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jstack: Option<String>,
    /// Queues that the consumer pops from (5.0).
    #[serde(with = "object_keys")]
    pub mq_pop_table: BTreeMap<MessageQueue, PopProcessQueueInfo>,
    /// Queues that the consumer pulls from.
    #[serde(with = "object_keys")]
    pub mq_table: BTreeMap<MessageQueue, ProcessQueueInfo>,
    /// Settings by name; see [`ConsumerRunningInfo::PROP_CONSUME_TYPE`] and the constants beside it.
    pub properties: BTreeMap<String, String>,
    /// Rates by topic.
    pub status_table: BTreeMap<String, ConsumeStatus>,
    /// The consumer's subscriptions.
    pub subscription_set: Vec<SubscriptionData>,
    /// Entries that the application adds.
    pub user_consumer_info: BTreeMap<String, String>,
}

impl ConsumerRunningInfo {
    /// Key of the NameServer addresses.
    pub const PROP_NAMESERVER_ADDR: &str = "PROP_NAMESERVER_ADDR";
    /// Key of a [`ConsumeType`].
    pub const PROP_CONSUME_TYPE: &str = "PROP_CONSUME_TYPE";
    /// Key of the client's version by name, such as `V5_5_0`.
    pub const PROP_CLIENT_VERSION: &str = "PROP_CLIENT_VERSION";
    /// Key of the number of listeners that run at a time.
    pub const PROP_THREADPOOL_CORE_SIZE: &str = "PROP_THREADPOOL_CORE_SIZE";
    /// Key of `true` for an orderly consumer.
    pub const PROP_CONSUMEORDERLY: &str = "PROP_CONSUMEORDERLY";
    /// Key of the start time, in milliseconds since 1970.
    pub const PROP_CONSUMER_START_TIMESTAMP: &str = "PROP_CONSUMER_START_TIMESTAMP";

    /// How the consumer gets its messages, according to its settings.
    #[must_use]
    pub fn consume_type(&self) -> Option<ConsumeType> {
        self.properties.get(Self::PROP_CONSUME_TYPE).map(|name| ConsumeType::from(name.as_str()))
    }
}

/// A queue that a consumer pulls from. Java `ProcessQueueInfo`. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessQueueInfo {
    /// How many messages the consumer holds.
    pub cached_msg_count: i32,
    /// The last offset of the held messages.
    pub cached_msg_max_offset: i64,
    /// The first offset of the held messages.
    pub cached_msg_min_offset: i64,
    /// Size of the held messages in MiB.
    #[serde(rename = "cachedMsgSizeInMiB")]
    pub cached_msg_size_in_mib: i32,
    /// The committed offset.
    pub commit_offset: i64,
    /// Whether the consumer gave the queue up. The wire name has this spelling.
    #[serde(rename = "droped")]
    pub dropped: bool,
    /// When a message of the queue was last processed.
    pub last_consume_timestamp: i64,
    /// When the queue was last locked.
    pub last_lock_timestamp: i64,
    /// When the queue was last pulled.
    pub last_pull_timestamp: i64,
    /// Whether the queue is locked for orderly consumption.
    pub locked: bool,
    /// How many messages are being processed in order.
    pub transaction_msg_count: i32,
    /// The last offset of the messages being processed in order.
    pub transaction_msg_max_offset: i64,
    /// The first offset of the messages being processed in order.
    pub transaction_msg_min_offset: i64,
    /// How often unlocking was tried.
    pub try_unlock_times: i64,
}

/// A queue that a consumer pops from. Java `PopProcessQueueInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PopProcessQueueInfo {
    /// Whether the consumer gave the queue up. The wire name has this spelling.
    #[serde(rename = "droped")]
    pub dropped: bool,
    /// When the queue was last popped, in milliseconds since 1970.
    pub last_pop_timestamp: i64,
    /// How many messages are not yet acknowledged.
    pub wait_ack_count: i32,
}

/// Rates of a consumer in one topic. Java `ConsumeStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumeStatus {
    /// Messages that failed over the last hour.
    #[serde(rename = "consumeFailedMsgs")]
    pub consume_failed_msgs: i64,
    /// Messages per second that failed.
    #[serde(rename = "consumeFailedTPS")]
    pub consume_failed_tps: f64,
    /// Messages per second that succeeded.
    #[serde(rename = "consumeOKTPS")]
    pub consume_ok_tps: f64,
    /// Milliseconds that a listener takes.
    #[serde(rename = "consumeRT")]
    pub consume_rt: f64,
    /// Milliseconds that a pull takes.
    #[serde(rename = "pullRT")]
    pub pull_rt: f64,
    /// Messages per second that were pulled.
    #[serde(rename = "pullTPS")]
    pub pull_tps: f64,
}

open_enum! {
    /// The outcome of a message that was consumed on request. Java `CMResult`.
    pub enum CMResult {
        /// Consumed.
        #[default]
        Success = "CR_SUCCESS",
        /// To be consumed later.
        Later = "CR_LATER",
        /// Rolled back.
        Rollback = "CR_ROLLBACK",
        /// Committed.
        Commit = "CR_COMMIT",
        /// The listener failed.
        ThrowException = "CR_THROW_EXCEPTION",
        /// The listener gave no result.
        ReturnNull = "CR_RETURN_NULL",
    }
}

/// A message that was consumed on request. Java `ConsumeMessageDirectlyResult`; the answer to
/// `CONSUME_MESSAGE_DIRECTLY` 309.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeMessageDirectlyResult {
    /// Whether an orderly listener commits by itself.
    pub auto_commit: bool,
    /// The outcome.
    pub consume_result: CMResult,
    /// Whether the consumer is orderly.
    pub order: bool,
    /// The listener's error, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// How long the listener took, in milliseconds. The wire name has this spelling.
    pub spent_time_mills: i64,
}
