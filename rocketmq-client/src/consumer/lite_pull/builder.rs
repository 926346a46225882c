use std::collections::BTreeSet;

use super::{PullConsumer, PullConsumerHandle};
use crate::client::MQClient;
use crate::conf::ConsumerOption;
use crate::consumer::inner::ConsumerDraft;
use crate::consumer::subscription::MessageSelector;
use crate::error::MQClientError;
use crate::model::MessageQueue;

/// A pull consumer in the making.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct PullConsumerBuilder {
    draft: ConsumerDraft,
    assigned: Option<BTreeSet<MessageQueue>>,
}

impl MQClient {
    /// Builds a pull consumer of this client. Each group has one consumer on a client.
    pub fn pull_consumer(&self, group: impl Into<String>) -> PullConsumerBuilder {
        PullConsumerBuilder::new(ConsumerDraft::of_client(self, group.into()))
    }
}

impl PullConsumerBuilder {
    pub(super) fn new(draft: ConsumerDraft) -> Self {
        Self { draft, assigned: None }
    }

    /// The NameServers, as `host:port;host:port`.
    pub fn name_server_addr(mut self, addresses: impl Into<String>) -> Self {
        self.draft.option.set_name_server_addr(addresses);
        self
    }

    /// Sets any other option.
    pub fn option(mut self, change: impl FnOnce(&mut ConsumerOption)) -> Self {
        change(&mut self.draft.option);
        self
    }

    /// Shares the queues of a topic with the group; see [`PullConsumerHandle::subscribe`].
    pub fn subscribe(mut self, topic: impl Into<String>, selector: impl Into<MessageSelector>) -> Self {
        self.draft.subscriptions.push((topic.into(), selector.into()));
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
        let inner = self.draft.build()?;
        {
            let mut wishes = inner.wishes();
            wishes.assigned = self.assigned;
            wishes.check_assignment()?;
        }
        Ok(PullConsumer::of(PullConsumerHandle::new(inner)))
    }
}
