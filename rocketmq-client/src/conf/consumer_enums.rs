use std::sync::Arc;

use rocketmq_remoting::protocol::body;
use serde::{Deserialize, Deserializer, de};

use crate::strategy::{
    AllocateMessageQueueAveragely, AllocateMessageQueueAveragelyByCircle, AllocateMessageQueueConsistentHash,
    AllocateMessageQueueStrategy,
};

/// Whether the members of a group share the messages. Java: `MessageModel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageModel {
    /// Each message goes to one member; the brokers keep the offsets.
    #[default]
    Clustering,
    /// Each member gets each message; it keeps its offsets in a file of its own.
    Broadcasting,
}

/// Where a group starts in a queue of which it has no offset. Java: `ConsumeFromWhere`.
///
/// A group that is known to the topic reads a queue that was added later from its first message, in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeFromWhere {
    /// Behind the last message. A broker says 0 for a queue that is young enough to be in memory as a whole: such a queue
    /// is read from its first message.
    #[default]
    #[serde(alias = "CONSUME_FROM_LAST_OFFSET")]
    Last,
    /// Behind the last message, of a young queue, too: the broker's 0 is not taken for the end.
    LastExactly,
    /// At the first message that the broker still has.
    #[serde(alias = "CONSUME_FROM_FIRST_OFFSET")]
    First,
    /// At the first message that was stored at `consume_timestamp` or later.
    #[serde(alias = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
}

/// What becomes of a stored message that cannot be decoded: a wrong checksum, a body that does not inflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Undecodable {
    /// It goes to the group's dead letter topic: the body is the whole record as it is stored. `DLQ_REASON` says why it cannot
    /// be read, `DLQ_ORIGIN_TOPIC`, `DLQ_ORIGIN_BROKER`, `DLQ_ORIGIN_QUEUE_ID` and `DLQ_ORIGIN_QUEUE_OFFSET` where it is. An
    /// event tells of it, and its offset counts as consumed once a broker has the dead letter.
    DeadLetter,
    /// An event tells of it, and it counts as consumed.
    Skip,
}

impl MessageModel {
    /// As heartbeats name it.
    pub(crate) fn wire(self) -> body::MessageModel {
        match self {
            MessageModel::Clustering => body::MessageModel::Clustering,
            MessageModel::Broadcasting => body::MessageModel::Broadcasting,
        }
    }
}

impl ConsumeFromWhere {
    /// As heartbeats name it.
    pub(crate) fn wire(self) -> body::ConsumeFromWhere {
        match self {
            ConsumeFromWhere::Last | ConsumeFromWhere::LastExactly => body::ConsumeFromWhere::LastOffset,
            ConsumeFromWhere::First => body::ConsumeFromWhere::FirstOffset,
            ConsumeFromWhere::Timestamp => body::ConsumeFromWhere::Timestamp,
        }
    }
}

/// How queues are shared among the members of a group. Configuration files name the strategies that need no settings.
#[derive(Debug, Clone)]
pub(crate) struct Strategy(Arc<dyn AllocateMessageQueueStrategy>);

impl Strategy {
    pub(super) fn new(strategy: impl AllocateMessageQueueStrategy + 'static) -> Self {
        Self(Arc::new(strategy))
    }

    pub(super) fn get(&self) -> &Arc<dyn AllocateMessageQueueStrategy> {
        &self.0
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self::new(AllocateMessageQueueAveragely)
    }
}

impl<'de> Deserialize<'de> for Strategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "AVG" => Ok(Self::default()),
            "AVG_BY_CIRCLE" => Ok(Self::new(AllocateMessageQueueAveragelyByCircle)),
            "CONSISTENT_HASH" => Ok(Self::new(AllocateMessageQueueConsistentHash::default())),
            other => Err(de::Error::unknown_variant(other, &["AVG", "AVG_BY_CIRCLE", "CONSISTENT_HASH"])),
        }
    }
}
