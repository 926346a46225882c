//! Acknowledgements of popped messages, many in one request.

use super::AckBits;
use serde::{Deserialize, Serialize};

/// Acknowledged messages of one broker. Java `BatchAckMessageRequestBody`; the body of `BATCH_ACK_MESSAGE` 200151
/// (5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchAckMessageRequestBody {
    /// The acknowledged messages, per pop.
    pub acks: Vec<BatchAck>,
    /// The broker's name.
    pub broker_name: String,
}

/// Acknowledged messages of one pop from one queue. Java `BatchAck`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchAck {
    /// The messages: offset in the queue minus `start_offset`.
    #[serde(rename = "b", alias = "bitSet")]
    pub bit_set: AckBits,
    /// The consumer group.
    #[serde(rename = "c", alias = "consumerGroup")]
    pub consumer_group: String,
    /// How long the messages were hidden, in milliseconds.
    #[serde(rename = "it", alias = "invisibleTime")]
    pub invisible_time: i64,
    /// When the messages were popped, in milliseconds since 1970.
    #[serde(rename = "pt", alias = "popTime")]
    pub pop_time: i64,
    /// The queue.
    #[serde(rename = "q", alias = "queueId")]
    pub queue_id: i32,
    /// `0` the topic itself, `1` and `2` its retry topics.
    #[serde(rename = "r", alias = "retry")]
    pub retry: String,
    /// The queue of the broker's pop records.
    #[serde(rename = "rq", alias = "reviveQueueId")]
    pub revive_queue_id: i32,
    /// The first offset of the pop.
    #[serde(rename = "so", alias = "startOffset")]
    pub start_offset: i64,
    /// The topic.
    #[serde(rename = "t", alias = "topic")]
    pub topic: String,
}
