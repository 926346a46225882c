use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::broker::Shared;
use super::member::Member;
use super::readers::{Dead, Log};
use super::state::{Message, State, position};
use crate::backend::Durability;
use crate::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, LogError, LogReader, Outgoing, Positions,
    Source, Stored, SubscriptionSpec,
};
use crate::error::{LONGEST, PublishError, PublishErrorKind};

/// As RocketMQ's limit.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// A connection to a [`MemoryBroker`](super::MemoryBroker).
#[derive(Debug)]
pub struct MemoryBackend {
    broker: Arc<Shared>,
    closed: CancellationToken,
}

impl MemoryBackend {
    pub(super) fn new(broker: Arc<Shared>) -> Self {
        Self { broker, closed: CancellationToken::new() }
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn abilities(&self) -> Abilities {
        Abilities {
            name: "memory",
            routes: false,
            starts_in_the_past: true,
            log: true,
            numbers: true,
            orders_across_members: true,
            counts_redeliveries: true,
            releases_at_once: true,
            max_body: MAX_BODY,
            delay_steps: &[],
            durable: false,
        }
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        if self.closed.is_cancelled() {
            return Err(BackendError::new("the bus is closed"));
        }
        self.broker.state().streams.entry(destination.stream().clone()).or_default();
        Ok(())
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        if self.closed.is_cancelled() {
            let closed = || PublishError::not_stored(PublishErrorKind::Closed, "the bus is closed");
            return batch.iter().map(|_| Err(closed())).collect();
        }
        let now = Instant::now();
        let results = {
            let mut state = self.broker.state();
            batch.into_iter().map(|message| store(&mut state, message, now)).collect()
        };
        self.broker.changed.notify_waiters();
        results
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        if self.closed.is_cancelled() {
            return Err(BackendError::new("the bus is closed"));
        }
        Ok(Box::new(Member::join(self.broker.clone(), self.closed.child_token(), spec)))
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        Ok(Box::new(Dead::open(self.broker.clone(), stream, group)))
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        Ok(Box::new(Log::open(self.broker.clone(), stream, &from)))
    }

    async fn close(&self, _: Duration) -> Result<(), BackendError> {
        self.closed.cancel();
        Ok(())
    }
}

fn store(state: &mut State, message: Outgoing, now: Instant) -> Result<Stored, PublishError> {
    let Outgoing { destination, envelope, body } = message;
    if body.len() > MAX_BODY {
        return Err(PublishError::too_large(body.len(), MAX_BODY));
    }
    let stored = |position| Stored { position, durability: Durability::Memory };
    let (stream, group, due) = match destination {
        Destination::Stream(stream) => return Ok(stored(state.append(&stream, envelope, body))),
        Destination::Group { stream, group, delay } => {
            (stream, group, (!delay.is_zero()).then(|| now + delay.min(LONGEST)))
        }
        Destination::Dead { stream, group } => {
            let number = state.number();
            let at = position(&stream, "dead", number);
            let message = Message { envelope, body, position: at.clone(), stored: SystemTime::now() };
            let groups = &mut state.streams.entry(stream).or_default().groups;
            groups.entry(group).or_default().dead.insert(number, Arc::new(message));
            return Ok(stored(at));
        }
    };
    let at = position(&stream, "retry", state.number());
    let message = Message { envelope, body, position: at.clone(), stored: SystemTime::now() };
    if state.append_to_group(message, &group, due) {
        return Ok(stored(at));
    }
    Err(PublishError::not_stored(PublishErrorKind::NoRoute, format!("{stream} has no group {group}")))
}
