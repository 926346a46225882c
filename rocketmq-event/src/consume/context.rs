use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use tokio_util::sync::CancellationToken;

use crate::backend::{Destination, Outgoing};
use crate::event::{EncodeError, Envelope, Event, EventId, EventType, Format, Position};

/// The view that a handler has of its event, and its way to publish follow-up events. Clones share both.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    attempt: u32,
    group: ByteString,
    service: ByteString,
    envelope: Arc<Envelope>,
    position: Position,
    format: Format,
    cancelled: CancellationToken,
    published: Mutex<Published>,
}

/// The events that a handler published.
#[derive(Debug, Default)]
struct Published {
    /// Events that have not gone out yet.
    waiting: Vec<Outgoing>,
    /// All events so far: ids count them.
    count: usize,
    /// The attempt has ended.
    is_closed: bool,
}

impl Context {
    pub(super) fn new(
        (group, service): (ByteString, ByteString),
        (envelope, position): (Arc<Envelope>, Position),
        (attempt, format): (u32, Format),
        cancelled: CancellationToken,
    ) -> Self {
        let published = Mutex::default();
        Self(Arc::new(Inner { attempt, group, service, envelope, position, format, cancelled, published }))
    }

    /// The number of this attempt: 1 for the first. It counts over retries and members; a broker that does not count
    /// deliveries to members that died leaves them out.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Where the event was read.
    pub fn position(&self) -> &Position {
        &self.0.position
    }

    /// The group that this handler belongs to.
    pub fn group(&self) -> &str {
        &self.0.group
    }

    /// The attributes that travelled beside the payload.
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// Resolves when the handler should end soon, without success: the deadline of a shutdown is near, or another member
    /// owns the event. Dropping the future changes nothing.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.cancelled.clone().cancelled_owned()
    }

    /// Whether [`cancelled`](Self::cancelled) has resolved.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }

    /// Publishes an event if, and only if, the handler succeeds, before its own event is acknowledged. If that fails, the handler's
    /// event comes again. Correlation, cause and trace are set.
    ///
    /// The id is made of the handled event's id, the group and a count. So a handler that runs twice, after a crash for example,
    /// repeats its ids, and [`Dedupe`](super::Dedupe) of the readers drops the second events.
    ///
    /// # Errors
    /// When the value cannot be written, or the attempt has ended: a task that outlives its handler publishes by a producer.
    pub fn publish<E: EventType>(&self, stream: impl Into<ByteString>, event: E) -> Result<(), EncodeError> {
        let mut event = Event::new(event);
        let count = self.published().count + 1;
        event.envelope.id = EventId::from(format!("{}/{}/{count}", self.0.envelope.id, self.0.group));
        self.publish_event(stream, event)
    }

    /// Publishes an event with an envelope of your own, like [`publish`](Self::publish): its id stays, and so do correlation, cause and
    /// trace where they are set.
    ///
    /// # Errors
    /// When the value cannot be written, or the attempt has ended: a task that outlives its handler publishes by a producer.
    pub fn publish_event<E: EventType>(
        &self,
        stream: impl Into<ByteString>,
        event: Event<E>,
    ) -> Result<(), EncodeError> {
        let body = event.data.encode(self.0.format)?;
        let (handled, mut envelope) = (&self.0.envelope, event.envelope);
        envelope.content_type = ByteString::from_static(self.0.format.content_type());
        if envelope.source.is_empty() {
            envelope.source = self.0.service.clone();
        }
        let conversation = || handled.correlation.clone().or_else(|| Some(handled.id.as_str().into()));
        envelope.correlation = envelope.correlation.or_else(conversation);
        envelope.cause = envelope.cause.or_else(|| Some(handled.id.clone()));
        // With spans, the publication has a span below the handler's own, which travels instead.
        if envelope.trace_parent.is_none() && !crate::otel::is_on() {
            envelope.trace_parent = handled.trace_parent.clone();
            envelope.trace_state = handled.trace_state.clone();
        }
        let mut published = self.published();
        if published.is_closed {
            return Err(EncodeError::Late { name: envelope.name.to_string() });
        }
        published.count += 1;
        published.waiting.push(Outgoing { destination: Destination::Stream(stream.into()), envelope, body });
        Ok(())
    }

    /// Takes out the events that the handler published so far.
    pub(super) fn take_published(&self) -> Vec<Outgoing> {
        std::mem::take(&mut self.published().waiting)
    }

    /// Takes out the last events at the end of the attempt. A clone of this context that publishes later gets an error: its event would
    /// not be sent.
    pub(super) fn close(&self) -> Vec<Outgoing> {
        self.published().is_closed = true;
        self.take_published()
    }

    fn published(&self) -> std::sync::MutexGuard<'_, Published> {
        self.0.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
