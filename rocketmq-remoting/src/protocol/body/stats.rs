//! Offsets of topics and progress of groups.

use super::object_keys;
use rocketmq_common::MessageQueue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The queues of a topic. Java `TopicStatsTable`; the answer to `GET_TOPIC_STATS_INFO` 202.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// Offsets by queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, TopicOffset>,
    /// Messages stored per second, lately.
    pub topic_put_tps: f64,
}

/// The offsets of a queue. Java `TopicOffset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// When the last message was stored, in milliseconds since 1970; 0 for an empty queue.
    pub last_update_timestamp: i64,
    /// The offset behind the last message.
    pub max_offset: i64,
    /// The offset of the first message that still exists.
    pub min_offset: i64,
}

/// The progress of a group. Java `ConsumeStats`; the answer to `GET_CONSUME_STATS` 208.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages delivered per second, lately.
    pub consume_tps: f64,
    /// Offsets by queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, OffsetWrapper>,
}

/// The progress of a group in one queue. Java `OffsetWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OffsetWrapper {
    /// The offset behind the last message of the queue.
    pub broker_offset: i64,
    /// The committed offset.
    pub consumer_offset: i64,
    /// When the message before the committed offset was stored, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// The offset of the last pull.
    pub pull_offset: i64,
}
