//! A connection to one broker: [`Bus`].

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use crate::backend::memory::MemoryBroker;
use crate::backend::{Backend, BackendError, Destination};
use crate::consume::{ConsumerBuilder, Failure, MessageConsumer, SubscribeError};
use crate::dead::DeadLetters;
use crate::event::{Event, EventType};
use crate::publish::MessageProducer;

/// A connection to one broker: it publishes, subscribes and closes. Clones share it.
#[derive(Clone)]
pub struct Bus {
    backend: Arc<dyn Backend>,
    service: ByteString,
}

/// A bus cannot be connected, or a request to its broker failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The address names no backend.
    #[error(
        "the address {address:?} names no backend: rocketmq://host:port, amqp://host:port, kafka://host:port or memory:name"
    )]
    Address {
        /// The address, without what is before an `@`.
        address: String,
    },
    /// The crate was built without the feature of this backend.
    #[error("{scheme} is not available: rocketmq-event was built without the feature {feature:?}")]
    NotBuilt {
        /// The scheme of the address.
        scheme: String,
        /// The feature.
        feature: &'static str,
    },
    /// The broker refused, or cannot be reached.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Bus {
    /// Connects. The address chooses the backend:
    ///
    /// | address | backend | feature |
    /// |---|---|---|
    /// | `memory:` and `memory:name` | in this process: a broker of its own, or the broker of this name | – |
    /// | `rocketmq://host:port`, several NameServers joined by `;` | RocketMQ | `rocketmq` |
    /// | `amqp://user:password@host:port/vhost` | RabbitMQ | `rabbitmq` |
    /// | `kafka://host:port,host:port` | Kafka | `kafka` |
    ///
    /// # Errors
    /// When the address names no backend, its feature is off, or the broker cannot be reached.
    pub async fn connect(address: &str) -> Result<Self, BusError> {
        let unknown = || BusError::Address { address: without_password(address) };
        let (scheme, rest) = address.split_once(':').ok_or_else(unknown)?;
        #[allow(unused_variables, reason = "with all backends built in, none is missing")]
        let not_built = |feature| BusError::NotBuilt { scheme: scheme.to_owned(), feature };
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::new(MemoryBroker::new().connect())),
            "memory" => Ok(Self::new(MemoryBroker::named(rest).connect())),
            #[cfg(feature = "rocketmq")]
            "rocketmq" => {
                let name_servers = rest.trim_start_matches('/');
                Ok(Self::new(crate::backend::rocketmq::RocketMqBackend::connect(name_servers).await?))
            }
            #[cfg(not(feature = "rocketmq"))]
            "rocketmq" => Err(not_built("rocketmq")),
            #[cfg(feature = "rabbitmq")]
            "amqp" | "amqps" => {
                use crate::backend::rabbitmq::{RabbitMqBackend, RabbitMqSettings};
                Ok(Self::new(RabbitMqBackend::connect(RabbitMqSettings::new(address)).await?))
            }
            #[cfg(not(feature = "rabbitmq"))]
            "amqp" | "amqps" => Err(not_built("rabbitmq")),
            #[cfg(feature = "kafka")]
            "kafka" => {
                use crate::backend::kafka::{KafkaBackend, KafkaSettings};
                let brokers = rest.trim_start_matches('/');
                Ok(Self::new(KafkaBackend::connect(KafkaSettings::new(brokers)).await?))
            }
            #[cfg(not(feature = "kafka"))]
            "kafka" => Err(not_built("kafka")),
            _ => Err(unknown()),
        }
    }

    /// A bus over a backend that is made by hand.
    pub fn new(backend: impl Backend) -> Self {
        Self { backend: Arc::new(backend), service: ByteString::new() }
    }

    /// The name of this service: CloudEvents' `source` of all that it publishes.
    #[must_use]
    pub fn with_source(mut self, service: impl Into<ByteString>) -> Self {
        self.service = service.into();
        self
    }

    /// The backend.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(crate) fn service(&self) -> &ByteString {
        &self.service
    }

    /// A producer for a stream, which is created if it does not exist and the broker lets us.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached.
    pub async fn producer(&self, stream: impl Into<ByteString>) -> Result<MessageProducer, BusError> {
        let stream = stream.into();
        self.backend.ensure(&Destination::Stream(stream.clone())).await?;
        Ok(MessageProducer::new(self.backend.clone(), stream, self.service.clone()))
    }

    /// The dead letters of a group.
    pub fn dead_letters(&self, stream: impl Into<ByteString>, group: impl Into<ByteString>) -> DeadLetters {
        DeadLetters::new(self.backend.clone(), stream.into(), group.into())
    }

    /// A member of a group of a stream. Members of a group share its events; each group gets all of them. On RocketMQ a bus has one
    /// member of a group: a further member connects a bus of its own.
    pub fn consumer(&self, stream: impl Into<ByteString>, group: impl Into<ByteString>) -> ConsumerBuilder {
        ConsumerBuilder::new(self.backend.clone(), stream.into(), group.into(), self.service.clone())
    }

    /// The short form of [`consumer`](Self::consumer) for one handler that needs the payload alone. The defaults hold: an event whose
    /// handler fails is tried again, and becomes a dead letter at last.
    ///
    /// ```
    /// # use rocketmq_event::{Bus, EventType};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct UserCreated { user_id: i64 }
    /// # impl EventType for UserCreated { const NAMES: &'static [&'static str] = &["user.created"]; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bus = Bus::connect("memory:").await?;
    /// # let (tell, mut told) = tokio::sync::mpsc::channel(1);
    /// let consumer = bus
    ///     .consume("events", "user-events", move |user: UserCreated| {
    ///         println!("welcome, {}", user.user_id);
    /// #       let tell = tell.clone();
    /// #       async move { tell.send(()).await?;
    ///         Ok(())
    /// #       }
    ///     })
    ///     .await?;
    /// # bus.producer("events").await?.send(&UserCreated { user_id: 7 }).await?;
    /// # told.recv().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ConsumerBuilder::start`].
    pub async fn consume<T, H, F>(
        &self,
        stream: impl Into<ByteString>,
        group: impl Into<ByteString>,
        handler: H,
    ) -> Result<MessageConsumer, SubscribeError>
    where
        T: EventType,
        H: Fn(T) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.consumer(stream, group).on(move |event: Event<T>, _| handler(event.data)).start().await
    }

    /// Sends the events that wait to be sent, and closes all connections. Consumers that still run end. Calling it again does nothing.
    ///
    /// # Errors
    /// When something was left after ten seconds.
    pub async fn close(&self) -> Result<(), BusError> {
        self.close_within(Duration::from_secs(10)).await
    }

    /// As [`close`](Self::close), with a deadline.
    ///
    /// # Errors
    /// When something was left when the deadline passed.
    pub async fn close_within(&self, deadline: Duration) -> Result<(), BusError> {
        Ok(self.backend.close(deadline).await?)
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("backend", &self.backend.abilities().name)
            .field("service", &self.service)
            .finish()
    }
}

/// The address for errors: without the part that may hold a password.
fn without_password(address: &str) -> String {
    match (address.split_once("//"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
        _ => address.to_owned(),
    }
}
