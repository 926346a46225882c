//! What a producer and a consumer tell a Prometheus server: counters, latencies, the messages in flight, and how far the
//! group is behind.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one: `cargo run -p
//! rocketmq-monitoring-examples --features metrics --example metrics`.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::ConsumeFromWhere;
use rocketmq::metrics::LATENCY_BUCKETS_MS;
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first send and the first start. Without buckets, Prometheus gets summaries, which cannot be added up over processes.
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_latency_ms".to_owned()), &LATENCY_BUCKETS_MS)?
        .install_recorder()?;

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;
    let producer = client.producer("metrics_producer").start().await?;
    for index in 0..100 {
        producer.send(Message::new("MetricsExample", format!("message {index}"))).await?;
    }
    let (handled, mut received) = mpsc::channel(100);
    let _consumer = client
        .push_consumer("metrics_consumer")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe("MetricsExample", "*")
        .listener(move |message, _| {
            let handled = handled.clone();
            async move { Ok(handled.send(message).await?) }
        })
        .start()
        .await?;
    for _ in 0..100 {
        received.recv().await;
    }
    client.shutdown().await?;

    // A service answers GET /metrics with this text.
    println!("{}", recorder.render());
    Ok(())
}
