use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rocketmq_event::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, LogError, LogReader, Outgoing, Positions,
    Source, Stored, SubscriptionSpec,
};
use rocketmq_event::{Bus, Position, PublishError, PublishErrorKind};

/// A backend with a fault.
#[derive(Debug)]
struct Faulty<F> {
    inner: Arc<dyn Backend>,
    fault: F,
}

/// What goes wrong.
#[async_trait]
pub(crate) trait Fault: Debug + Send + Sync + 'static {
    fn abilities(&self, inner: &dyn Backend) -> Abilities {
        inner.abilities()
    }

    async fn publish(&self, inner: &dyn Backend, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        inner.publish(batch).await
    }

    async fn log(
        &self,
        inner: &dyn Backend,
        stream: &str,
        from: Positions,
    ) -> Result<Box<dyn LogReader>, LogError> {
        inner.log(stream, from).await
    }
}

pub(crate) fn with_fault(bus: &Bus, fault: impl Fault) -> Bus {
    Bus::new(Faulty { inner: bus.backend().clone(), fault })
}

/// Messages for some destinations are refused, this often.
#[derive(Debug)]
pub(crate) struct Refuses {
    pub(crate) what: fn(&Destination) -> bool,
    pub(crate) refused: Arc<AtomicUsize>,
    pub(crate) times: usize,
}

#[async_trait]
impl Fault for Refuses {
    async fn publish(&self, inner: &dyn Backend, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        let is_meant = batch.iter().any(|message| (self.what)(&message.destination));
        let one_more = |refused: usize| (refused < self.times).then_some(refused + 1);
        if !is_meant || self.refused.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_err() {
            return inner.publish(batch).await;
        }
        let refused = || PublishError::not_stored(PublishErrorKind::Disconnected, "the test refuses it");
        batch.iter().map(|_| Err(refused())).collect()
    }
}

/// The answers to the first publications are lost on their way; what was published is stored.
#[derive(Debug)]
pub(crate) struct LosesAnswers(pub(crate) AtomicUsize);

#[async_trait]
impl Fault for LosesAnswers {
    async fn publish(&self, inner: &dyn Backend, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        let answers = inner.publish(batch).await;
        let one_less = |left: usize| left.checked_sub(1);
        if self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return answers;
        }
        let lost = || PublishError::maybe_stored(PublishErrorKind::Disconnected, "the test loses the answer");
        answers.iter().map(|_| Err(lost())).collect()
    }
}

/// The broker keeps no logs.
#[derive(Debug)]
pub(crate) struct HasNoLogs;

impl Fault for HasNoLogs {
    fn abilities(&self, inner: &dyn Backend) -> Abilities {
        Abilities { log: false, ..inner.abilities() }
    }
}

/// What the log of this stream has before these positions is deleted.
#[derive(Debug)]
pub(crate) struct Forgets {
    pub(crate) stream: String,
    pub(crate) before: Positions,
}

#[async_trait]
impl Fault for Forgets {
    async fn log(
        &self,
        inner: &dyn Backend,
        stream: &str,
        from: Positions,
    ) -> Result<Box<dyn LogReader>, LogError> {
        let mut begin = from;
        for (place, first) in self.before.0.iter().filter(|_| stream == self.stream) {
            let asked = *begin.0.entry(place.clone()).or_insert(*first);
            if asked < *first {
                let asked = Position { stream: stream.into(), place: place.clone(), offset: Some(asked) };
                return Err(LogError::Truncated { asked, first: *first });
            }
        }
        inner.log(stream, begin).await
    }
}

#[async_trait]
impl<F: Fault> Backend for Faulty<F> {
    fn abilities(&self) -> Abilities {
        self.fault.abilities(&*self.inner)
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        self.inner.ensure(destination).await
    }

    async fn ensure_log(&self, stream: &str) -> Result<(), BackendError> {
        self.inner.ensure_log(stream).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        self.fault.publish(&*self.inner, batch).await
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        self.inner.subscribe(spec).await
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        self.inner.dead(stream, group).await
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        self.fault.log(&*self.inner, stream, from).await
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.inner.close(deadline).await
    }
}
