use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::dead::{Dead, Readers};
use super::link::{Link, answered};
use super::log::Log;
use super::member::Member;
use super::publisher::Publisher;
use super::{tls, topology};
use crate::backend::steps::STEPS;
use crate::backend::tasks::Tasks;
use crate::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, LogError, LogReader, Outgoing, Positions,
    Source, Stored, SubscriptionSpec,
};
use crate::error::{PublishError, PublishErrorKind};

/// The largest body that RabbitMQ 4 takes without further settings.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;

/// How to connect to RabbitMQ.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RabbitMqSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. Without user it is `guest`, without a path the virtual host `/`, without
    /// `?heartbeat=` ten seconds.
    pub address: String,
    /// Certificates in PEM that are trusted beside those of the system: of one's own authority, for `amqps:`. Default: none.
    pub root_certificates: Option<String>,
    /// How often a queue of a group hands out a message whose members end without an answer, before the broker itself puts the message to
    /// the dead letters. The policy of a consumer decides before, if its number of tries is lower. It holds for queues that are not there yet. Default: 20.
    pub delivery_limit: u32,
    /// How long a message waits for the connection, and for its confirm. Default: 30 s.
    pub publish_timeout: Duration,
}

impl RabbitMqSettings {
    /// Settings with defaults.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            root_certificates: None,
            delivery_limit: 20,
            publish_timeout: Duration::from_secs(30),
        }
    }
}

/// A connection to RabbitMQ: two AMQP connections, since RabbitMQ may block one that publishes.
#[derive(Debug)]
pub struct RabbitMqBackend {
    settings: RabbitMqSettings,
    publisher: Publisher,
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    readers: Readers,
    tasks: Tasks,
    closed: CancellationToken,
}

impl RabbitMqBackend {
    /// Connects.
    ///
    /// # Errors
    /// When the address is not valid, RabbitMQ cannot be reached or refuses the user, or the address is `amqps:` and TLS is not built in: the
    /// error says what to do then.
    pub async fn connect(settings: RabbitMqSettings) -> Result<Self, BackendError> {
        // The address may hold a password: the error does not repeat it.
        let uri: AMQPUri = settings
            .address
            .parse()
            .map_err(|reason| BackendError::new(format!("the address of RabbitMQ is not valid: {reason}")))?;
        let trust = OwnedTLSConfig { identity: None, cert_chain: settings.root_certificates.clone() };
        if uri.scheme == AMQPScheme::AMQPS {
            tls::check(&trust).await?;
        }
        let link = |name| Arc::new(Link::new(uri.clone(), name, trust.clone()));
        let (publishing, consuming) = (link("rocketmq-event, publishing"), link("rocketmq-event, consuming"));
        publishing.connection().await?;
        Ok(Self {
            publisher: Publisher::new(publishing.clone(), settings.publish_timeout),
            settings,
            publishing,
            consuming,
            readers: Readers::default(),
            tasks: Tasks::default(),
            closed: CancellationToken::new(),
        })
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.closed.is_cancelled() { Err(BackendError::new("the bus is closed")) } else { Ok(()) }
    }
}

#[async_trait]
impl Backend for RabbitMqBackend {
    fn abilities(&self) -> Abilities {
        Abilities {
            name: "rabbitmq",
            routes: true,
            starts_in_the_past: false,
            // In a stream queue beside the exchange.
            log: true,
            numbers: false,
            // By a single active consumer.
            orders_across_members: true,
            counts_redeliveries: true,
            releases_at_once: true,
            max_body: MAX_BODY,
            delay_steps: STEPS,
            durable: true,
        }
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        self.check_open()?;
        // The queues of a group are made by its members, who know what it wants, and by the publisher.
        answered(async {
            let channel = self.publishing.channel().await?;
            topology::declare_stream(&channel, destination.stream()).await?;
            topology::close(channel).await;
            Ok(())
        })
        .await
    }

    async fn ensure_log(&self, stream: &str) -> Result<(), BackendError> {
        self.check_open()?;
        answered(topology::declare_log(&self.publishing, stream)).await
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        if self.closed.is_cancelled() {
            let closed = || PublishError::not_stored(PublishErrorKind::Closed, "the bus is closed");
            return batch.iter().map(|_| Err(closed())).collect();
        }
        self.publisher.publish(batch).await
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        self.check_open()?;
        answered(topology::declare_group(&self.consuming, &spec, self.settings.delivery_limit)).await?;
        let (link, closing) = (self.consuming.clone(), self.closed.child_token());
        Ok(Box::new(Member::join(link, spec, closing, &self.tasks).await?))
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        self.check_open()?;
        let readers = self.readers.clone();
        Ok(Box::new(Dead::open(&self.consuming, readers, self.tasks.clone(), stream, group).await?))
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        self.check_open()?;
        Ok(Box::new(Log::open(self.consuming.clone(), stream, &from).await?))
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        let until = Instant::now() + deadline;
        self.closed.cancel();
        let all_confirmed = self.publisher.close(deadline).await;
        let late = |_| BackendError::new("RabbitMQ did not end the connection in time");
        timeout_at(until, self.tasks.join()).await.map_err(late)?;
        for link in [&self.consuming, &self.publishing] {
            timeout_at(until, link.close()).await.map_err(late)??;
        }
        if !all_confirmed {
            return Err(BackendError::new("messages had no confirm when the deadline passed"));
        }
        Ok(())
    }
}
