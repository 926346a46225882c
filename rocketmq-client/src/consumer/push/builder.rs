use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::PushConsumer;
use crate::client::MQClient;
use crate::conf::ConsumerOption;
use crate::consumer::inner::ConsumerDraft;
use crate::consumer::listener::{
    BatchOutcome, ConsumeContext, ConsumeOutcome, IntoOutcome, MessageListener, OrderlyOutcome,
};
use crate::consumer::subscription::MessageSelector;
use crate::error::MQClientError;
use crate::model::MessageExt;

/// A push consumer in the making.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct PushConsumerBuilder {
    draft: ConsumerDraft,
    listener: Option<MessageListener>,
    topic_listeners: BTreeMap<String, MessageListener>,
}

impl MQClient {
    /// Builds a push consumer of this client. Each group has one consumer on a client.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let client = rocketmq_client::client::MQClient::connect(name_servers).await?;
    /// let producer = client.producer("orders").start().await?;
    /// let billing = client.push_consumer("billing").subscribe("Orders", "*").listener(|_, _| async {}).start().await?;
    /// client.shutdown().await?; // The consumer first, then the producer.
    /// # Ok(())
    /// # }
    /// ```
    pub fn push_consumer(&self, group: impl Into<String>) -> PushConsumerBuilder {
        PushConsumerBuilder::new(ConsumerDraft::of_client(self, group.into()))
    }
}

impl PushConsumerBuilder {
    pub(super) fn new(draft: ConsumerDraft) -> Self {
        Self { draft, listener: None, topic_listeners: BTreeMap::new() }
    }

    /// The NameServers, as `host:port;host:port`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr("ns-1:9876;ns-2:9876");
    /// # Ok(())
    /// # }
    /// ```
    pub fn name_server_addr(mut self, addresses: impl Into<String>) -> Self {
        self.draft.option.set_name_server_addr(addresses);
        self
    }

    /// Sets any other option.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers).option(|option| {
    ///     option.set_consume_from_where(ConsumeFromWhere::First).set_consume_rate_limit(500);
    /// });
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn option(mut self, change: impl FnOnce(&mut ConsumerOption)) -> Self {
        change(&mut self.draft.option);
        self
    }

    /// Subscribes to a topic; see [`PushConsumer::subscribe`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers)
    ///     .subscribe("Orders", "Paid || Shipped");
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(mut self, topic: impl Into<String>, selector: impl Into<MessageSelector>) -> Self {
        self.draft.subscriptions.push((topic.into(), selector.into()));
        self
    }

    /// A listener that handles messages in any order; see [`PushConsumer::listener`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers)
    ///     .subscribe("Orders", "*")
    ///     .listener(|message, _| async move { println!("{:?}", message.body()) });
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<ConsumeOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::concurrently(listener));
        self
    }

    /// A listener that handles the messages of each queue one by one; see [`PushConsumer::orderly_listener`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers)
    ///     .subscribe("Orders", "*")
    ///     .orderly_listener(|message, _| async move { println!("{}", message.queue_offset()) });
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn orderly_listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<OrderlyOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::orderly(listener));
        self
    }

    /// A listener that handles several messages at a time; see [`PushConsumer::batch_listener`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers)
    ///     .option(|option| _ = option.set_consume_message_batch_max_size(32))
    ///     .subscribe("Orders", "*")
    ///     .batch_listener(|messages, _| async move { println!("{} messages", messages.len()) });
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch_listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<[MessageExt]>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<BatchOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::batch(listener));
        self
    }

    /// A listener for the messages of one topic; see [`PushConsumer::topic_listener`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers)
    ///     .subscribe("Orders", "*")
    ///     .topic_listener("Orders", MessageListener::concurrently(|_, _| async {}));
    /// # let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic_listener(mut self, topic: impl Into<String>, listener: MessageListener) -> Self {
        self.topic_listeners.insert(topic.into(), listener);
        self
    }

    /// The started consumer; see [`PushConsumer::start`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers).subscribe("Orders", "*");
    /// let consumer = builder.listener(|_, _| async {}).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PushConsumer::start`].
    pub async fn start(self) -> Result<PushConsumer, MQClientError> {
        let consumer = self.build()?;
        consumer.start().await?;
        Ok(consumer)
    }

    /// The consumer, not started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers);
    /// let consumer = builder.subscribe("Orders", "*").build()?;
    /// let messages = consumer.messages()?; // Between the building and the start.
    /// consumer.start().await?;
    /// # drop(messages);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption` when an option of a shared client is not as the client has it.
    pub fn build(self) -> Result<PushConsumer, MQClientError> {
        let inner = self.draft.build()?;
        {
            let mut wishes = inner.wishes();
            wishes.listener = self.listener;
            wishes.topic_listeners = self.topic_listeners;
        }
        Ok(PushConsumer { inner: Arc::new(inner) })
    }
}
