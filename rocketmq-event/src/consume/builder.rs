use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::handler::Handlers;
use super::policy::{Order, RetryPolicy, Unmatched};
use super::runtime::{Runtime, Settings};
use super::{Context, Failure, MessageConsumer, Middleware};
use crate::backend::{Backend, BackendError, Destination, Notices, Start, SubscriptionSpec};
use crate::event::{Event, EventType, Format, Pattern};

/// A member of a group before its start: [`Bus::consumer`](crate::Bus::consumer).
#[derive(Debug)]
#[must_use = "it consumes once it is started"]
pub struct ConsumerBuilder {
    backend: Arc<dyn Backend>,
    stream: ByteString,
    group: ByteString,
    service: ByteString,
    handlers: Handlers,
    bound: Vec<Pattern>,
    start: Start,
    settings: Settings,
}

/// A consumer does not start.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Two handlers take events of one name.
    #[error("two handlers take events named {name}")]
    Twice {
        /// The name.
        name: &'static str,
    },
    /// There is no handler.
    #[error("the consumer of group {group} has no handler")]
    NoHandler {
        /// The group.
        group: String,
    },
    /// The broker refused, or cannot be reached.
    #[error("the group {group} cannot read {stream}")]
    Backend {
        /// The stream.
        stream: String,
        /// The group.
        group: String,
        /// Why.
        source: BackendError,
    },
}

impl ConsumerBuilder {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        stream: ByteString,
        group: ByteString,
        service: ByteString,
    ) -> Self {
        Self {
            backend,
            stream,
            group,
            service,
            handlers: Handlers::default(),
            bound: Vec::new(),
            start: Start::default(),
            settings: Settings::default(),
        }
    }

    /// Handles events of one type; once for each type. The group subscribes to the names of all of them.
    ///
    /// The handler's future may be dropped at each of its `await`s: at the timeout, and at the deadline of a shutdown.
    pub fn on<T, H, F>(mut self, handler: H) -> Self
    where
        T: EventType,
        H: Fn(Event<T>, Context) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.handlers.on(handler);
        self
    }

    /// Handles any serde type under a pattern of names (`user.*`), for types that have no [`EventType`]. Handlers of a name go
    /// before handlers of a pattern, and earlier patterns before later ones.
    pub fn on_key<T, H, F>(mut self, pattern: impl Into<Pattern>, handler: H) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        H: Fn(Event<T>, Context) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.handlers.on_key(pattern.into(), handler);
        self
    }

    /// Brings JSON payloads of an event named `name` from schema version `from` to the next, before its handler reads them. Several steps
    /// follow each other up to [`EventType::VERSION`]. A step that fails makes a dead letter.
    pub fn upcast<F>(mut self, name: impl Into<ByteString>, from: u32, step: F) -> Self
    where
        F: Fn(Value) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    {
        self.handlers.upcasts.insert(name.into(), from, step);
        self
    }

    /// Subscribes the group to a pattern in place of the handlers' names. Events that no handler takes are then
    /// [`unmatched`](Self::unmatched). May be called several times.
    pub fn bind(mut self, pattern: impl Into<Pattern>) -> Self {
        self.bound.push(pattern.into());
        self
    }

    /// How many handlers run at a time; 1 by default: one after the other. Above 65,536 it is 65,536.
    pub fn concurrency(mut self, handlers: NonZeroUsize) -> Self {
        self.settings.concurrency = handlers.get().min(1 << 16);
        self
    }

    /// How many events wait in this process for a handler; by default as many as handlers run at a time. Fast handlers go on while the broker
    /// sends if more events wait. Other members of the group cannot have an event that waits here; and a broker that counts deliveries
    /// counts the event as delivered when this process dies.
    pub fn prefetch(mut self, events: NonZeroUsize) -> Self {
        self.settings.prefetch = Some(events.get());
        self
    }

    /// Which order is kept; none by default.
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// The policy for events whose handler fails; `RetryPolicy::later(8)` by default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Where a group that the broker does not know yet begins; with what is published from now on by default.
    pub fn start_from(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// The outcome of events that no handler takes; they are acknowledged by default.
    pub fn unmatched(mut self, unmatched: Unmatched) -> Self {
        self.settings.unmatched = unmatched;
        self
    }

    /// Ends an attempt that takes longer than this, as a failure. Layers, the handler and its publications count. The future is dropped,
    /// so that it has no later effect. None by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// Puts a layer around all handlers, within the layers that were put before.
    pub fn layer(mut self, layer: impl Middleware) -> Self {
        self.settings.layers.push(Arc::new(layer));
        self
    }

    /// The format of events that handlers publish; JSON by default.
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Joins the group and begins to handle. Returns when the broker knows the group: what is published after that is delivered.
    ///
    /// # Errors
    /// `Twice` and `NoHandler` before anything is sent; `Backend` when the broker refuses or cannot be reached.
    pub async fn start(self) -> Result<MessageConsumer, SubscribeError> {
        if let Some(name) = self.handlers.taken_twice() {
            return Err(SubscribeError::Twice { name });
        }
        let patterns = if self.bound.is_empty() { self.handlers.patterns().collect() } else { self.bound };
        let (stream, group) = (self.stream.to_string(), self.group.to_string());
        if patterns.is_empty() {
            return Err(SubscribeError::NoHandler { group });
        }
        let spec = SubscriptionSpec {
            stream: self.stream.clone(),
            group: self.group.clone(),
            patterns,
            start: self.start,
            prefetch: self.settings.in_hand() + self.settings.ahead(),
            by_key: self.settings.order == Order::ByKey,
            notices: Notices::new(),
        };
        let failed = |source| SubscribeError::Backend { stream, group, source };
        let destination =
            Destination::Group { stream: self.stream.clone(), group: self.group, delay: Duration::ZERO };
        let source = async {
            self.backend.ensure(&destination).await?;
            self.backend.subscribe(spec.clone()).await
        };
        let source = source.await.map_err(failed)?;
        let runtime = Runtime::new(self.backend, source, spec, self.service, self.handlers, self.settings);
        Ok(MessageConsumer::start(runtime))
    }
}
