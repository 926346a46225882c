use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rocketmq_event::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, LogError, LogReader, Outgoing, Positions,
    Source, Stored, SubscriptionSpec,
};
use rocketmq_event::{PublishError, PublishErrorKind};

/// A backend that refuses messages for some destinations.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) refuses: fn(&Destination) -> bool,
    pub(crate) refused: Arc<AtomicUsize>,
}

#[async_trait]
impl Backend for Faulty {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        self.inner.ensure(destination).await
    }

    async fn ensure_log(&self, stream: &str) -> Result<(), BackendError> {
        self.inner.ensure_log(stream).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        if !batch.iter().any(|message| (self.refuses)(&message.destination)) {
            return self.inner.publish(batch).await;
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        let refused = || PublishError::not_stored(PublishErrorKind::Disconnected, "the test refuses it");
        batch.iter().map(|_| Err(refused())).collect()
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        self.inner.subscribe(spec).await
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        self.inner.dead(stream, group).await
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        self.inner.log(stream, from).await
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.inner.close(deadline).await
    }
}
