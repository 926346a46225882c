use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Context, Failure};
use crate::event::{self, DecodeError, Envelope, Event, EventType, Pattern, Upcasts};

pub(super) type Handling = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
type Decoded = Result<Handling, DecodeError>;

/// Decodes a payload and begins to handle it.
pub(super) type Handler = Arc<dyn Fn(&Envelope, &Bytes, &Upcasts, Context) -> Decoded + Send + Sync>;

/// The handlers of a consumer, by name and by pattern.
#[derive(Default)]
pub(super) struct Handlers {
    by_name: HashMap<&'static str, Handler>,
    by_pattern: Vec<(Pattern, Handler)>,
    pub(super) upcasts: Upcasts,
    /// Names that two handlers take.
    twice: Vec<&'static str>,
}

impl Handlers {
    pub(super) fn on<T, H, F>(&mut self, handler: H)
    where
        T: EventType,
        H: Fn(Event<T>, Context) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Arc::new(move |envelope, body, upcasts, context| {
            let format = format_of(envelope)?;
            let (version, body) = upcasts.apply(envelope, T::VERSION, body)?;
            let data = T::decode(&envelope.name, version, format, &body)?;
            Ok(begun_late(handler.clone(), Event::from_parts(envelope.clone(), data), context))
        });
        for name in T::NAMES {
            if self.by_name.insert(name, handler.clone()).is_some() {
                self.twice.push(name);
            }
        }
    }

    pub(super) fn on_key<T, H, F>(&mut self, pattern: Pattern, handler: H)
    where
        T: DeserializeOwned + Send + 'static,
        H: Fn(Event<T>, Context) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Arc::new(move |envelope, body, _, context| {
            let data = event::decode(&envelope.name, format_of(envelope)?, body)?;
            Ok(begun_late(handler.clone(), Event::from_parts(envelope.clone(), data), context))
        });
        self.by_pattern.push((pattern, handler));
    }

    /// A name that two handlers take.
    pub(super) fn taken_twice(&self) -> Option<&'static str> {
        self.twice.first().copied()
    }

    /// The names and patterns that some handler takes.
    pub(super) fn patterns(&self) -> impl Iterator<Item = Pattern> {
        let names = self.by_name.keys().map(|name| Pattern::new(*name));
        names.chain(self.by_pattern.iter().map(|(pattern, _)| pattern.clone()))
    }

    /// The handler of a name: that of the name, or the first whose pattern matches.
    pub(super) fn find(&self, name: &str) -> Option<&Handler> {
        let by_pattern =
            || self.by_pattern.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, handler)| handler);
        self.by_name.get(name).or_else(by_pattern)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.patterns()).finish()
    }
}

/// A handler is called when its future is polled, and not before: the layers around it decide whether it is called at all.
fn begun_late<T, H, F>(handler: Arc<H>, event: Event<T>, context: Context) -> Handling
where
    T: Send + 'static,
    H: Fn(Event<T>, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Box::pin(async move { handler(event, context).await })
}

fn format_of(envelope: &Envelope) -> Result<event::Format, DecodeError> {
    let unknown = || DecodeError::ContentType { content_type: envelope.content_type.to_string() };
    envelope.format().ok_or_else(unknown)
}
