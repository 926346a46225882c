//! [OpenTelemetry](https://docs.rs/opentelemetry) spans of publishers and consumers: the feature `otel`.
//!
//! Install a tracer provider with [`opentelemetry::global::set_tracer_provider`], then call [`enable`].
//!
//! | span | kind | `messaging.operation.type` | from when to when |
//! |---|---|---|---|
//! | `publish STREAM` | producer | `send` | the publication of an event, until the broker's answer |
//! | `process STREAM` | consumer | `process` | one attempt of a handler, with what it publishes |
//! | `ack STREAM` | client | `settle` | the acknowledgement, until the broker has it or has it noted |
//! | `retry STREAM`, `dead_letter STREAM` | client | `settle` | the copy for a later attempt, or the dead letter, until the broker has it |
//!
//! The trace travels in the envelope: `publish` puts the W3C context of its span into `traceparent` and `tracestate`, unless the
//! event has them already; then its span links to that context. The spans `process`, `ack`, `retry` and `dead_letter` are children of
//! that context, through retries, dead letters and replays. The span of a handler is the current context in it, and so the parent of what it
//! publishes.
//!
//! Names are those of OpenTelemetry's semantic conventions: `messaging.system` (`rocketmq`, `rabbitmq`, `kafka`, `memory`),
//! `messaging.operation.name`, `messaging.destination.name` (the stream), `messaging.destination.partition.id`,
//! `messaging.consumer.group.name`, `messaging.message.id`, `messaging.message.conversation_id`, `messaging.message.body.size`,
//! `cloudevents.event_id`, `cloudevents.event_type`, `cloudevents.event_source`, `error.type`; and `event.attempt`, the number of the attempt.
//!
//! RocketMQ's client has spans of its own, which its `otel::enable` turns on.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytestring::ByteString;
use opentelemetry::trace::{
    FutureExt, Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};

use crate::backend::{Incoming, Outgoing};
use crate::error::PublishError;
use crate::event::Envelope;

static ON: AtomicBool = AtomicBool::new(false);

/// Turns spans on for all buses of this process. Call it once, when the tracer provider is installed: until then spans cost
/// nothing.
///
/// ```
/// opentelemetry::global::set_tracer_provider(opentelemetry::trace::noop::NoopTracerProvider::new()); // The provider of the SDK.
/// rocketmq_event::otel::enable();
/// ```
pub fn enable() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether this process makes spans.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The consumer that makes a span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) system: &'static str,
    pub(crate) stream: &'a str,
    pub(crate) group: &'a str,
}

/// The span of a publication, or of an attempt of a handler.
#[derive(Debug)]
pub(crate) struct Span(Option<Context>);

impl Span {
    /// Begins the span of a publication to a stream, and has its context travel with the event.
    pub(crate) fn publish(system: &'static str, message: &mut Outgoing) -> Self {
        if !is_on() {
            return Self(None);
        }
        let stream = message.destination.stream().clone();
        let mut attributes = attributes(system, "publish", "send", &stream);
        describe(&mut attributes, &message.envelope, message.body.len());
        let links = carried(&message.envelope).map(Link::with_context).into_iter().collect();
        let tracer = tracer();
        let builder = tracer.span_builder(format!("publish {stream}")).with_kind(SpanKind::Producer);
        let span = builder.with_attributes(attributes).with_links(links).start(&tracer);
        let context = Context::current_with_span(span);
        travel_with(&mut message.envelope, context.span().span_context());
        Self(Some(context))
    }

    /// Begins the span of an attempt of a handler.
    pub(crate) fn process(about: About<'_>, incoming: &Incoming, attempt: u32) -> Self {
        if !is_on() {
            return Self(None);
        }
        let mut attributes = received(about, "process", "process", incoming);
        attributes.push(KeyValue::new("event.attempt", i64::from(attempt)));
        let (tracer, parent) = (tracer(), parent_of(incoming));
        let builder = tracer.span_builder(format!("process {}", about.stream)).with_kind(SpanKind::Consumer);
        let span = builder.with_attributes(attributes).start_with_context(&tracer, &parent);
        Self(Some(parent.with_span(span)))
    }

    /// Runs a future within the span: what it does belongs to the span.
    pub(crate) fn within<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        match &self.0 {
            Some(context) => future.with_context(context.clone()),
            None => future.with_current_context(),
        }
    }

    /// Ends a publication.
    pub(crate) fn published(&self, error: Option<&PublishError>) {
        self.end(error.map(|error| (format!("{:?}", error.kind()), error.to_string())));
    }

    /// Ends it. The error is its kind and its text.
    pub(crate) fn end(&self, error: Option<(String, String)>) {
        if let Some(context) = &self.0 {
            finish(context, error);
        }
    }
}

/// Records a settlement that took until now.
pub(crate) fn settled(about: About<'_>, name: &'static str, incoming: &Incoming, took: Duration) {
    if !is_on() {
        return;
    }
    let (tracer, parent) = (tracer(), parent_of(incoming));
    let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
    let builder = tracer.span_builder(format!("{name} {}", about.stream)).with_kind(SpanKind::Client);
    let builder = builder.with_start_time(began).with_attributes(received(about, name, "settle", incoming));
    let span = builder.start_with_context(&tracer, &parent);
    finish(&parent.with_span(span), None);
}

fn tracer() -> global::BoxedTracer {
    let scope = InstrumentationScope::builder("rocketmq-event").with_version(env!("CARGO_PKG_VERSION"));
    global::tracer_with_scope(scope.build())
}

fn attributes(system: &'static str, name: &'static str, kind: &'static str, stream: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", system),
        KeyValue::new("messaging.operation.name", name),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", stream.to_owned()),
    ]
}

fn received(about: About<'_>, name: &'static str, kind: &'static str, incoming: &Incoming) -> Vec<KeyValue> {
    let mut attributes = attributes(about.system, name, kind, about.stream);
    attributes.push(KeyValue::new("messaging.consumer.group.name", about.group.to_owned()));
    attributes.push(KeyValue::new("messaging.destination.partition.id", incoming.position.place.to_string()));
    describe(&mut attributes, &incoming.envelope, incoming.body.len());
    attributes
}

fn describe(attributes: &mut Vec<KeyValue>, envelope: &Envelope, size: usize) {
    attributes.push(KeyValue::new("messaging.message.id", envelope.id.to_string()));
    attributes.push(KeyValue::new("messaging.message.body.size", i64::try_from(size).unwrap_or(i64::MAX)));
    attributes.push(KeyValue::new("cloudevents.event_id", envelope.id.to_string()));
    attributes.push(KeyValue::new("cloudevents.event_type", envelope.name.to_string()));
    attributes.push(KeyValue::new("cloudevents.event_source", envelope.source.to_string()));
    if let Some(correlation) = &envelope.correlation {
        attributes.push(KeyValue::new("messaging.message.conversation_id", correlation.to_string()));
    }
}

fn finish(context: &Context, error: Option<(String, String)>) {
    let span = context.span();
    if let Some((kind, text)) = error {
        span.set_attribute(KeyValue::new("error.type", kind));
        span.set_status(Status::error(text));
    }
    span.end();
}

/// The context that an event brings along; without one, an empty context.
fn parent_of(incoming: &Incoming) -> Context {
    let carried = carried(&incoming.envelope);
    carried.map_or_else(Context::new, |carried| Context::new().with_remote_span_context(carried))
}

/// Puts a context into an event that has none.
fn travel_with(envelope: &mut Envelope, context: &SpanContext) {
    if !context.is_valid() || envelope.trace_parent.is_some() {
        return;
    }
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
    envelope.trace_parent = Some(format!("00-{trace}-{span}-{flags:02x}").into());
    let state = context.trace_state().header();
    envelope.trace_state = (!state.is_empty()).then(|| ByteString::from(state));
}

/// The context that an event carries.
fn carried(envelope: &Envelope) -> Option<SpanContext> {
    let mut fields = envelope.trace_parent.as_deref()?.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_hex = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2)
    {
        return None;
    }
    let state = envelope.trace_state.as_deref().and_then(|state| state.parse::<TraceState>().ok());
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        state.unwrap_or_default(),
    );
    context.is_valid().then_some(context)
}
