use std::future::Future;
use std::sync::Arc;

use super::PushConsumer;
use crate::consumer::listener::{
    BatchOutcome, ConsumeContext, ConsumeOutcome, IntoOutcome, MessageListener, MessageListenerBatch,
    MessageListenerConcurrently, MessageListenerOrderly, OrderlyOutcome,
};
use crate::consumer::stream::MessageStream;
use crate::error::MQClientError;
use crate::model::MessageExt;

/// The receivers of messages: listeners, and the stream.
impl PushConsumer {
    /// A closure that handles messages, up to `consume_concurrency` at a time, in any order. It returns nothing, a
    /// [`ConsumeOutcome`], or a `Result` with either, whose error means [`ConsumeOutcome::Later`]. Call it before `start`;
    /// the last listener counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// consumer.listener(|message, context| async move {
    ///     if message.body().is_empty() && context.is_last_attempt() {
    ///         return Ok(ConsumeOutcome::DeadLetter { reason: "no body".to_owned() });
    ///     }
    ///     let amount: u64 = std::str::from_utf8(message.body())?.parse()?; // An error: later.
    ///     println!("{amount}");
    ///     Ok(ConsumeOutcome::Success)
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn listener<F, Fut>(&self, listener: F)
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<ConsumeOutcome>> + Send + 'static,
    {
        self.inner.set_listener(None, MessageListener::concurrently(listener));
    }

    /// A closure that handles the messages of each queue one by one, in their order. Call it before `start`; the last
    /// listener counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// consumer.orderly_listener(|message, _| async move {
    ///     match message.tags() {
    ///         Some("busy") => OrderlyOutcome::SuspendCurrentQueueAMoment { millis: Some(500) },
    ///         _ => OrderlyOutcome::Success,
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn orderly_listener<F, Fut>(&self, listener: F)
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<OrderlyOutcome>> + Send + 'static,
    {
        self.inner.set_listener(None, MessageListener::orderly(listener));
    }

    /// A closure that handles up to `consume_message_batch_max_size` messages of a queue at a time. Call it before `start`;
    /// the last listener counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// consumer.batch_listener(|messages, _| async move {
    ///     let failed = messages.iter().position(|message| message.body().is_empty());
    ///     failed.map_or(BatchOutcome::default(), BatchOutcome::UpTo)
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch_listener<F, Fut>(&self, listener: F)
    where
        F: Fn(Arc<[MessageExt]>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<BatchOutcome>> + Send + 'static,
    {
        self.inner.set_listener(None, MessageListener::batch(listener));
    }

    /// A listener that is a type; see [`listener`](Self::listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// struct Billing;
    ///
    /// impl MessageListenerConcurrently for Billing {
    ///     fn consume_message(&self, _: std::sync::Arc<MessageExt>, _: ConsumeContext) -> BoxFuture<'_, ConsumeResult> {
    ///         Box::pin(async { Ok(ConsumeOutcome::Success) })
    ///     }
    /// }
    ///
    /// consumer.register_message_listener_concurrently(Billing);
    /// # Ok(())
    /// # }
    /// ```
    pub fn register_message_listener_concurrently(&self, listener: impl MessageListenerConcurrently) {
        self.inner.set_listener(None, MessageListener::of_concurrently(listener));
    }

    /// A listener that is a type; see [`orderly_listener`](Self::orderly_listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// struct Ledger;
    ///
    /// impl MessageListenerOrderly for Ledger {
    ///     fn consume_message(&self, _: std::sync::Arc<MessageExt>, _: ConsumeContext) -> BoxFuture<'_, OrderlyResult> {
    ///         Box::pin(async { Ok(OrderlyOutcome::Success) })
    ///     }
    /// }
    ///
    /// consumer.register_message_listener_orderly(Ledger);
    /// # Ok(())
    /// # }
    /// ```
    pub fn register_message_listener_orderly(&self, listener: impl MessageListenerOrderly) {
        self.inner.set_listener(None, MessageListener::of_orderly(listener));
    }

    /// A listener that is a type; see [`batch_listener`](Self::batch_listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// struct Import;
    ///
    /// impl MessageListenerBatch for Import {
    ///     fn consume_messages(&self, _: std::sync::Arc<[MessageExt]>, _: ConsumeContext) -> BoxFuture<'_, BatchResult> {
    ///         Box::pin(async { Ok(BatchOutcome::default()) })
    ///     }
    /// }
    ///
    /// consumer.register_message_listener_batch(Import);
    /// # Ok(())
    /// # }
    /// ```
    pub fn register_message_listener_batch(&self, listener: impl MessageListenerBatch) {
        self.inner.set_listener(None, MessageListener::of_batch(listener));
    }

    /// A listener for the messages of one topic, including messages that come again. Messages of other topics go to the listener
    /// for all topics; without one, each subscribed topic needs a listener of its own. All listeners of a consumer are of one
    /// kind, and share `consume_concurrency`. Call it before `start`; the last listener of a topic counts. The topic may be
    /// subscribed to later.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// consumer.topic_listener("Orders", MessageListener::concurrently(|order, _| async move {
    ///     println!("an order: {:?}", order.body());
    /// }));
    /// consumer.listener(|other, _| async move { println!("{}: {:?}", other.topic(), other.body()) });
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic_listener(&self, topic: impl Into<String>, listener: MessageListener) {
        self.inner.set_listener(Some(topic.into()), listener);
    }

    /// The messages as a stream, in place of a listener. Call it once, before `start`. The reader holds each delivery for at
    /// most `consume_timeout`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// let mut messages = consumer.messages()?;
    /// consumer.start().await?;
    /// if let Some(delivery) = messages.next().await {
    ///     let delivery = delivery?;
    ///     println!("{:?}", delivery.body());
    ///     delivery.ack();
    /// }
    /// # assert!(consumer.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption` when there is a listener, or when it was called before; `AlreadyStarted`.
    pub fn messages(&self) -> Result<MessageStream, MQClientError> {
        self.inner.messages()
    }
}
