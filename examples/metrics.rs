//! What a producer tells a Prometheus server: counters, latencies and the messages in flight.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one. Needs the feature
//! `metrics`.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use rocketmq::conf::ProducerOption;
use rocketmq::metrics::LATENCY_BUCKETS_MS;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first send. Without buckets, Prometheus gets summaries, which cannot be added up over processes.
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_latency_ms".to_owned()), &LATENCY_BUCKETS_MS)?
        .install_recorder()?;

    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("metrics_producer");
    let producer = Producer::new(option);
    producer.start().await?;
    for index in 0..100 {
        producer.send(Message::new("TopicTest", format!("message {index}"))).await?;
    }
    producer.shutdown().await?;

    // A service answers GET /metrics with this text.
    println!("{}", recorder.render());
    Ok(())
}
