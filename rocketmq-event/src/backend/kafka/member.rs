use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::settings::failed;
use super::subscription::{Callbacks, Subscription};
use crate::backend::tasks::Tasks;
use crate::backend::{BackendError, Incoming, Source, SubscriptionSpec, Tag};

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member(Arc<Subscription>);

impl Member {
    pub(super) fn join(
        config: &ClientConfig,
        spec: SubscriptionSpec,
        retry_topic: String,
        closing: CancellationToken,
        tasks: &Tasks,
    ) -> Result<Self, BackendError> {
        let subscription = Arc::new(Subscription::new(spec, retry_topic, closing));
        let consumer: StreamConsumer<Callbacks> = config
            .create_with_context(Callbacks(subscription.clone()))
            .map_err(failed("Kafka's consumer cannot be made"))?;
        let topics = [&*subscription.spec.stream, &subscription.retry_topic];
        consumer.subscribe(&topics).map_err(failed(format!("cannot subscribe to {topics:?}")))?;
        tasks.spawn(Intake::new(consumer, subscription.clone()).run());
        Ok(Self(subscription))
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&self) -> Result<Option<Incoming>, BackendError> {
        loop {
            if let Some(incoming) = self.0.hand_out()? {
                return Ok(Some(incoming));
            }
            tokio::select! {
                () = self.0.arrived.notified() => {}
                () = self.0.closing.cancelled() => return Ok(None),
                () = self.0.ended.cancelled() => return self.0.state().failure.clone().map_or(Ok(None), Err),
            }
        }
    }

    async fn acknowledge(&self, tag: Tag) -> Result<(), BackendError> {
        self.0.settle(tag, true);
        Ok(())
    }

    async fn release(&self, tag: Tag) -> Result<(), BackendError> {
        self.0.settle(tag, false);
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.0.is_connected() && !self.0.ended.is_cancelled()
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.0.closing.cancel();
        if timeout(deadline, self.0.ended.cancelled()).await.is_err() {
            return Err(BackendError::new("Kafka did not answer in time: acknowledgements may be lost"));
        }
        self.0.state().failure.take().map_or(Ok(()), Err)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.closing.cancel();
    }
}
