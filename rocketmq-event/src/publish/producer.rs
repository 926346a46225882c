use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use super::Receipt;
use crate::backend::{Backend, Destination, Outgoing};
use crate::error::{PublishError, PublishErrorKind};
use crate::event::{self, EncodeError, Envelope, Event, EventType, Format, envelope_of};
use crate::otel::Span;

/// Publishes events to a stream: [`Bus::producer`](crate::Bus::producer). Clones share all.
#[derive(Debug, Clone)]
pub struct MessageProducer {
    backend: Arc<dyn Backend>,
    stream: ByteString,
    source: ByteString,
    format: Format,
}

impl MessageProducer {
    pub(crate) fn new(backend: Arc<dyn Backend>, stream: ByteString, source: ByteString) -> Self {
        Self { backend, stream, source, format: Format::Json }
    }

    /// The format of the payloads, JSON by default. Readers learn it from the content type.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Publishes a value. Returns when the broker has it.
    ///
    /// # Errors
    /// When the event is not stored, or maybe stored: [`PublishError::outcome`]. When the future is dropped, it is maybe stored.
    pub async fn send<E: EventType>(&self, event: &E) -> Result<Receipt, PublishError> {
        let message = self.outgoing(envelope_of(event), event.encode(self.format))?;
        self.deliver(message).await
    }

    /// Publishes a value with its envelope. Publishing the `Event` again after an error repeats its id, so that readers can
    /// tell the duplicate.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_event<E: EventType>(&self, event: &Event<E>) -> Result<Receipt, PublishError> {
        let message = self.outgoing(event.envelope.clone(), event.data.encode(self.format))?;
        self.deliver(message).await
    }

    /// Publishes any serde value under a routing key, which is its name.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn publish<T: Serialize + ?Sized>(
        &self,
        routing_key: &str,
        message: &T,
    ) -> Result<Receipt, PublishError> {
        let envelope = Envelope::new(routing_key.to_owned());
        let message = self.outgoing(envelope, event::encode(message, self.format))?;
        self.deliver(message).await
    }

    /// Publishes events together, pipelined. Returns one result for each, in order; an event that fails costs its
    /// neighbours nothing.
    pub async fn send_batch<E: EventType>(&self, events: &[Event<E>]) -> Vec<Result<Receipt, PublishError>> {
        let mut results = Vec::with_capacity(events.len());
        let mut batch = Vec::with_capacity(events.len());
        for event in events {
            match self.outgoing(event.envelope.clone(), event.data.encode(self.format)) {
                Ok(message) => {
                    results.push(None);
                    batch.push(message);
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        let system = self.backend.abilities().name;
        let spans: Vec<Span> = batch.iter_mut().map(|message| Span::publish(system, message)).collect();
        let stored = self.backend.publish(batch).await;
        spans.iter().zip(&stored).for_each(|(span, stored)| span.published(stored.as_ref().err()));
        let mut stored = stored.into_iter();
        let mut results = results.into_iter();
        let complete = events.iter().map(|event| match results.next().flatten() {
            Some(known) => known,
            None => stored
                .next()
                .unwrap_or_else(|| Err(no_answer()))
                .map(|stored| Receipt::new(event.id.clone(), stored.position, stored.durability)),
        });
        complete.collect()
    }

    async fn deliver(&self, mut message: Outgoing) -> Result<Receipt, PublishError> {
        let id = message.envelope.id.clone();
        let span = Span::publish(self.backend.abilities().name, &mut message);
        let stored = span.within(self.backend.publish(vec![message])).await.pop();
        let stored = stored.unwrap_or_else(|| Err(no_answer()));
        span.published(stored.as_ref().err());
        let stored = stored?;
        Ok(Receipt::new(id, stored.position, stored.durability))
    }

    /// Publishes a payload that is written already.
    pub(crate) async fn send_encoded(
        &self,
        envelope: Envelope,
        body: Bytes,
    ) -> Result<Receipt, PublishError> {
        let message = self.encoded(envelope, body)?;
        self.deliver(message).await
    }

    fn outgoing(
        &self,
        mut envelope: Envelope,
        body: Result<Bytes, EncodeError>,
    ) -> Result<Outgoing, PublishError> {
        let body = body.map_err(|source| not_encoded(&envelope.name, source))?;
        envelope.content_type = ByteString::from_static(self.format.content_type());
        self.encoded(envelope, body)
    }

    fn encoded(&self, mut envelope: Envelope, body: Bytes) -> Result<Outgoing, PublishError> {
        if envelope.source.is_empty() {
            envelope.source = self.source.clone();
        }
        let limit = self.backend.abilities().max_body;
        if body.len() > limit {
            return Err(PublishError::too_large(body.len(), limit));
        }
        Ok(Outgoing { destination: Destination::Stream(self.stream.clone()), envelope, body })
    }
}

fn not_encoded(name: &str, source: EncodeError) -> PublishError {
    PublishError::not_stored(PublishErrorKind::Encode, format!("the event {name} cannot be written"))
        .with_source(source)
}

/// A backend that returns too few results does not keep its contract; the event may be stored.
fn no_answer() -> PublishError {
    PublishError::maybe_stored(PublishErrorKind::Refused, "the backend did not answer for this event")
}
