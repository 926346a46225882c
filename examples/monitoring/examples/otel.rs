//! Spans for OpenTelemetry (feature `otel`): a send, the handler that it leads to, and the send of this handler are one trace,
//! which travels in the messages. The example collects the spans in memory and prints them; a service would export them
//! to its collector, with the same three lines.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run -p rocketmq-monitoring-examples --features otel --example otel`.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::{SpanId, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const ORDERS: &str = "OtelOrderTopic";
const INVOICES: &str = "OtelInvoiceTopic";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spans = InMemorySpanExporter::default();
    global::set_tracer_provider(SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build());
    rocketmq::otel::enable();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;
    let shop = client.producer("otel_shop").start().await?;
    let run = format!("{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed()?.as_millis());

    // The program's own span, such as that of an HTTP request. What is sent while it is current becomes its child.
    let tracer = global::tracer("shop");
    let request = opentelemetry::Context::current_with_span(tracer.start("POST /orders"));
    let trace = request.span().span_context().trace_id();
    let order = Message::new(ORDERS, "order 7").with_keys(&*run).with_tags("paid");
    opentelemetry::trace::FutureExt::with_context(shop.send(order), request.clone()).await?;
    request.span().end();

    let (invoiced, mut done) = mpsc::channel(16);
    let billing = client
        .push_consumer("otel_billing")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(ORDERS, "*")
        .listener(move |order, _| {
            let (shop, invoiced) = (shop.clone(), invoiced.clone());
            async move {
                // The span of this handler is current: the invoice continues the trace of its order.
                shop.send(Message::new(INVOICES, "an invoice").with_keys(order.keys().unwrap_or("?")))
                    .await?;
                invoiced.send(order.keys().map(str::to_owned)).await?;
                Ok::<_, ConsumeFailure>(())
            }
        })
        .start()
        .await?;
    while timeout(Duration::from_secs(60), done.recv()).await?.ok_or("no order")?.as_deref() != Some(&*run) {}
    billing.shutdown().await?;
    client.shutdown().await?;

    let mut finished = spans.get_finished_spans()?;
    finished.retain(|span| span.span_context.trace_id() == trace);
    println!("trace {trace}");
    let mut children: BTreeMap<String, Vec<&SpanData>> = BTreeMap::new();
    for span in &finished {
        children.entry(span.parent_span_id.to_string()).or_default().push(span);
    }
    print_below(&children, SpanId::INVALID, 1);
    let names: Vec<&str> = finished.iter().map(|span| &*span.name).collect();
    for name in ["POST /orders", "send OtelOrderTopic", "process OtelOrderTopic", "send OtelInvoiceTopic"] {
        assert!(names.contains(&name), "no span {name} among {names:?}");
    }
    Ok(())
}

fn print_below(children: &BTreeMap<String, Vec<&SpanData>>, parent: SpanId, depth: usize) {
    for span in children.get(&parent.to_string()).into_iter().flatten() {
        let attribute = |name: &str| {
            let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
            found.map_or_else(String::new, |attribute| format!("  {name}={}", attribute.value))
        };
        let shown = ["messaging.operation.type", "messaging.message.id", "messaging.consumer.group.name"]
            .map(attribute);
        println!("{}{} ({:?}){}", "    ".repeat(depth), span.name, span.span_kind, shown.concat());
        print_below(children, span.span_context.span_id(), depth + 1);
    }
}
