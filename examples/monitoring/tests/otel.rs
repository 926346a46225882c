//! Spans of OpenTelemetry: names, attributes, parents and links, and what travels in messages.
//!
//! A tracer provider is there for the whole process: each test runs in a process of its own.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../../tests/it/alone.rs"]
mod alone;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumeOutcome, PullConsumer, PushConsumer};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster, RequestCode, ResponseCode};

use alone::run_alone;

/// The spans of this process.
static SPANS: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let spans = InMemorySpanExporter::default();
    global::set_tracer_provider(SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build());
    rocketmq::otel::enable();
    spans
});

/// Waits for a span of this name.
async fn span(name: &str) -> SpanData {
    spans(name, 1).await.remove(0)
}

async fn spans(name: &str, count: usize) -> Vec<SpanData> {
    let began = Instant::now();
    loop {
        let mut finished = SPANS.get_finished_spans().unwrap();
        finished.retain(|span| span.name == name);
        if finished.len() >= count {
            return finished;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{} spans {name}", finished.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
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

async fn producer(cluster: &MockCluster) -> Producer {
    LazyLock::force(&SPANS);
    Producer::builder("otel").name_server_addr(cluster.name_server_addr()).start().await.unwrap()
}

#[test]
fn a_trace_goes_from_the_sender_through_the_listener_to_what_it_sends() {
    run_alone("alone_a_trace_goes_from_the_sender_through_the_listener_to_what_it_sends", &[]);
}

#[tokio::test]
#[ignore = "not a test of this process"]
async fn alone_a_trace_goes_from_the_sender_through_the_listener_to_what_it_sends() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("OtelIn", 1).unwrap();
    cluster.create_topic("OtelOut", 1).unwrap();
    let shop = producer(&cluster).await;
    let request = opentelemetry::Context::current_with_span(global::tracer("test").start("request"));
    let message = Message::new("OtelIn", "hello").with_keys("k1 k2").with_tags("paid");
    let sent = shop.send(message).with_context(request.clone()).await.unwrap();
    let forwards = shop.clone();
    let consumer = PushConsumer::builder("otel_group")
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe("OtelIn", "*")
        .listener(move |_, _| {
            let shop = forwards.clone();
            async move {
                // The context of the handler survives its awaits.
                tokio::task::yield_now().await;
                shop.send(Message::new("OtelOut", "on")).await?;
                Ok::<_, ConsumeFailure>(())
            }
        })
        .start()
        .await
        .unwrap();

    let (sending, processing, forwarding) =
        (span("send OtelIn").await, span("process OtelIn").await, span("send OtelOut").await);
    let trace = request.span().span_context().trace_id();
    for (span, parent) in [
        (&sending, request.span().span_context().span_id()),
        (&processing, sending.span_context.span_id()),
        (&forwarding, processing.span_context.span_id()),
    ] {
        assert_eq!((span.span_context.trace_id(), span.parent_span_id), (trace, parent), "{}", span.name);
    }
    let kinds = [&sending, &processing].map(|span| span.span_kind.clone());
    assert_eq!(kinds, [SpanKind::Producer, SpanKind::Consumer]);
    let broker = cluster.broker_addr("broker-a").unwrap().to_string();
    has(
        &sending,
        &[
            ("messaging.system", "rocketmq"),
            ("messaging.operation.name", "send"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "OtelIn"),
            ("messaging.destination.partition.id", "0"),
            ("messaging.message.id", &sent.msg_id),
            ("messaging.message.body.size", "5"),
            ("messaging.rocketmq.message.type", "normal"),
            ("messaging.rocketmq.message.tag", "paid"),
            ("messaging.rocketmq.message.keys", "[\"k1\",\"k2\"]"),
            ("server.port", broker.rsplit(':').next().unwrap()),
        ],
    );
    has(
        &processing,
        &[
            ("messaging.operation.type", "process"),
            ("messaging.consumer.group.name", "otel_group"),
            ("messaging.rocketmq.consumption_model", "clustering"),
            ("messaging.message.id", &sent.msg_id),
        ],
    );
    let pulling = span("pull OtelIn").await;
    has(&pulling, &[("messaging.operation.type", "receive"), ("messaging.batch.message_count", "1")]);
    assert_eq!(pulling.links.first().unwrap().span_context.span_id(), sending.span_context.span_id());
    consumer.shutdown().await.unwrap();
}

#[test]
fn failures_show_in_spans_of_sends_handlers_and_settlements() {
    run_alone("alone_failures_show_in_spans_of_sends_handlers_and_settlements", &[]);
}

#[tokio::test]
#[ignore = "not a test of this process"]
async fn alone_failures_show_in_spans_of_sends_handlers_and_settlements() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("OtelFails", 1).unwrap();
    let shop = producer(&cluster).await;
    let refuse = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "busy".into() };
    cluster.inject(Fault::on(RequestCode::SEND_MESSAGE_V2, refuse).times(1));
    shop.send(Message::new("OtelFails", "x")).await.unwrap();
    let sending = span("send OtelFails").await;
    assert_eq!((sending.events.len(), &sending.status), (1, &Status::Unset), "the second attempt succeeded");
    shop.send(Message::new("OtelFails", "")).await.unwrap_err();
    let refused = spans("send OtelFails", 2).await.remove(1);
    has(&refused, &[("error.type", "MessageIllegal")]);
    assert!(matches!(&refused.status, Status::Error { description } if description.contains("empty")));

    let consumer = PushConsumer::builder("otel_fails")
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe("OtelFails", "*")
        .listener(|_, context| async move {
            match context.reconsume_times {
                0 => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                1 => Err(ConsumeFailure::from("the database is away")),
                _ => Ok(ConsumeOutcome::DeadLetter { reason: "gone".to_owned() }),
            }
        })
        .option(|option| _ = option.set_max_reconsume_times(1))
        .start()
        .await
        .unwrap();
    let processing = spans("process OtelFails", 2).await;
    has(&processing[0], &[("error.type", "failure")]);
    has(&processing[1], &[("error.type", "error")]);
    assert_eq!(processing[1].status, Status::error("the database is away"));
    let (back, dead) = (span("send_back OtelFails").await, span("dead_letter OtelFails").await);
    for settling in [&back, &dead] {
        has(
            settling,
            &[("messaging.operation.type", "settle"), ("messaging.consumer.group.name", "otel_fails")],
        );
        assert_eq!(settling.span_kind, SpanKind::Client);
        assert_eq!(settling.span_context.trace_id(), sending.span_context.trace_id());
    }
    consumer.shutdown().await.unwrap();
}

#[test]
fn batches_link_and_streams_and_polls_receive() {
    run_alone("alone_batches_link_and_streams_and_polls_receive", &[]);
}

#[tokio::test]
#[ignore = "not a test of this process"]
async fn alone_batches_link_and_streams_and_polls_receive() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("OtelBatch", 1).unwrap();
    let shop = producer(&cluster).await;
    let pair = ["one", "two"].map(|body| Message::new("OtelBatch", body));
    shop.send_batch(pair).await.unwrap();
    // What a message brings along stays, and the span of its send links to it.
    let foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut message = Message::new("OtelBatch", "three");
    message.put_property("traceparent", foreign);
    shop.send_async(message, |sent| drop(sent.unwrap())).await.unwrap();
    let sending = spans("send OtelBatch", 2).await;
    has(&sending[0], &[("messaging.batch.message_count", "2")]);
    assert_eq!(sending[1].links.first().unwrap().span_context.span_id().to_string(), "b7ad6b7169203331");

    let name_server = cluster.name_server_addr();
    let first = |option: &mut rocketmq::conf::ConsumerOption| {
        option.set_consume_from_where(ConsumeFromWhere::First);
    };
    let builder = PushConsumer::builder("otel_stream").name_server_addr(&name_server).option(first);
    let consumer = builder.subscribe("OtelBatch", "*").build().unwrap();
    let mut messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    for _ in 0..3 {
        let delivery = messages.next().await.unwrap().unwrap();
        let carried = rocketmq::otel::context_of(&delivery).span().span_context().span_id();
        let expected = if delivery.body() == "three" {
            assert_eq!(delivery.property("traceparent"), Some(foreign));
            "b7ad6b7169203331".to_owned()
        } else {
            sending[0].span_context.span_id().to_string()
        };
        assert_eq!(carried.to_string(), expected);
        delivery.ack();
    }
    for ack in spans("ack OtelBatch", 3).await {
        has(
            &ack,
            &[("messaging.operation.type", "settle"), ("messaging.consumer.group.name", "otel_stream")],
        );
    }
    consumer.shutdown().await.unwrap();

    let builder = PullConsumer::builder("otel_poll").name_server_addr(&name_server).option(first);
    let mut polling = builder.subscribe("OtelBatch", "*").start().await.unwrap();
    assert_eq!(polling.poll(Duration::from_secs(30)).await.unwrap().len(), 3);
    let poll = span("poll OtelBatch").await;
    has(&poll, &[("messaging.operation.type", "receive"), ("messaging.batch.message_count", "3")]);
    assert_eq!((poll.links.len(), poll.span_kind), (3, SpanKind::Client));
    let queue = polling.assignment().remove(0);
    polling.commit_offsets([(queue, 1)]).await.unwrap();
    has(&span("commit OtelBatch").await, &[("messaging.operation.type", "settle")]);
    polling.shutdown().await.unwrap();

    let builder = PushConsumer::builder("otel_batches").name_server_addr(&name_server).option(first);
    let builder = builder.option(|option| _ = option.set_consume_message_batch_max_size(3));
    let batches = builder.subscribe("OtelBatch", "*").batch_listener(|_, _| async {}).start().await.unwrap();
    let processing = span("process OtelBatch").await;
    has(&processing, &[("messaging.batch.message_count", "3")]);
    assert_eq!(processing.links.len(), 3, "a batch belongs to the traces of all its messages");
    batches.shutdown().await.unwrap();
}
