use std::future::Future;
use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::header::BoundaryType;
use tokio::time::Instant;

use super::answers::fan_out;
use super::{Answers, MQAdmin};
use crate::error::MQClientError;

/// Offsets of one queue, or of all readable queues of a topic. They are read from the queue's master, or from a slave
/// if there is no master. Brokers do not say whether a queue exists: they answer 0 for a missing queue.
impl MQAdmin {
    /// The offset that the next message of a queue will get. Request codes 105 and 30; Java:
    /// `MQAdmin.maxOffset`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// assert_eq!(admin.max_offset(&sent.message_queue).await?, sent.queue_offset + 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `BrokerNotFound` if the topic has no route to this broker; `NameServerUnreachable`; `Broker` if it refuses;
    /// `Remoting` if it does not answer in time.
    pub async fn max_offset(&self, queue: &MessageQueue) -> Result<i64, MQClientError> {
        self.max_offset_at(&self.read_address(queue).await?, queue).await
    }

    /// The offsets that the next messages of all queues will get; see [`max_offset`](Self::max_offset).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let offsets = admin.max_offsets("TopicTest").await?;
    /// assert!(offsets.is_complete());
    /// assert_eq!(offsets.done.iter().map(|(_, offset)| offset).sum::<i64>(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`route`](Self::route); `FanOut` if no queue could be read.
    pub async fn max_offsets(&self, topic: &str) -> Result<Answers<MessageQueue, i64>, MQClientError> {
        self.each_queue(topic, async |address, queue| self.max_offset_at(&address, &queue).await).await
    }

    /// The offset of the first message that a queue still has; the maximum offset if it has none. Request codes
    /// 105 and 31; Java: `MQAdmin.minOffset`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// assert_eq!(admin.min_offset(&sent.message_queue).await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`max_offset`](Self::max_offset).
    pub async fn min_offset(&self, queue: &MessageQueue) -> Result<i64, MQClientError> {
        self.asking()?.min_offset(&self.read_address(queue).await?, queue).await
    }

    /// The offsets of the first messages that the queues still have; see [`min_offset`](Self::min_offset).
    ///
    /// # Errors
    /// The errors of [`max_offsets`](Self::max_offsets).
    pub async fn min_offsets(&self, topic: &str) -> Result<Answers<MessageQueue, i64>, MQClientError> {
        let api = self.asking()?;
        self.each_queue(topic, async |address, queue| api.min_offset(&address, &queue).await).await
    }

    /// The store time of the first message that a queue still has, in milliseconds since 1970; `None` for an empty
    /// queue. Request codes 105 and 32; Java: `MQAdmin.earliestMsgStoreTime`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let stored = admin.earliest_store_time(&sent.message_queue).await?;
    /// assert!(stored.is_some_and(|millis| millis > 1_500_000_000_000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`max_offset`](Self::max_offset).
    pub async fn earliest_store_time(&self, queue: &MessageQueue) -> Result<Option<i64>, MQClientError> {
        self.asking()?.earliest_store_time(&self.read_address(queue).await?, queue).await
    }

    /// The store times of the first messages that the queues still have; see
    /// [`earliest_store_time`](Self::earliest_store_time).
    ///
    /// # Errors
    /// The errors of [`max_offsets`](Self::max_offsets).
    pub async fn earliest_store_times(
        &self,
        topic: &str,
    ) -> Result<Answers<MessageQueue, Option<i64>>, MQClientError> {
        let api = self.asking()?;
        self.each_queue(topic, async |address, queue| api.earliest_store_time(&address, &queue).await).await
    }

    /// The offset of a queue at a store time, in milliseconds since 1970. `Lower`: the offset of the first message
    /// stored at or after the time, or the maximum offset if there is none. `Upper`: the offset of the last message
    /// stored at or before the time, or the minimum offset if there is none; brokers before 5.1 treat it like `Lower`.
    /// Request codes
    /// 105 and 29; Java: `MQAdmin.searchOffset`, `searchLowerBoundaryOffset`, `searchUpperBoundaryOffset`. Dropping the
    /// future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let queue = &sent.message_queue;
    /// assert_eq!(admin.search_offset(queue, 0, BoundaryType::Lower).await?, 0, "all messages are later");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`max_offset`](Self::max_offset).
    pub async fn search_offset(
        &self,
        queue: &MessageQueue,
        timestamp: i64,
        boundary: BoundaryType,
    ) -> Result<i64, MQClientError> {
        let address = self.read_address(queue).await?;
        self.asking()?.search_offset(&address, queue, timestamp, boundary).await
    }

    /// The offsets of all queues at a store time; see [`search_offset`](Self::search_offset).
    ///
    /// # Errors
    /// The errors of [`max_offsets`](Self::max_offsets).
    pub async fn search_offsets(
        &self,
        topic: &str,
        timestamp: i64,
        boundary: BoundaryType,
    ) -> Result<Answers<MessageQueue, i64>, MQClientError> {
        let api = self.asking()?;
        self.each_queue(topic, async |address, queue| {
            api.search_offset(&address, &queue, timestamp, boundary).await
        })
        .await
    }

    /// The committed offset of a consumer group in a queue: the group continues there after a restart. `None` if it has
    /// committed none, or does not exist. Request codes 105 and 14 (with `setZeroIfNotFound=false`);
    /// Java: `OffsetStore.readOffset`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let committed = admin.consumer_offset("billing", &sent.message_queue).await?;
    /// assert_eq!(committed, None, "the group has committed nothing");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`max_offset`](Self::max_offset). A broker that does not answer is an error, never `None`.
    pub async fn consumer_offset(
        &self,
        group: &str,
        queue: &MessageQueue,
    ) -> Result<Option<i64>, MQClientError> {
        self.asking()?.consumer_offset(&self.read_address(queue).await?, group, queue).await
    }

    /// The committed offsets of a consumer group in all queues of a topic; see
    /// [`consumer_offset`](Self::consumer_offset).
    ///
    /// # Errors
    /// The errors of [`max_offsets`](Self::max_offsets).
    pub async fn consumer_offsets(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<Answers<MessageQueue, Option<i64>>, MQClientError> {
        let api = self.asking()?;
        self.each_queue(topic, async |address, queue| api.consumer_offset(&address, group, &queue).await)
            .await
    }

    async fn max_offset_at(&self, address: &str, queue: &MessageQueue) -> Result<i64, MQClientError> {
        self.asking()?.max_offset(address, queue).await
    }

    /// The address from which to read a queue.
    pub(super) async fn read_address(&self, queue: &MessageQueue) -> Result<Arc<str>, MQClientError> {
        let deadline = Instant::now() + self.instance()?.api().timeout();
        self.instance()?.read_address(queue.topic(), queue.broker_name(), deadline).await
    }

    /// Reads each readable queue of a topic, from its broker.
    async fn each_queue<T, F>(
        &self,
        topic: &str,
        ask: impl Fn(Arc<str>, MessageQueue) -> F,
    ) -> Result<Answers<MessageQueue, T>, MQClientError>
    where
        F: Future<Output = Result<T, MQClientError>>,
    {
        let info = self.subscribe_info(topic).await?;
        let (info, ask) = (&info, &ask);
        fan_out(info.queues().to_vec(), |queue| async move {
            let Some(address) = info.reader(queue.broker_name()) else {
                return Err(MQClientError::NoMaster { broker: queue.shared_broker_name().clone() });
            };
            ask(address.clone(), queue).await
        })
        .await
        .any()
    }
}
