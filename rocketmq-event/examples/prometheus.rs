//! What Prometheus reads: events processed and failed, and how long that took.

mod support;

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use rocketmq_event::{Context, Event, EventType, Failure, RetryPolicy};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    number: u64,
}

impl EventType for Order {
    const NAMES: &'static [&'static str] = &["order.placed"];
}

#[tokio::main]
async fn main() -> support::Result {
    let recorder = PrometheusBuilder::new().install_recorder()?;
    let bus = support::connect().await?;
    let (tell, mut handled) = mpsc::channel(16);
    let handler = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.send(event.data.number).await?;
            if event.data.number == 2 { Err(Failure::permanent("no such article")) } else { Ok(()) }
        }
    };
    let shipping = bus.consumer("orders", "shipping").on(handler).retry(RetryPolicy::never()).start().await?;
    let producer = bus.producer("orders").await?;
    for number in 1..=3 {
        producer.send(&Order { number }).await?;
        handled.recv().await;
    }
    shipping.shutdown(Duration::from_secs(10)).await?;
    // A service answers this text at /metrics.
    print!("{}", recorder.render());
    Ok(bus.close().await?)
}
