//! [OpenTelemetry](https://docs.rs/opentelemetry) spans of producers and consumers: the feature `otel`.
//!
//! Install a tracer provider with [`opentelemetry::global::set_tracer_provider`], then call [`enable`].
//!
//! | span | kind | `messaging.operation.type` | from when to when |
//! |---|---|---|---|
//! | `send TOPIC` | producer | `send` | the call of a send, all attempts included; a failed attempt is an event of the span |
//! | `pull TOPIC` | client | `receive` | a pull of a push consumer that brought messages |
//! | `poll TOPIC` | client | `receive` | a poll of a pull consumer that returned messages of a queue |
//! | `process TOPIC` | consumer | `process` | the handler of a listener |
//! | `ack TOPIC` | client | `settle` | a delivery of a stream that is done: no request, its offset goes with the next commit |
//! | `send_back TOPIC`, `dead_letter TOPIC` | client | `settle` | a message that failed is stored for another delivery, or as a dead letter |
//! | `commit TOPIC` | client | `settle` | a commit of an offset that a user asked for |
//!
//! The trace travels in the message: a send puts the W3C trace context of its span into the properties `traceparent` and
//! `tracestate`, unless the message has them already; then the span of the send links to that context. The span of a listener is
//! the child of that context, the current context of the handler, and so the parent of what the handler sends. The span of
//! a batch links to the context of each message. A program that reads a stream or polls goes on with [`context_of`]. Without
//! this feature the properties travel like others.
//!
//! Names are those of OpenTelemetry's semantic conventions for messaging: `messaging.system` (`rocketmq`),
//! `messaging.operation.name`, `messaging.destination.name` and `messaging.destination.partition.id` (the queue),
//! `messaging.consumer.group.name`, `messaging.client.id`, `messaging.message.id`, `messaging.message.body.size`,
//! `messaging.batch.message_count`, `messaging.rocketmq.namespace`, `messaging.rocketmq.message.tag`, `.keys`, `.type` and
//! `.delay_time_level`, `messaging.rocketmq.consumption_model`, `server.address`, `server.port`, `error.type`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceState};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::{
    Array, Context, ContextGuard, InstrumentationScope, KeyValue, StringValue, Value, global,
};
use rocketmq_common::MessageQueue;

use crate::error::MQClientError;
use crate::model::{Message, MessageExt};

static ON: AtomicBool = AtomicBool::new(false);

/// Turns spans on for the producers and consumers of this process. A consumer that was started before makes no spans of its
/// handlers. Call it once, when the tracer provider is installed: until then spans cost nothing.
///
/// ```
/// opentelemetry::global::set_tracer_provider(opentelemetry::trace::noop::NoopTracerProvider::new()); // The provider of the SDK.
/// rocketmq_client::otel::enable();
/// ```
pub fn enable() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether this process makes spans.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The property with the trace context of a message, in W3C's form.
const TRACEPARENT: &str = "traceparent";
/// The property with what tracing systems added to it.
const TRACESTATE: &str = "tracestate";
/// The number of messages that a span of many messages links to.
const LINKS: usize = 128;

/// The context that a message brings along: that of the span that sent it. Without one, an empty context.
///
/// ```
/// use opentelemetry::trace::TraceContextExt;
/// use rocketmq_client::model::{Message, MessageExt, RecordHeader};
/// use rocketmq_client::otel::context_of;
///
/// let mut message = Message::new("Orders", "order-7");
/// message.put_property("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
/// let context = context_of(&MessageExt::new(message, RecordHeader::default()));
/// assert_eq!(context.span().span_context().span_id().to_string(), "b7ad6b7169203331");
/// ```
pub fn context_of(message: &MessageExt) -> Context {
    match carried(message.message()) {
        Some(carried) => Context::new().with_remote_span_context(carried),
        None => Context::new(),
    }
}

/// The client that makes a span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) namespace: Option<&'a str>,
    /// Of a consumer: its group, and whether it broadcasts.
    pub(crate) consumer: Option<(&'a str, bool)>,
}

/// The span of a send. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SendSpan(Option<Arc<Context>>);

impl SendSpan {
    /// Begins the span of a send of one message or of `count` in a batch.
    pub(crate) fn begin(about: About<'_>, first: &Message, count: Option<usize>, half: bool) -> Self {
        let mut attributes = attributes(about, "send", "send", first.topic());
        match count {
            Some(count) => attributes.push(number("messaging.batch.message_count", count)),
            None => {
                describe(&mut attributes, first);
                let kind = if half {
                    "transaction"
                } else if first.is_timer() || first.delay_time_level() > 0 {
                    "delay"
                } else {
                    "normal"
                };
                attributes.push(KeyValue::new("messaging.rocketmq.message.type", kind));
                if first.delay_time_level() > 0 {
                    let level = i64::from(first.delay_time_level());
                    attributes.push(KeyValue::new("messaging.rocketmq.message.delay_time_level", level));
                }
            }
        }
        let links = carried(first).map(Link::with_context).into_iter().collect();
        let builder = builder("send", first.topic(), SpanKind::Producer).with_attributes(attributes);
        let tracer = tracer();
        Self(Some(Arc::new(Context::current_with_span(builder.with_links(links).start(&tracer)))))
    }

    /// Puts the context of the span into a message that has none.
    pub(crate) fn travel_with(&self, message: &mut Message) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        let context = span.span_context();
        if !context.is_valid() || message.property(TRACEPARENT).is_some() {
            return;
        }
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        message.put_property(TRACEPARENT, format!("00-{trace}-{span}-{flags:02x}"));
        let state = context.trace_state().header();
        if !state.is_empty() {
            message.put_property(TRACESTATE, state);
        }
    }

    /// The message has its id.
    pub(crate) fn has_id(&self, id: &str) {
        self.set(|| [KeyValue::new("messaging.message.id", id.to_owned())]);
    }

    /// An attempt to send has ended.
    pub(crate) fn attempted(&self, queue: &MessageQueue, address: &str, failure: Option<&MQClientError>) {
        self.set(|| server(address).chain([partition(queue)]));
        if let (Some(context), Some(failure)) = (&self.0, failure) {
            let attributes = vec![KeyValue::new("exception.message", failure.to_string())];
            context.span().add_event("attempt failed", attributes);
        }
    }

    /// The send has ended.
    pub(crate) fn end(&self, error: Option<&MQClientError>) {
        if let Some(context) = &self.0 {
            finish(context, error.map(|error| (kind_of(error), error.to_string())));
        }
    }

    fn set<I: IntoIterator<Item = KeyValue>>(&self, attributes: impl FnOnce() -> I) {
        if let Some(context) = &self.0
            && context.span().is_recording()
        {
            context.span().set_attributes(attributes());
        }
    }
}

/// The span of a handler.
#[derive(Debug)]
pub(crate) struct ProcessSpan(Context);

impl ProcessSpan {
    /// Begins the span of a handler of these messages.
    pub(crate) fn begin(about: About<'_>, messages: &[MessageExt], queue: &MessageQueue) -> Self {
        let topic = messages.first().map_or(queue.topic(), |message| message.topic());
        let mut attributes = attributes(about, "process", "process", topic);
        attributes.push(partition(queue));
        let builder = builder("process", topic, SpanKind::Consumer);
        let (builder, parent) = match messages {
            [message] => {
                describe_received(&mut attributes, message);
                (builder, context_of(message))
            }
            messages => {
                attributes.push(number("messaging.batch.message_count", messages.len()));
                (builder.with_links(links(messages)), Context::new())
            }
        };
        let tracer = tracer();
        let span = builder.with_attributes(attributes).start_with_context(&tracer, &parent);
        Self(parent.with_span(span))
    }

    /// Makes the span current while the guard lives.
    pub(crate) fn enter(&self) -> ContextGuard {
        self.0.clone().attach()
    }

    /// The handler has ended; the error is its kind and its text.
    pub(crate) fn end(&self, error: Option<(&'static str, String)>) {
        finish(&self.0, error);
    }
}

/// An operation of a consumer on messages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Receive(&'static str),
    Settle(&'static str),
}

/// Records an operation that took until now, of messages of a queue that users know by this name.
pub(crate) fn done<'m>(
    about: About<'_>,
    operation: Operation,
    queue: &MessageQueue,
    messages: impl IntoIterator<Item = &'m MessageExt>,
    (took, error): (Duration, Option<&MQClientError>),
) {
    if !is_on() {
        return;
    }
    let (name, kind) = match operation {
        Operation::Receive(name) => (name, "receive"),
        Operation::Settle(name) => (name, "settle"),
    };
    let mut messages = messages.into_iter();
    let first = messages.next();
    let topic = first.map_or(queue.topic(), |message| message.topic());
    let mut attributes = attributes(about, name, kind, topic);
    attributes.push(partition(queue));
    let builder = builder(name, topic, SpanKind::Client);
    let (builder, parent) = match (operation, first) {
        (Operation::Settle(_), Some(message)) => {
            describe_received(&mut attributes, message);
            (builder, context_of(message))
        }
        (Operation::Receive(_), Some(first)) => {
            let (mut count, mut linked) = (0, Vec::new());
            for message in std::iter::once(first).chain(messages) {
                count += 1;
                linked.extend(
                    carried(message.message()).filter(|_| linked.len() < LINKS).map(Link::with_context),
                );
            }
            attributes.push(number("messaging.batch.message_count", count));
            (builder.with_links(linked), Context::current())
        }
        (_, None) => (builder, Context::current()),
    };
    let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
    let builder = builder.with_start_time(began).with_attributes(attributes);
    let span = builder.start_with_context(&tracer(), &parent);
    finish(&parent.with_span(span), error.map(|error| (kind_of(error), error.to_string())));
}

fn tracer() -> global::BoxedTracer {
    let scope = InstrumentationScope::builder("rocketmq").with_version(env!("CARGO_PKG_VERSION"));
    global::tracer_with_scope(scope.build())
}

fn builder(operation: &str, topic: &str, kind: SpanKind) -> SpanBuilder {
    SpanBuilder::from_name(format!("{operation} {topic}")).with_kind(kind)
}

fn attributes(about: About<'_>, name: &'static str, kind: &'static str, topic: &str) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "rocketmq"),
        KeyValue::new("messaging.operation.name", name),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", topic.to_owned()),
        KeyValue::new("messaging.client.id", about.client_id.to_owned()),
    ];
    if let Some(namespace) = about.namespace {
        attributes.push(KeyValue::new("messaging.rocketmq.namespace", namespace.to_owned()));
    }
    if let Some((group, broadcasts)) = about.consumer {
        let model = if broadcasts { "broadcasting" } else { "clustering" };
        attributes.push(KeyValue::new("messaging.consumer.group.name", group.to_owned()));
        attributes.push(KeyValue::new("messaging.rocketmq.consumption_model", model));
    }
    attributes
}

fn describe(attributes: &mut Vec<KeyValue>, message: &Message) {
    attributes.push(number("messaging.message.body.size", message.body().len()));
    if let Some(tag) = message.tags() {
        attributes.push(KeyValue::new("messaging.rocketmq.message.tag", tag.to_owned()));
    }
    if let Some(keys) = message.keys() {
        let keys: Vec<StringValue> = keys.split(' ').map(|key| StringValue::from(key.to_owned())).collect();
        attributes.push(KeyValue::new("messaging.rocketmq.message.keys", Value::Array(Array::String(keys))));
    }
}

fn describe_received(attributes: &mut Vec<KeyValue>, message: &MessageExt) {
    describe(attributes, message.message());
    attributes.push(KeyValue::new("messaging.message.id", message.msg_id().to_owned()));
}

fn number(name: &'static str, value: usize) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

fn partition(queue: &MessageQueue) -> KeyValue {
    KeyValue::new("messaging.destination.partition.id", queue.queue_id().to_string())
}

fn server(address: &str) -> impl Iterator<Item = KeyValue> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = KeyValue::new("server.address", host.trim_matches(['[', ']']).to_owned());
    let port = port.parse::<i64>().ok().map(|port| KeyValue::new("server.port", port));
    [host].into_iter().chain(port)
}

/// The class of an error: the code of a broker, or the kind of failure.
fn kind_of(error: &MQClientError) -> String {
    match error.response_code() {
        Some(code) => code.0.to_string(),
        None => {
            let debug = format!("{error:#?}");
            let end = debug.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(debug.len());
            debug[..end].to_owned()
        }
    }
}

fn finish(context: &Context, error: Option<(impl Into<Value>, String)>) {
    let span = context.span();
    if let Some((kind, text)) = error {
        span.set_attribute(KeyValue::new("error.type", kind.into()));
        span.set_status(Status::error(text));
    }
    span.end();
}

fn links(messages: &[MessageExt]) -> Vec<Link> {
    let carried = messages.iter().filter_map(|message| carried(message.message()));
    carried.take(LINKS).map(Link::with_context).collect()
}

/// The trace context that a message carries.
fn carried(message: &Message) -> Option<SpanContext> {
    let mut fields = message.property(TRACEPARENT)?.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_hex = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2)
    {
        return None;
    }
    let state = message.property(TRACESTATE).and_then(|state| state.parse::<TraceState>().ok());
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        state.unwrap_or_default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_context_is_taken_for_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let of = |text: &str| {
            let mut message = Message::new("T", "x");
            message.put_property(TRACEPARENT, text);
            carried(&message)
        };
        let context = of(good).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(of(&good.replacen("00-", "01-", 1)).is_some(), "a later version has these fields, too");
        for bad in
            ["x", "00", "00-0-b7ad6b7169203331-01", &good.replacen("00-", "ff-", 1), &good.replace('b', "+")]
        {
            assert!(of(bad).is_none(), "{bad}");
        }
        assert!(of("00-00000000000000000000000000000000-b7ad6b7169203331-01").is_none());
    }
}
