//! Looking into a cluster: stored messages by id, queues from an offset.

use std::sync::Arc;

use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{MessageExt, MessageQueue, OffsetMsgId, PullSysFlag, mix_all};
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;
use tokio::time::Instant;

use crate::conf::AdminOption;
use crate::error::MQClientError;
use crate::factory::{MQClientInstance, Role};

/// Reads from a cluster, as `mqadmin` does. Java: `DefaultMQAdminExt`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use rocketmq_client::{admin::MQAdmin, model::Message, producer::Producer};
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// # let sent = producer.send(Message::new("TopicTest", "hello")).await?;
/// let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
/// let message = admin.view_message(&sent.offset_msg_id).await?;
/// assert_eq!(&message.body()[..], b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MQAdmin {
    instance: MQClientInstance,
}

/// What a pull found. Java: `PullStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PullStatus {
    /// Messages.
    Found,
    /// The offset is the end of the queue: nothing new yet.
    NoNewMessage,
    /// Nothing that matches the filter up to `next_begin_offset`.
    NoMatchedMessage,
    /// The offset is outside the queue; `next_begin_offset` is the nearest inside.
    OffsetIllegal,
}

/// The outcome of one pull. Java: `PullResult`.
#[derive(Debug)]
#[non_exhaustive]
pub struct PullResult {
    /// What was found.
    pub status: PullStatus,
    /// Where to pull next.
    pub next_begin_offset: i64,
    /// The first offset that the queue still has.
    pub min_offset: i64,
    /// The offset that the next message will get.
    pub max_offset: i64,
    /// The messages, in order. A record that cannot be read is an error in its place and costs no neighbour.
    pub messages: Vec<Result<MessageExt, RecordError>>,
}

impl MQAdmin {
    /// An admin of the cluster behind these NameServers (`host:port;host:port`), with the defaults otherwise.
    /// Dropping it closes its connections.
    ///
    /// # Errors
    /// `InvalidOption`, `NameServerUnreachable` or `NoRuntime`.
    pub async fn connect(name_server_addr: impl Into<String>) -> Result<Self, MQClientError> {
        let mut option = AdminOption::default();
        option.set_name_server_addr(name_server_addr);
        Self::with_option(&option).await
    }

    /// An admin with these options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with_option(option: &AdminOption) -> Result<Self, MQClientError> {
        let instance = MQClientInstance::start(option.client_config()?, Role::default()).await?;
        Ok(Self { instance })
    }

    /// One stored message by its offset message id: the request goes to the broker whose address the id holds
    /// (request code 33). Java: `MQAdminExt.viewMessage`.
    ///
    /// # Errors
    /// `InvalidArgument` when the text is no offset message id (a `UNIQ_KEY` is none); `Broker` with code 1
    /// when nothing is stored there; `Remoting` when that broker cannot be reached.
    pub async fn view_message(&self, offset_msg_id: &str) -> Result<MessageExt, MQClientError> {
        let id = OffsetMsgId::parse(offset_msg_id).map_err(|source| MQClientError::InvalidArgument {
            argument: "offset message id",
            source: Box::new(source),
        })?;
        let address = id.store_host.to_string();
        let body = self.instance.api().view_message(&address, id.commit_log_offset).await?;
        let bad_answer = |source: Box<dyn std::error::Error + Send + Sync>| MQClientError::BadAnswer {
            peer: Arc::from(address.as_str()),
            source,
            report: Box::default(),
        };
        match RecordDecoder::new(body).next() {
            Some(record) => record.map_err(|error| bad_answer(Box::new(error))),
            None => Err(bad_answer("the answer has no message".into())),
        }
    }

    /// Up to `max` messages (a broker gives 32 at most) of one queue from an offset on, without waiting for new
    /// ones (request code 11).
    ///
    /// # Errors
    /// `BrokerNotFound` when the topic has no such broker; `Broker` when it refuses.
    pub async fn pull(
        &self,
        queue: &MessageQueue,
        offset: i64,
        max: u32,
    ) -> Result<PullResult, MQClientError> {
        let deadline = Instant::now() + self.instance.api().timeout();
        let address = self.instance.read_address(queue.topic(), queue.broker_name(), deadline).await?;
        let header = PullMessageRequestHeader {
            consumer_group: mix_all::TOOLS_CONSUMER_GROUP.into(),
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            queue_offset: offset,
            max_msg_nums: i32::try_from(max).unwrap_or(i32::MAX),
            sys_flag: PullSysFlag::SUBSCRIPTION.bits(),
            subscription: Some("*".into()),
            expression_type: Some("TAG".into()),
            broker_name: Some(queue.broker_name().into()),
            ..PullMessageRequestHeader::default()
        };
        let (code, reply) = self.instance.api().pull_message(&address, &header).await?;
        let status = match code {
            ResponseCode::PULL_NOT_FOUND => PullStatus::NoNewMessage,
            ResponseCode::PULL_RETRY_IMMEDIATELY => PullStatus::NoMatchedMessage,
            ResponseCode::PULL_OFFSET_MOVED => PullStatus::OffsetIllegal,
            _ => PullStatus::Found,
        };
        let broker = queue.shared_broker_name();
        let messages = RecordDecoder::new(reply.body)
            .map(|record| {
                record.map(|mut message| {
                    message.set_broker_name(broker.clone());
                    message
                })
            })
            .collect();
        Ok(PullResult {
            status,
            next_begin_offset: reply.header.next_begin_offset,
            min_offset: reply.header.min_offset,
            max_offset: reply.header.max_offset,
            messages,
        })
    }
}
