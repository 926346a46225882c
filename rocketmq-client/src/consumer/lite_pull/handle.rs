use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::polled::Polled;
use crate::conf::millis;
use crate::consumer::inner::MQConsumerInner;
use crate::consumer::subscription::MessageSelector;
use crate::consumer::watch::{ConsumerEvents, ConsumerHealth, ConsumerShutdownReport, ConsumerStats};
use crate::error::MQClientError;
use crate::model::MessageQueue;

/// A handle of a [`PullConsumer`](super::PullConsumer) for other tasks: clones share everything.
#[derive(Debug, Clone)]
pub struct PullConsumerHandle {
    pub(super) inner: Arc<MQConsumerInner>,
    pub(super) polled: Arc<Polled>,
}

impl PullConsumerHandle {
    pub(super) fn new(inner: MQConsumerInner) -> Self {
        Self { inner: Arc::new(inner.polling()), polled: Arc::default() }
    }

    /// Subscribes to a topic, whose queues the members of the group share; see
    /// [`PushConsumer::subscribe`](crate::consumer::PushConsumer::subscribe). Dropping the future leaves open whether the brokers
    /// know of it: call it again.
    ///
    /// # Errors
    /// `InvalidOption` if queues are assigned; the errors of `PushConsumer::subscribe`.
    pub async fn subscribe(
        &self,
        topic: impl Into<String>,
        selector: impl Into<MessageSelector>,
    ) -> Result<(), MQClientError> {
        self.inner.subscribe(topic.into(), selector.into()).await
    }

    /// Ends a subscription. Its queues are released, even if the future is dropped.
    ///
    /// # Errors
    /// `ShutDown`.
    pub async fn unsubscribe(&self, topic: impl AsRef<str>) -> Result<(), MQClientError> {
        self.inner.unsubscribe(topic.as_ref()).await
    }

    /// Reads these queues and no others, whatever other members of the group read. A later call replaces the queues; queues
    /// that stay keep their positions. Positions begin at the committed offsets of the group, else as `consume_from_where` says.
    ///
    /// The consumer is a member of the group all the same: do not mix it with members that subscribe, whose queues would be
    /// shared with it. Dropping the future leaves open which queues are read: call it again.
    ///
    /// # Errors
    /// `InvalidOption` if topics are subscribed; `InvalidArgument` for a queue that its topic does not have: the queues stay as they
    /// were; `BrokerNotFound` if a topic has no route; `ShutDown`.
    pub async fn assign(&self, queues: impl IntoIterator<Item = MessageQueue>) -> Result<(), MQClientError> {
        self.inner.assign(queues.into_iter().collect()).await
    }

    /// Starts. Returns when the first positions are known; see
    /// [`PushConsumer::start`](crate::consumer::PushConsumer::start).
    ///
    /// # Errors
    /// The errors of `PushConsumer::start`.
    pub async fn start(&self) -> Result<(), MQClientError> {
        self.inner.start().await
    }

    /// Stops fetching from these queues and returning their messages, until they are resumed or go to another member.
    pub fn pause(&self, queues: &[MessageQueue]) {
        self.inner.pause(queues, true);
    }

    /// Goes on with paused queues.
    pub fn resume(&self, queues: &[MessageQueue]) {
        self.inner.pause(queues, false);
    }

    /// All readable queues of a topic, owned or not. Dropping the future has no effect.
    ///
    /// # Errors
    /// `BrokerNotFound` if the topic has no route; `NameServerUnreachable`; `NotStarted` and `ShutDown`.
    pub async fn fetch_message_queues(
        &self,
        topic: impl AsRef<str>,
    ) -> Result<Vec<MessageQueue>, MQClientError> {
        self.inner.message_queues(topic.as_ref()).await
    }

    /// Calls a closure when a topic has other queues than before, with all its queues. Java:
    /// `registerTopicMessageQueueChangeListener`. It is called on a task of the consumer and must not block; a panic of it is
    /// logged, and it is called at the next change again. Ends with the consumer. [`events`](Self::events) tell of queues that this consumer gets and loses.
    ///
    /// # Errors
    /// The errors of [`fetch_message_queues`](Self::fetch_message_queues).
    pub async fn on_queues_changed(
        &self,
        topic: impl Into<String>,
        listener: impl Fn(&[MessageQueue]) + Send + Sync + 'static,
    ) -> Result<(), MQClientError> {
        let topic = topic.into();
        let mut known = self.inner.message_queues(&topic).await?;
        let member = &self.inner.running()?.member;
        let mut changes = member.instance.route_changes();
        let wire = self.inner.wrap(&topic).into_owned();
        let (instance, inner) = (member.instance.clone(), Arc::downgrade(&self.inner));
        member.tasks.spawn(async move {
            loop {
                // A missed change may have concerned this consumer.
                if changes.recv().await.is_ok_and(|changed| *changed != *wire) {
                    continue;
                }
                let Some(info) = instance.known_subscribe_info(&wire) else { continue };
                let Some(inner) = inner.upgrade() else { return };
                let queues: Vec<_> = info.queues().iter().map(|queue| inner.plain_queue(queue)).collect();
                if queues != known {
                    known = queues;
                    if catch_unwind(AssertUnwindSafe(|| listener(&known))).is_err() {
                        tracing::error!(topic, "the listener of on_queues_changed panicked");
                    }
                }
            }
        });
        Ok(())
    }

    /// The queues that the consumer owns.
    pub fn assignment(&self) -> Vec<MessageQueue> {
        self.inner.assignment()
    }

    /// How each queue is.
    pub fn health(&self) -> ConsumerHealth {
        self.inner.health()
    }

    /// Events of the consumer from now on.
    pub fn events(&self) -> ConsumerEvents {
        self.inner.events.reader()
    }

    /// Counters since the start.
    ///
    /// # Errors
    /// `NotStarted`, `ShutDown`.
    pub fn get_stats(&self) -> Result<ConsumerStats, MQClientError> {
        self.inner.stats()
    }

    /// Ends the consumer within `shutdown_timeout`. Processed messages are committed if `auto_commit` is true; messages of the
    /// last poll count as unfinished, unless [`commit`](Self::commit) came before. Dropping the future does not stop the
    /// shutdown; a second call waits for its end.
    ///
    /// # Errors
    /// `NotStarted`, or `NoRuntime` outside a tokio runtime.
    pub async fn shutdown(&self) -> Result<ConsumerShutdownReport, MQClientError> {
        self.shutdown_within(millis(self.inner.option.shutdown_timeout())).await
    }

    /// Ends the consumer within this time; see [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// The errors of [`shutdown`](Self::shutdown).
    pub async fn shutdown_within(&self, limit: Duration) -> Result<ConsumerShutdownReport, MQClientError> {
        self.inner.shutdown(limit).await
    }
}
