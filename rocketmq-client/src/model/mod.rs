//! Messages, the results of sends, and queues.
//!
//! - messages: [`Message`], [`MessageBatch`], [`MessageExt`] (a stored message), [`MessageProperties`]
//! - results: [`SendResult`], [`SendStatus`], [`RecallResult`]
//! - places and ids: [`MessageQueue`], [`OffsetMsgId`], [`UniqueIdParts`]
//! - names: [`message_const`] (properties), [`mix_all`] (topics), [`namespace`], [`validators`]

use std::borrow::Cow;
use std::fmt;

pub use bytes::Bytes;
pub use rocketmq_common::message_ext::RecordHeader;
pub use rocketmq_common::sysflag::TransactionType;
pub use rocketmq_common::unique_id::UniqueIdParts;
pub use rocketmq_common::{
    CompressionType, Message, MessageBatch, MessageExt, MessageProperties, MessageQueue, MessageSysFlag,
    OffsetMsgId, message_const, mix_all, namespace, validators,
};

/// How safely a message was stored. Each status means that it is stored: a weaker status is no error.
///
/// ```
/// use rocketmq_client::model::SendStatus;
///
/// assert_eq!(SendStatus::FlushDiskTimeout.to_string(), "FLUSH_DISK_TIMEOUT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendStatus {
    /// Stored in full, as the broker is configured.
    SendOk,
    /// Stored in memory, but not flushed to disk in time (code 10; brokers that flush synchronously).
    FlushDiskTimeout,
    /// Stored on the master, but not replicated in time (code 12; `SYNC_MASTER` brokers).
    FlushSlaveTimeout,
    /// Stored on the master, but there was no slave to replicate to (code 11; `SYNC_MASTER` brokers).
    SlaveNotAvailable,
}

impl fmt::Display for SendStatus {
    /// Java's names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendStatus::SendOk => "SEND_OK",
            SendStatus::FlushDiskTimeout => "FLUSH_DISK_TIMEOUT",
            SendStatus::FlushSlaveTimeout => "FLUSH_SLAVE_TIMEOUT",
            SendStatus::SlaveNotAvailable => "SLAVE_NOT_AVAILABLE",
        })
    }
}

/// The place of a stored message, and how safely it is stored. Java: `SendResult`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # use rocketmq_client::{model::Message, producer::Producer};
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// use rocketmq_client::model::SendStatus;
///
/// let sent = producer.send(Message::new("TopicTest", "hello")).await?;
/// assert_eq!((sent.send_status, sent.queue_offset), (SendStatus::SendOk, 0));
/// assert_eq!(sent.message_queue.topic(), "TopicTest");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendResult {
    /// How safely it is stored.
    pub send_status: SendStatus,
    /// The id that the client gave it (`UNIQ_KEY`), equal in all attempts and redeliveries. The time in it is that of the
    /// zone UTC−12, where Java's client takes the local zone.
    pub msg_id: String,
    /// The id that the broker gave it: the broker's address and the position in its commit log, in hexadecimal.
    pub offset_msg_id: String,
    /// The queue that holds the message.
    pub message_queue: MessageQueue,
    /// The position in the queue, from 0. For a delayed message the position in the internal queue where it waits.
    pub queue_offset: i64,
    /// The transaction id; brokers of 5.x send the `UNIQ_KEY` for every message.
    pub transaction_id: Option<String>,
    /// The handle for [`recall`](crate::producer::Producer::recall), which cancels a timer message before it is
    /// delivered (brokers of 5.3.1 and later).
    pub recall_handle: Option<String>,
    /// The broker's region.
    pub region_id: Option<Cow<'static, str>>,
    /// Whether the broker asks for a trace of this message.
    pub trace_on: bool,
}

/// The result of a recall. Java: the id that `recallMessage` returns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecallResult {
    /// The id that the client gave the message (`UNIQ_KEY`).
    pub msg_id: String,
}
