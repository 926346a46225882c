//! Spans of OpenTelemetry: names, attributes, parents, and what travels with events.
//!
//! A tracer provider is there for the whole process, so the spans of each test have a stream of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use rocketmq_event::{Bus, Context, Event, EventType, Failure, RetryPolicy};
use serde::{Deserialize, Serialize};

static SPANS: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let spans = InMemorySpanExporter::default();
    global::set_tracer_provider(SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build());
    rocketmq_event::otel::enable();
    spans
});

#[derive(Serialize, Deserialize)]
struct Order(u64);

impl EventType for Order {
    const NAMES: &'static [&'static str] = &["order.placed"];
}

#[derive(Serialize, Deserialize)]
struct Mail(u64);

impl EventType for Mail {
    const NAMES: &'static [&'static str] = &["mail"];
}

/// Waits for as many spans of this name.
async fn spans(name: &str, count: usize) -> Vec<SpanData> {
    for _ in 0..6_000 {
        let mut finished = SPANS.get_finished_spans().unwrap();
        finished.retain(|span| span.name == name);
        if finished.len() >= count {
            return finished;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no {count} spans {name} within 30 s");
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map_or_else(|| format!("no {name}"), |attribute| attribute.value.to_string())
}

fn has(span: &SpanData, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(attribute(span, name), *value, "{name} of {}", span.name);
    }
}

async fn bus() -> Bus {
    LazyLock::force(&SPANS);
    Bus::connect("memory:").await.unwrap().with_source("shop")
}

#[tokio::test]
async fn a_trace_goes_from_the_publisher_through_the_handler_to_what_it_publishes() {
    let bus = bus().await;
    let handler = |event: Event<Order>, context: Context| async move {
        // The context of the handler survives its awaits.
        tokio::task::yield_now().await;
        context.publish("mails", Mail(event.data.0))?;
        Ok(())
    };
    let mailer = bus.consumer("orders", "mailer").on(handler).start().await.unwrap();
    let request = opentelemetry::Context::current_with_span(global::tracer("test").start("request"));
    let producer = bus.producer("orders").await.unwrap();
    let event = Event::new(Order(7)).with_correlation("conversation");
    producer.send_event(&event).with_context(request.clone()).await.unwrap();

    let publish = spans("publish orders", 1).await.remove(0);
    let process = spans("process orders", 1).await.remove(0);
    let follow = spans("publish mails", 1).await.remove(0);
    let ack = spans("ack orders", 1).await.remove(0);
    for (span, parent, kind) in [
        (&publish, request.span().span_context().span_id(), SpanKind::Producer),
        (&process, publish.span_context.span_id(), SpanKind::Consumer),
        (&follow, process.span_context.span_id(), SpanKind::Producer),
        (&ack, publish.span_context.span_id(), SpanKind::Client),
    ] {
        assert_eq!(span.span_context.trace_id(), request.span().span_context().trace_id(), "{}", span.name);
        assert_eq!((span.parent_span_id, &span.span_kind), (parent, &kind), "{}", span.name);
    }
    let id = event.id.to_string();
    let common = [
        ("messaging.system", "memory"),
        ("messaging.destination.name", "orders"),
        ("messaging.message.id", &*id),
        ("messaging.message.conversation_id", "conversation"),
        ("messaging.message.body.size", "1"),
        ("cloudevents.event_type", "order.placed"),
        ("cloudevents.event_source", "shop"),
    ];
    for span in [&publish, &process, &ack] {
        has(span, &common);
    }
    has(&publish, &[("messaging.operation.name", "publish"), ("messaging.operation.type", "send")]);
    has(
        &process,
        &[
            ("messaging.operation.type", "process"),
            ("messaging.consumer.group.name", "mailer"),
            ("messaging.destination.partition.id", "0"),
            ("event.attempt", "1"),
        ],
    );
    has(&ack, &[("messaging.operation.name", "ack"), ("messaging.operation.type", "settle")]);
    mailer.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_a_status_and_its_retry_and_death_stay_in_the_trace() {
    let bus = bus().await;
    let handler = |_: Event<Order>, _: Context| std::future::ready(Err(Failure::from("no luck")));
    let policy = RetryPolicy::later(2).with_delays([Duration::from_millis(10)]);
    let mailer = bus.consumer("failing", "mailer").on(handler).retry(policy).start().await.unwrap();
    // The trace of another publisher: the event keeps it, and the span of the publication links to it.
    let mut event = Event::new(Order(1));
    event.envelope.trace_parent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    bus.producer("failing").await.unwrap().send_event(&event).await.unwrap();

    let publish = spans("publish failing", 1).await.remove(0);
    assert_eq!(publish.links.links[0].span_context.span_id().to_string(), "b7ad6b7169203331");
    let dead = spans("dead_letter failing", 1).await;
    let (process, retry) = (spans("process failing", 2).await, spans("retry failing", 1).await);
    for span in process.iter().chain(&retry).chain(&dead) {
        assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331", "{}", span.name);
    }
    let mut attempts: Vec<_> = process.iter().map(|span| attribute(span, "event.attempt")).collect();
    attempts.sort();
    assert_eq!(attempts, ["1", "2"]);
    for span in &process {
        assert_eq!(span.status, Status::error("no luck"));
        has(span, &[("error.type", "failed")]);
    }
    has(&dead[0], &[("messaging.operation.type", "settle"), ("messaging.system", "memory")]);
    mailer.shutdown(Duration::from_secs(5)).await.unwrap();
}
