//! The public handle of a producer.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use super::default_mq_producer_impl::DefaultMQProducerImpl;
use super::send_options::SendOptions;
use super::stats::ProducerStats;
use super::transaction::DynListener;
use super::wire::Submission;
use crate::client::{ClientMember, MQClient};
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::life_cycle::ShutdownReport;
use crate::model::{Message, MessageBatch, MessageQueue, RecallResult, SendResult};
use crate::selector::MessageQueueSelector;

/// Another name of [`Producer`], for readers who come from Java.
pub type DefaultMQProducer = Producer;

/// Sends messages to the brokers of a cluster.
///
/// A producer is a handle: clones share everything, and each method takes `&self`. It runs on the tokio runtime
/// in which [`start`](Self::start) was called. Messages are delivered at least once: after an error whose
/// [`outcome`](MQClientError::outcome) is *maybe stored*, a message that is sent again may arrive twice.
#[derive(Debug, Clone)]
pub struct Producer {
    pub(super) inner: Arc<DefaultMQProducerImpl>,
}

impl Producer {
    /// A producer with these options, which `start` checks.
    ///
    /// ```
    /// # use rocketmq_client::{conf::ProducerOption, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// let mut option = ProducerOption::default();
    /// option.set_group_name("orders").set_name_server_addr(cluster.name_server_addr());
    /// let producer = Producer::new(option);
    /// producer.start().await?;
    /// # Ok(()) }
    /// ```
    pub fn new(option: ProducerOption) -> Self {
        Self { inner: Arc::new(DefaultMQProducerImpl::new(option, None)) }
    }

    /// Makes and starts a producer in one expression.
    ///
    /// ```
    /// # use rocketmq_client::producer::Producer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// let name_server = cluster.name_server_addr();
    /// let builder = Producer::builder("orders").name_server_addr(name_server);
    /// let producer = builder.option(|option| _ = option.set_send_msg_timeout(1000)).start().await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(group: impl Into<String>) -> ProducerBuilder {
        let mut option = ProducerOption::default();
        option.set_group_name(group);
        ProducerBuilder { option, client: None }
    }

    /// Checks the options, makes sure that a NameServer answers, and starts the background duties. When it
    /// fails, or its future is dropped, the producer is as before and `start` may be called again.
    ///
    /// ```
    /// # use rocketmq_client::{error::MQClientError, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let again = producer.start().await;
    /// assert!(matches!(again, Err(MQClientError::AlreadyStarted { .. })));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption`, `NameServerUnreachable`, `AlreadyStarted`, `ShutDown`, or `NoRuntime`.
    pub async fn start(&self) -> Result<(), MQClientError> {
        self.inner.start().await
    }

    /// Sends a message and waits until a broker has stored it. Tries other brokers when one fails.
    ///
    /// The message keeps one id in all attempts. Dropping the future gives up the send: the message may be stored or
    /// not.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let order = Message::new("Orders", "order 1").with_keys("1");
    /// let sent = producer.send(order).await?;
    /// println!("{} is at {} in {}", sent.msg_id, sent.queue_offset, sent.message_queue);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`MQClientError::outcome`] tells whether the message may be stored nevertheless.
    pub fn send(&self, message: Message) -> impl Future<Output = Result<SendResult, MQClientError>> + Send {
        self.inner.send(Submission::Message(message), SendOptions::new())
    }

    /// Sends a message with options of its own; see [`send`](Self::send).
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::{Producer, SendOptions}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let urgent = SendOptions::new().timeout(500).retry_times(0);
    /// producer.send_with(Message::new("Orders", "order 1"), urgent).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The errors of [`send`](Self::send).
    pub fn send_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> impl Future<Output = Result<SendResult, MQClientError>> + Send {
        self.inner.send(Submission::Message(message), options)
    }

    /// Sends a message to one queue; retries stay on it. See [`send`](Self::send).
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let queues = producer.fetch_publish_message_queues("Orders").await?;
    /// let sent = producer.send_to(Message::new("Orders", "order 1"), &queues[0]).await?;
    /// assert_eq!(sent.message_queue, queues[0]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The errors of [`send`](Self::send); `BrokerNotFound` if the topic has no such queue, `InvalidArgument` if the
    /// queue belongs to another topic.
    pub async fn send_to(&self, message: Message, queue: &MessageQueue) -> Result<SendResult, MQClientError> {
        if queue.topic() != message.topic() {
            let problem =
                format!("the message is for topic {}, the queue is of {}", message.topic(), queue.topic());
            return Err(MQClientError::argument("queue", problem));
        }
        self.send_with(message, SendOptions::new().queue(queue.clone())).await
    }

    /// Sends a message to the queue that `selector` chooses; retries stay on it. Messages that must be consumed in
    /// order go to one queue: `send_with_selector(message, SelectMessageQueueByHash, order_id)`.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer, selector::SelectMessageQueueByHash};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// for step in ["created", "paid", "shipped"] {
    ///     let message = Message::new("Orders", step);
    ///     producer.send_with_selector(message, SelectMessageQueueByHash, "order 1").await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The errors of [`send`](Self::send).
    pub async fn send_with_selector(
        &self,
        message: Message,
        selector: impl MessageQueueSelector,
        arg: impl AsRef<str>,
    ) -> Result<SendResult, MQClientError> {
        let began = Instant::now();
        let info = self.inner.publish_info(message.topic()).await?;
        let queue =
            selector.select(self.inner.queues(&info, message.topic()), &message, arg.as_ref()).clone();
        // The look-up has used a part of the send's budget.
        let left = self.inner.timeout().saturating_sub(began.elapsed()).as_millis();
        let options = SendOptions::new().queue(queue).timeout(u64::try_from(left).unwrap_or(u64::MAX));
        self.send_with(message, options).await
    }

    /// Sends several messages in one request. They go to one queue, in order; either all are stored or none. They must
    /// follow the rules of [`MessageBatch`], and their encoded size must not exceed `max_message_size`;
    /// [`MessageBatch::split`] makes smaller batches. The result's `msg_id` contains the ids of all messages, joined by
    /// commas, and its `queue_offset` is the first message's. See [`send`](Self::send).
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let orders = (1..=3).map(|order| Message::new("Orders", format!("order {order}")));
    /// let sent = producer.send_batch(orders).await?;
    /// assert_eq!(sent.msg_id.split(',').count(), 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The errors of [`send`](Self::send).
    pub async fn send_batch(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<SendResult, MQClientError> {
        let batch = MessageBatch::try_from_iter(messages).map_err(MQClientError::illegal)?;
        self.inner.check_all(&batch)?;
        self.inner.send(Submission::Batch(batch), SendOptions::new()).await
    }

    /// Sends a message and passes the outcome to a callback. Returns once the message is admitted: while the limits of
    /// sends or bytes in flight are reached it waits, which slows a fast caller down (back-pressure).
    ///
    /// After `Ok`, `callback` runs exactly once, on a task of the producer's runtime that serves no connection.
    /// Callbacks of messages to one broker usually run one after another: a callback must not block, and should pass
    /// long work to a task. A panic in it is caught and counted. Dropping the future before it resolves sends nothing,
    /// and the callback does not run.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let (done, outcome) = tokio::sync::oneshot::channel();
    /// let order = Message::new("Orders", "order 1");
    /// producer.send_async(order, |sent| _ = done.send(sent)).await?;
    /// println!("{:?}", outcome.await??.send_status);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The message is illegal, or was not admitted within the send time-out: the callback will not run.
    pub async fn send_async(
        &self,
        message: Message,
        callback: impl FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
    ) -> Result<(), MQClientError> {
        self.inner.send_async(message, callback).await
    }

    /// Sends a message without waiting for an answer: `Ok` means that its frame is in the write buffer; nothing tells
    /// whether it was stored. Dropping the future before it resolves sends nothing.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// producer.send_oneway(Message::new("Clicks", "a page")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The message is illegal, or no broker could be reached within the send time-out. The message was not sent.
    pub async fn send_oneway(&self, message: Message) -> Result<(), MQClientError> {
        self.inner.send_oneway(message).await
    }

    /// Cancels a timer message before it is delivered. `recall_handle` comes from [`SendResult::recall_handle`].
    /// Request code 370, brokers of 5.3.1 and later with `recallMessageEnable=true`. Java: `recallMessage`.
    ///
    /// The broker acts when the message falls due, and gives an equal answer for a message that was recalled before, or
    /// never existed. It is asked once, within the send time-out. After dropping the future, or an error of the
    /// connection, the message may be recalled or not; recalling it again does no harm.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::builder().recall_message(true).start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let reminder = Message::new("Reminders", "pay").with_delay_time_sec(3600);
    /// let sent = producer.send(reminder).await?;
    /// if let Some(handle) = sent.recall_handle {
    ///     producer.recall("Reminders", &handle).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid handle, or a handle of another topic; `BrokerNotFound` if its broker is gone;
    /// `Broker` with code 16 if the broker does not support recalls, 604 if the message is due or the handle belongs to
    /// another broker.
    pub async fn recall(&self, topic: &str, recall_handle: &str) -> Result<RecallResult, MQClientError> {
        self.inner.recall(topic, recall_handle).await
    }

    /// Sends a message and waits for the reply of its consumer; `timeout_ms` covers both. Consumers make replies with
    /// [`reply_message`](crate::producer::reply_message).
    ///
    /// Brokers push a reply to this client, so a heartbeat tells the broker about it before the request goes out; the
    /// first request to a broker therefore takes one round trip more. A request counts among the sends in flight
    /// (option
    /// `client_async_semaphore_value`) until it is over. The reply has the properties that the replier gave it, and
    /// `ARRIVE_TIME`. Dropping the future gives up the reply, and perhaps the request; a later reply is acknowledged
    /// and dropped. Java: `DefaultMQProducer.request`.
    ///
    /// ```
    /// # use rocketmq_client::{error::MQClientError, model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// match producer.request(Message::new("Prices", "tea"), 100).await {
    ///     Ok(reply) => println!("{:?}", reply.body()),
    ///     Err(MQClientError::NoReply { .. }) => println!("no consumer replies"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NoReply` if the request is stored but no reply came in time; `BadReply` if the reply cannot be read. Otherwise
    /// the errors of [`send`](Self::send): [`MQClientError::outcome`] tells whether the request may be stored.
    pub async fn request(&self, message: Message, timeout_ms: u64) -> Result<Message, MQClientError> {
        self.inner.request(message, timeout_ms).await
    }

    /// The queues to which messages of a topic can go, sorted by broker name and queue id. Java:
    /// `fetchPublishMessageQueues`. Dropping the future gives up the look-up.
    ///
    /// ```
    /// # use rocketmq_client::producer::Producer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// for queue in producer.fetch_publish_message_queues("Orders").await? {
    ///     println!("queue {} of {}", queue.queue_id(), queue.broker_name());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `BrokerNotFound` if the topic has none, `NameServerUnreachable` if no NameServer answers.
    pub async fn fetch_publish_message_queues(
        &self,
        topic: &str,
    ) -> Result<Vec<MessageQueue>, MQClientError> {
        self.inner.fetch_queues(topic).await
    }

    /// The counters of this producer since its start.
    ///
    /// ```
    /// # use rocketmq_client::{model::Message, producer::Producer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// producer.send(Message::new("Orders", "order 1")).await?;
    /// assert_eq!(producer.get_stats()?.send_success_count, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotStarted` or `ShutDown`.
    pub fn get_stats(&self) -> Result<ProducerStats, MQClientError> {
        self.inner.stats()
    }

    /// Stops accepting messages, from all clones. Waits for sends in flight, at most for the send time-out, tells the
    /// brokers, closes the connections, and reports the unfinished sends. A second call does nothing. Dropping the
    /// future leaves the producer closed for new messages; call it again to finish.
    ///
    /// ```
    /// # use rocketmq_client::producer::Producer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("orders").name_server_addr(cluster.name_server_addr()).start().await?;
    /// let report = producer.shutdown().await?;
    /// assert!(report.is_clean(), "{report:?}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotStarted` or `NoRuntime`.
    pub async fn shutdown(&self) -> Result<ShutdownReport, MQClientError> {
        self.inner.shutdown().await
    }
}

/// Builds a producer.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct ProducerBuilder {
    option: ProducerOption,
    /// The client to share; `None` for a client of its own.
    client: Option<MQClient>,
}

impl MQClient {
    /// Builds a producer of this client. Each group can have one producer on a client.
    pub fn producer(&self, group: impl Into<String>) -> ProducerBuilder {
        let mut option = ProducerOption::default();
        option.set_client_option(self.option());
        option.set_group_name(group);
        ProducerBuilder { option, client: Some(self.clone()) }
    }
}

impl ProducerBuilder {
    /// The NameServers, as `host:port;host:port`.
    pub fn name_server_addr(mut self, addresses: impl Into<String>) -> Self {
        self.option.set_name_server_addr(addresses);
        self
    }

    /// Sets any other option.
    pub fn option(mut self, change: impl FnOnce(&mut ProducerOption)) -> Self {
        change(&mut self.option);
        self
    }

    /// Starts the producer; see [`Producer::start`].
    ///
    /// # Errors
    /// The errors of [`Producer::start`].
    pub async fn start(self) -> Result<Producer, MQClientError> {
        let producer = self.build(None)?;
        producer.start().await?;
        Ok(producer)
    }

    pub(super) fn build(self, listener: Option<Arc<dyn DynListener>>) -> Result<Producer, MQClientError> {
        let Some(client) = self.client else {
            return Ok(Producer { inner: Arc::new(DefaultMQProducerImpl::new(self.option, listener)) });
        };
        client.check(|option| self.option.differs_from(option))?;
        let inner = Arc::new(DefaultMQProducerImpl::of_client(client.clone(), self.option, listener));
        let member: Arc<dyn ClientMember> = inner.clone();
        client.adopt(Arc::downgrade(&member));
        Ok(Producer { inner })
    }
}
