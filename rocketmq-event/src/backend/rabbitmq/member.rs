use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::subscription::Subscription;
use crate::backend::tasks::Tasks;
use crate::backend::{BackendError, Incoming, Source, SubscriptionSpec, Tag};

/// A member of a group: a consumer of its queue.
#[derive(Debug)]
pub(super) struct Member {
    subscription: Arc<Subscription>,
    deliveries: Mutex<mpsc::Receiver<Result<Incoming, BackendError>>>,
}

impl Member {
    pub(super) async fn join(
        link: Arc<Link>,
        spec: SubscriptionSpec,
        closing: CancellationToken,
        tasks: &Tasks,
    ) -> Result<Self, BackendError> {
        let (sender, deliveries) = mpsc::channel(spec.prefetch.clamp(1, usize::from(u16::MAX)));
        let subscription = Arc::new(Subscription::new(link, spec, closing));
        let open = subscription.open_first().await?;
        tasks.spawn(subscription.clone().run(open, sender));
        Ok(Self { subscription, deliveries: Mutex::new(deliveries) })
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&self) -> Result<Option<Incoming>, BackendError> {
        let mut deliveries = self.deliveries.lock().await;
        loop {
            match deliveries.recv().await {
                // Deliveries that waited here while the channel was lost belong to the broker again.
                Some(Ok(incoming)) if !self.subscription.holds(incoming.tag) => {}
                next => return next.transpose(),
            }
        }
    }

    async fn acknowledge(&self, tag: Tag) -> Result<(), BackendError> {
        let Some(acker) = self.subscription.take(tag) else { return Ok(()) };
        let acknowledged = acker.ack(BasicAckOptions::default()).await;
        let failed = |error| BackendError::with_source("RabbitMQ may not know the acknowledgement", error);
        // False: the channel is lost, and with it the delivery.
        acknowledged.map(drop).map_err(failed)
    }

    async fn release(&self, tag: Tag) -> Result<(), BackendError> {
        let Some(acker) = self.subscription.take(tag) else { return Ok(()) };
        // From RabbitMQ 4.3 on a nack does not count as a delivery, and a reject does.
        let options = BasicNackOptions { requeue: true, multiple: false };
        let failed = |error| BackendError::with_source("RabbitMQ may not know the release", error);
        acker.nack(options).await.map(drop).map_err(failed)
    }

    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.subscription.closing.cancel();
        if timeout(deadline, self.subscription.ended.cancelled()).await.is_err() {
            return Err(BackendError::new("RabbitMQ did not answer in time: acknowledgements may be lost"));
        }
        let failure = self.subscription.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.subscription.closing.cancel();
    }
}
