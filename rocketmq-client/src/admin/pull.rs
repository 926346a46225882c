use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{MessageExt, MessageQueue, PullSysFlag, mix_all};
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;
use tokio::time::Instant;

use super::MQAdmin;
use crate::error::MQClientError;

/// The status of a pull. Java: `PullStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PullStatus {
    /// Messages.
    Found,
    /// The offset is the end of the queue: nothing new yet.
    NoNewMessage,
    /// No matching message up to `next_begin_offset`.
    NoMatchedMessage,
    /// The offset is outside the queue; `next_begin_offset` is the nearest inside.
    OffsetIllegal,
}

/// The result of a pull. Java: `PullResult`.
#[derive(Debug)]
#[non_exhaustive]
pub struct PullResult {
    /// The status.
    pub status: PullStatus,
    /// The offset of the next pull.
    pub next_begin_offset: i64,
    /// The first offset that the queue still has.
    pub min_offset: i64,
    /// The offset that the next message will get.
    pub max_offset: i64,
    /// The messages, in order. An unreadable record is an error in its place; its neighbours are still read.
    pub messages: Vec<Result<MessageExt, RecordError>>,
}

impl MQAdmin {
    /// Up to `max` messages of one queue from an offset on, without waiting for new ones; a broker returns 32 at most.
    /// Request codes 105 and 11; Java: `MQPullConsumer.pull`. Commits nothing; dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let pulled = admin.pull(&sent.message_queue, 0, 32).await?;
    /// for record in pulled.messages {
    ///     println!("{:?}", record?.body());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `BrokerNotFound` if the topic has no route to this broker; `NameServerUnreachable`; `Broker` if it refuses;
    /// `Remoting` if it does not answer in time.
    pub async fn pull(
        &self,
        queue: &MessageQueue,
        offset: i64,
        max: u32,
    ) -> Result<PullResult, MQClientError> {
        let deadline = Instant::now() + self.instance()?.api().timeout();
        let address = self.instance()?.read_address(queue.topic(), queue.broker_name(), deadline).await?;
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
        let (code, reply) = self.asking()?.pull_message(&address, &header).await?;
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
