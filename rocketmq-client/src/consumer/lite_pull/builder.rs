use std::collections::BTreeSet;

use super::{PullConsumer, PullConsumerHandle};
use crate::client::MQClient;
use crate::conf::ConsumerOption;
use crate::consumer::subscription::MessageSelector;
use crate::error::MQClientError;
use crate::model::MessageQueue;

/// A pull consumer in the making.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct PullConsumerBuilder {
    option: ConsumerOption,
    /// The client that it shares; none for one of its own.
    client: Option<MQClient>,
    subscriptions: Vec<(String, MessageSelector)>,
    assigned: Option<BTreeSet<MessageQueue>>,
}

impl MQClient {
    /// Builds a pull consumer of this client. Each group has one consumer on a client.
    pub fn pull_consumer(&self, group: impl Into<String>) -> PullConsumerBuilder {
        let mut builder = PullConsumerBuilder::new(group.into());
        builder.option.set_client_option(self.option());
        builder.client = Some(self.clone());
        builder
    }
}

impl PullConsumerBuilder {
    pub(super) fn new(group: String) -> Self {
        let mut option = ConsumerOption::default();
        option.set_group_name(group);
        Self { option, client: None, subscriptions: Vec::new(), assigned: None }
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

    /// Shares the queues of a topic with the group; see [`PullConsumerHandle::subscribe`].
    pub fn subscribe(mut self, topic: impl Into<String>, selector: impl Into<MessageSelector>) -> Self {
        self.subscriptions.push((topic.into(), selector.into()));
        self
    }

    /// Reads these queues; see [`PullConsumerHandle::assign`].
    pub fn assign(mut self, queues: impl IntoIterator<Item = MessageQueue>) -> Self {
        self.assigned = Some(queues.into_iter().collect());
        self
    }

    /// The started consumer; see [`PullConsumerHandle::start`].
    ///
    /// # Errors
    /// The errors of [`build`](Self::build) and of [`PullConsumerHandle::start`].
    pub async fn start(self) -> Result<PullConsumer, MQClientError> {
        let consumer = self.build()?;
        consumer.start().await?;
        Ok(consumer)
    }

    /// The consumer, not started.
    ///
    /// # Errors
    /// `InvalidOption` when an option of a shared client is not as the client has it, and when topics are subscribed and queues
    /// assigned both.
    pub fn build(self) -> Result<PullConsumer, MQClientError> {
        let handle = match self.client {
            None => PullConsumerHandle::new(self.option),
            Some(client) => {
                client.check(|option| self.option.differs_from(option))?;
                PullConsumerHandle::of_client(client, self.option)
            }
        };
        {
            let mut wishes = handle.inner.wishes();
            wishes.subscriptions = self.subscriptions.into_iter().collect();
            wishes.assigned = self.assigned;
            wishes.check_assignment()?;
        }
        Ok(PullConsumer::of(handle))
    }
}
