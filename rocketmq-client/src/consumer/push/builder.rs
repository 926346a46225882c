use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::PushConsumer;
use super::default_mq_push_consumer_impl::DefaultMQPushConsumerImpl;
use crate::client::MQClient;
use crate::conf::ConsumerOption;
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
    option: ConsumerOption,
    /// The client that it shares; none for one of its own.
    client: Option<MQClient>,
    subscriptions: Vec<(String, MessageSelector)>,
    listener: Option<MessageListener>,
    topic_listeners: BTreeMap<String, MessageListener>,
}

impl MQClient {
    /// Builds a push consumer of this client. Each group has one consumer on a client.
    pub fn push_consumer(&self, group: impl Into<String>) -> PushConsumerBuilder {
        let mut builder = PushConsumerBuilder::new(group.into());
        builder.option.set_client_option(self.option());
        builder.client = Some(self.clone());
        builder
    }
}

impl PushConsumerBuilder {
    pub(super) fn new(group: String) -> Self {
        let mut option = ConsumerOption::default();
        option.set_group_name(group);
        let topic_listeners = BTreeMap::new();
        Self { option, client: None, subscriptions: Vec::new(), listener: None, topic_listeners }
    }

    /// The NameServers, as `host:port;host:port`.
    pub fn name_server_addr(mut self, addresses: impl Into<String>) -> Self {
        self.option.set_name_server_addr(addresses);
        self
    }

    /// Sets any other option.
    pub fn option(mut self, change: impl FnOnce(&mut ConsumerOption)) -> Self {
        change(&mut self.option);
        self
    }

    /// Subscribes to a topic; see [`PushConsumer::subscribe`].
    pub fn subscribe(mut self, topic: impl Into<String>, selector: impl Into<MessageSelector>) -> Self {
        self.subscriptions.push((topic.into(), selector.into()));
        self
    }

    /// A listener that handles messages in any order; see [`PushConsumer::listener`].
    pub fn listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<ConsumeOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::concurrently(listener));
        self
    }

    /// A listener that handles the messages of each queue one by one; see [`PushConsumer::orderly_listener`].
    pub fn orderly_listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<OrderlyOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::orderly(listener));
        self
    }

    /// A listener that handles several messages at a time; see [`PushConsumer::batch_listener`].
    pub fn batch_listener<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Arc<[MessageExt]>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<BatchOutcome>> + Send + 'static,
    {
        self.listener = Some(MessageListener::batch(listener));
        self
    }

    /// A listener for the messages of one topic; see [`PushConsumer::topic_listener`].
    pub fn topic_listener(mut self, topic: impl Into<String>, listener: MessageListener) -> Self {
        self.topic_listeners.insert(topic.into(), listener);
        self
    }

    /// The started consumer; see [`PushConsumer::start`].
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
    /// # Errors
    /// `InvalidOption` when an option of a shared client is not as the client has it.
    pub fn build(self) -> Result<PushConsumer, MQClientError> {
        let inner = match self.client {
            None => DefaultMQPushConsumerImpl::new(self.option),
            Some(client) => {
                client.check(|option| self.option.differs_from(option))?;
                DefaultMQPushConsumerImpl::of_client(client, self.option)
            }
        };
        {
            let mut wishes = inner.wishes();
            wishes.subscriptions = self.subscriptions.into_iter().collect();
            wishes.listener = self.listener;
            wishes.topic_listeners = self.topic_listeners;
        }
        Ok(PushConsumer { inner: Arc::new(inner) })
    }
}
