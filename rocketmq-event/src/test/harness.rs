use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt};

use super::HandlerOutcome;
use crate::backend::memory::MemoryBroker;
use crate::backend::{BackendError, Destination, LogError, Outgoing, Positions};
use crate::bus::{Bus, BusError};
use crate::consume::{ConsumerBuilder, ConsumerEvent, MessageConsumer, SubscribeError};
use crate::dead::DeadLetter;
use crate::event::{DecodeError, Envelope, Event, EventId, EventType, Format};

const STREAM: &str = "harness";
const GROUP: &str = "tested";

/// Feeds events to the handlers of a consumer, and tells what becomes of each. All is real except the broker, which is in memory.
///
/// With `#[tokio::test(start_paused = true)]` time is virtual: a retry after ten minutes takes none.
///
/// ```
/// use std::time::Duration;
/// use rocketmq_event::test::{Harness, HandlerOutcome};
/// use rocketmq_event::{Context, Event, EventType, RetryPolicy};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated { user_id: i64 }
/// impl EventType for UserCreated {
///     const NAMES: &'static [&'static str] = &["user.created"];
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let handler = |event: Event<UserCreated>, context: Context| async move {
///     if context.attempt() == 1 { Err("the mail server is busy")? }
///     assert_eq!(event.data.user_id, 7);
///     Ok(())
/// };
/// let retry = RetryPolicy::later(3).with_delays([Duration::from_millis(20)]);
/// let mut tested = Harness::start(|consumer| consumer.on(handler).retry(retry)).await?;
/// let first = tested.deliver(UserCreated { user_id: 7 }).await?;
/// assert_eq!(first, HandlerOutcome::Retried { attempt: 1, after: Duration::from_millis(20) });
/// assert_eq!(tested.next().await?, HandlerOutcome::Acknowledged);
/// assert!(tested.dead_letters().await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Harness {
    bus: Bus,
    events: Pin<Box<dyn Stream<Item = ConsumerEvent> + Send>>,
    /// The last delivery.
    last: EventId,
    /// Ends with the harness.
    _consumer: MessageConsumer,
}

/// A harness does not do what it was asked to: the test is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// The consumer does not start.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The broker in memory refused.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The broker in memory refused.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The event is not published.
    #[error(transparent)]
    Publish(#[from] crate::PublishError),
    /// The consumer ended, and nothing more will come.
    #[error("the consumer has ended")]
    Ended,
    /// A published event is not of the wanted type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The log in memory cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Harness {
    /// Starts the consumer that `build` makes: its handlers, its policy, its layers.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(build: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder) -> Result<Self, HarnessError> {
        let bus = Bus::new(MemoryBroker::new().connect());
        let consumer = build(bus.consumer(STREAM, GROUP)).bind("#").start().await?;
        let events = Box::pin(consumer.events());
        Ok(Self { bus, events, last: EventId::new(), _consumer: consumer })
    }

    /// Delivers a value, and returns what became of its first attempt.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub async fn deliver<E: EventType>(&mut self, data: E) -> Result<HandlerOutcome, HarnessError> {
        self.deliver_event(Event::new(data)).await
    }

    /// Delivers a value with its envelope.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub async fn deliver_event<E: EventType>(
        &mut self,
        event: Event<E>,
    ) -> Result<HandlerOutcome, HarnessError> {
        self.last = event.id.clone();
        self.bus.producer(STREAM).await?.send_event(&event).await?;
        self.next().await
    }

    /// Delivers bytes under the name of an event, like a message of another publisher.
    ///
    /// # Errors
    /// When the broker in memory refuses them.
    pub async fn deliver_raw(
        &mut self,
        name: &str,
        body: impl Into<Bytes>,
    ) -> Result<HandlerOutcome, HarnessError> {
        let envelope = Envelope::new(name.to_owned());
        self.last = envelope.id.clone();
        let destination = Destination::Stream(STREAM.into());
        let message = Outgoing { destination, envelope, body: body.into() };
        for stored in self.bus.backend().publish(vec![message]).await {
            stored?;
        }
        self.next().await
    }

    /// Waits for the next outcome of the event that was delivered last: that of a retry. On virtual time it waits no time.
    ///
    /// # Errors
    /// `Ended` when nothing more will come.
    pub async fn next(&mut self) -> Result<HandlerOutcome, HarnessError> {
        loop {
            let event = self.events.next().await.ok_or(HarnessError::Ended)?;
            if let Some(outcome) = HandlerOutcome::of(event, &self.last) {
                return Ok(outcome);
            }
        }
    }

    /// Lets this time pass.
    pub async fn advance(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The events of one type that handlers published to a stream so far.
    ///
    /// # Errors
    /// When one of them is not of this type.
    pub async fn published<E: EventType>(&self, stream: &str) -> Result<Vec<Event<E>>, HarnessError> {
        let mut log = self.bus.backend().log(stream, Positions::beginning()).await?;
        let ends = log.ends().await?;
        let mut published = Vec::new();
        while !log.positions().have_reached(&ends) {
            let incoming = log.next().await?;
            let format = incoming.envelope.format().unwrap_or(Format::Json);
            let data = E::decode(&incoming.envelope.name, incoming.envelope.version, format, &incoming.body)?;
            published.push(Event::from_parts(incoming.envelope, data));
        }
        Ok(published)
    }

    /// The dead letters.
    ///
    /// # Errors
    /// Never, over the broker in memory.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, HarnessError> {
        Ok(self.bus.dead_letters(STREAM, GROUP).read().try_collect().await?)
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("last", &self.last).finish_non_exhaustive()
    }
}
