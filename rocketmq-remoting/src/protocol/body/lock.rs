//! Locks of queues, for orderly consumers.

use rocketmq_common::MessageQueue;
use serde::{Deserialize, Serialize};

/// The queues to lock for a client. Java `LockBatchRequestBody`; the body of `LOCK_BATCH_MQ` 41.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBatchRequestBody {
    /// The client's id.
    pub client_id: String,
    /// The consumer group.
    pub consumer_group: String,
    /// The queues.
    pub mq_set: Vec<MessageQueue>,
    /// Whether this broker alone decides; otherwise several brokers must agree (5.0).
    pub only_this_broker: bool,
}

/// The queues that the client now has locked; other clients hold the rest. Java `LockBatchResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockBatchResponseBody {
    /// The queues.
    #[serde(rename = "lockOKMQSet")]
    pub lock_ok_mq_set: Vec<MessageQueue>,
}

/// The queues to release. Java `UnlockBatchRequestBody`; the body of `UNLOCK_BATCH_MQ` 42.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnlockBatchRequestBody {
    /// The client's id.
    pub client_id: String,
    /// The consumer group.
    pub consumer_group: String,
    /// The queues.
    pub mq_set: Vec<MessageQueue>,
    /// Whether only this broker is told; otherwise it tells its replicas too (5.0).
    pub only_this_broker: bool,
}
