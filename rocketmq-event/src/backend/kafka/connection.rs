use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::member::Member;
use super::publisher::{Publisher, closed};
use super::settings::{KafkaSettings, MAX_BODY};
use super::start;
use super::topics::{GroupTopics, Topics};
use crate::backend::dead_log::DeadLog;
use crate::backend::steps::STEPS;
use crate::backend::tasks::Tasks;
use crate::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, LogError, LogReader, Outgoing, Positions,
    Source, Stored, SubscriptionSpec,
};
use crate::error::PublishError;

/// A connection to Kafka. Clones share it.
#[derive(Debug, Clone)]
pub struct KafkaBackend(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: KafkaSettings,
    topics: Topics,
    publisher: Publisher,
    tasks: Tasks,
    closed: CancellationToken,
}

impl KafkaBackend {
    /// Connects.
    ///
    /// # Errors
    /// When a setting is not valid, or no broker can be reached.
    pub async fn connect(settings: KafkaSettings) -> Result<Self, BackendError> {
        settings.check()?;
        let topics = Topics::new(&settings)?;
        // It answers for any topic, also for one that does not exist.
        topics.partitions("__consumer_offsets").await?;
        let publisher = Publisher::new(&settings, topics.clone())?;
        let (tasks, closed) = (Tasks::default(), CancellationToken::new());
        Ok(Self(Arc::new(Inner { settings, topics, publisher, tasks, closed })))
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.0.closed.is_cancelled() { Err(BackendError::new("the bus is closed")) } else { Ok(()) }
    }
}

#[async_trait]
impl Backend for KafkaBackend {
    fn abilities(&self) -> Abilities {
        Abilities {
            name: "kafka",
            routes: false,
            starts_in_the_past: true,
            log: true,
            numbers: true,
            orders_across_members: true,
            counts_redeliveries: false,
            releases_at_once: false,
            max_body: MAX_BODY,
            delay_steps: STEPS,
            durable: true,
        }
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        self.check_open()?;
        let topics = &self.0.topics;
        match destination {
            Destination::Stream(stream) => topics.ensure_stream(stream).await,
            Destination::Group { stream, group, .. } => {
                topics.ensure_retry(&GroupTopics::new(stream, group)).await
            }
            Destination::Dead { stream, group } => topics.ensure_dead(&GroupTopics::new(stream, group)).await,
        }
    }

    async fn ensure_log(&self, stream: &str) -> Result<(), BackendError> {
        self.check_open()?;
        self.0.topics.ensure_log(stream).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        if self.0.closed.is_cancelled() {
            return batch.iter().map(|_| Err(closed())).collect();
        }
        self.0.publisher.publish(batch).await
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        self.check_open()?;
        let Inner { settings, topics, tasks, closed, .. } = &*self.0;
        let of_group = GroupTopics::new(&spec.stream, &spec.group);
        topics.ensure_stream(&spec.stream).await?;
        topics.ensure_retry(&of_group).await?;
        topics.ensure_dead(&of_group).await?;
        let partitions = topics.partitions(&spec.stream).await?.unwrap_or_default();
        start::begin(settings, &spec, of_group.group(), &partitions).await?;
        let config = settings.member(of_group.group());
        Ok(Box::new(Member::join(&config, spec, of_group.retry(), closed.child_token(), tasks)?))
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        self.check_open()?;
        let topic = GroupTopics::new(stream, group).dead();
        Ok(Box::new(DeadLog::open(Arc::new(self.clone()), topic.into(), stream, group).await?))
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        self.check_open()?;
        let missing = || BackendError::new(format!("there is no topic {stream:?}"));
        let partitions = self.0.topics.partitions(stream).await?.ok_or_else(missing)?;
        Ok(Box::new(Log::open(&self.0.settings, stream, &partitions, &from).await?))
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        let until = Instant::now() + deadline;
        self.0.closed.cancel();
        let flushed = self.0.publisher.close(deadline).await;
        let late = |_| BackendError::new("members had not left their groups when the deadline passed");
        timeout_at(until, self.0.tasks.join()).await.map_err(late)?;
        flushed
    }
}
