use std::time::Duration;

use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{MessageExt, MessageQueue, PullSysFlag, mix_all};
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::CheckClientRequestBody;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;

use super::MQAdmin;
use crate::consumer::{MessageSelector, Subscription};
use crate::error::MQClientError;

/// The most messages that a broker returns at once, by default.
pub(super) const MOST: u32 = 32;

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
        self.pull_matching(queue, "*", offset, max).await
    }

    /// Up to `max` messages of one queue that match an expression of tags or of SQL92, from an offset on; see
    /// [`pull`](Self::pull). A broker looks at some hundred messages for one answer, so that an answer without messages
    /// (`NoMatchedMessage`) does not mean that none follow. Java: `DefaultMQPullConsumer.pull` with a `subExpression` or a
    /// `MessageSelector`. For a loop over a queue see [`read_queue_matching`](Self::read_queue_matching).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_tags("paid")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let queue = &sent.message_queue;
    /// let pulled = admin.pull_matching(queue, "new || cancelled", 0, 32).await?;
    /// assert_eq!((pulled.status, pulled.next_begin_offset), (PullStatus::NoMatchedMessage, 1));
    /// assert_eq!(admin.pull_matching(queue, "paid", 0, 32).await?.messages.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption` for an expression that matches nothing; the errors of [`pull`](Self::pull). `Broker` with code 23 for
    /// SQL that the broker cannot read (asked with request 46), and with code 1 if it has `enablePropertyFilter=false`.
    pub async fn pull_matching(
        &self,
        queue: &MessageQueue,
        selector: impl Into<MessageSelector>,
        offset: i64,
        max: u32,
    ) -> Result<PullResult, MQClientError> {
        let wanted = Wanted::new(queue, &selector.into(), Duration::ZERO)?;
        let address = self.read_address(queue).await?;
        self.check_filter(&address, &wanted).await?;
        self.pull_from(&address, &wanted, offset, max).await
    }

    /// Has the broker check an SQL expression (46). It would answer a pull with an expression that it cannot read with all
    /// messages.
    pub(super) async fn check_filter(&self, address: &str, wanted: &Wanted<'_>) -> Result<(), MQClientError> {
        if !wanted.subscription.is_sql() {
            return Ok(());
        }
        let request = CheckClientRequestBody {
            client_id: self.instance()?.client_id().to_owned(),
            group: mix_all::TOOLS_CONSUMER_GROUP.to_owned(),
            namespace: None,
            subscription_data: wanted.subscription.data().clone(),
        };
        self.asking()?.check_client_config(address, &request).await
    }

    /// Pulls from one server.
    pub(super) async fn pull_from(
        &self,
        address: &str,
        wanted: &Wanted<'_>,
        offset: i64,
        max: u32,
    ) -> Result<PullResult, MQClientError> {
        let header = wanted.header(offset, max);
        let pulled = self.asking()?.pull_message(address, &header).await;
        let (code, reply) = pulled.map_err(|error| error.during("pull").of_queue(wanted.queue))?;
        let status = match code {
            ResponseCode::PULL_NOT_FOUND => PullStatus::NoNewMessage,
            ResponseCode::PULL_RETRY_IMMEDIATELY => PullStatus::NoMatchedMessage,
            ResponseCode::PULL_OFFSET_MOVED => PullStatus::OffsetIllegal,
            _ => PullStatus::Found,
        };
        let broker = wanted.queue.shared_broker_name();
        let records = RecordDecoder::new(reply.body).map(|record| {
            record.map(|mut message| {
                message.set_broker_name(broker.clone());
                message
            })
        });
        // Brokers compare hashes of tags.
        let messages = records
            .filter(|record| record.as_ref().map_or(true, |message| wanted.subscription.wants(message)));
        Ok(PullResult {
            status,
            next_begin_offset: reply.header.next_begin_offset,
            min_offset: reply.header.min_offset,
            max_offset: reply.header.max_offset,
            messages: messages.collect(),
        })
    }
}

/// The range and the filter of one pull.
pub(super) struct Wanted<'a> {
    queue: &'a MessageQueue,
    subscription: Subscription,
    /// How long the broker may hold the request while there is nothing new.
    hold: Duration,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(
        queue: &'a MessageQueue,
        selector: &MessageSelector,
        hold: Duration,
    ) -> Result<Self, MQClientError> {
        Ok(Self { queue, subscription: Subscription::new(queue.topic(), selector, 0)?, hold })
    }

    fn header(&self, offset: i64, max: u32) -> PullMessageRequestHeader {
        let (queue, data) = (self.queue, self.subscription.data());
        let flags = PullSysFlag::SUBSCRIPTION.with_if(PullSysFlag::SUSPEND, !self.hold.is_zero());
        PullMessageRequestHeader {
            consumer_group: mix_all::TOOLS_CONSUMER_GROUP.into(),
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            queue_offset: offset,
            max_msg_nums: i32::try_from(max).unwrap_or(i32::MAX),
            sys_flag: flags.bits(),
            suspend_timeout_millis: i64::try_from(self.hold.as_millis()).unwrap_or(i64::MAX),
            subscription: Some(data.sub_string.as_str().into()),
            expression_type: Some(data.expression_type.as_str().into()),
            broker_name: Some(queue.broker_name().into()),
            ..PullMessageRequestHeader::default()
        }
    }
}
