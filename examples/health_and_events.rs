//! What a service asks its consumer: whether it is ready, how far it is behind, what it has counted, what happened, and when
//! it has ended.
//!
//! The probes of Kubernetes are one call each: `is_live` for a liveness probe, which only a restart of the process heals, and
//! `is_ready` for a readiness probe, which heals by itself when brokers come back.
//!
//! With no argument it starts a mock cluster in this process and takes its broker away for a moment. With `NAMESRV_ADDR`
//! set it uses that cluster, and leaves its brokers alone.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFromWhere, PushConsumer};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::time::{sleep, timeout};

const TOPIC: &str = "HealthExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;
    let producer = client.producer("health_example_producer").start().await?;
    for number in 0..20 {
        producer.send(Message::new(TOPIC, format!("message {number}"))).await?;
    }

    let consumer = client
        .push_consumer("health_example_consumer")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .listener(|_, _| async {})
        .build()?;
    println!("before the start: {:?}", consumer.health().problems());
    // Each reader gets all events from the moment on when it asks; a service logs them or counts them.
    let mut events = consumer.events();
    consumer.start().await?;

    until(&consumer, |consumer| consumer.get_stats().is_ok_and(|stats| stats.consume_success_count >= 20))
        .await?;
    let health = consumer.health();
    println!(
        "ready: {}, {} messages not committed yet, {} bytes cached",
        health.is_ready(),
        health.lag(),
        health.cached_bytes
    );
    for queue in &health.queues {
        println!(
            "  {}: {}, pulled {:?}, broker {:?}",
            queue.queue, queue.state, queue.pulled, queue.broker_max
        );
    }
    let stats = consumer.get_stats()?;
    println!("{} messages done, {} failed", stats.consume_success_count, stats.consume_failure_count);

    consumer.suspend();
    println!("suspended: {}", consumer.health().queues.first().map(|queue| queue.state).ok_or("no queue")?);
    consumer.resume();

    if let Some(mock) = &mock {
        let broker = mock.broker_names()[0].to_owned();
        mock.stop_broker(&broker).await?;
        until(&consumer, |consumer| !consumer.is_ready()).await?;
        println!("without its broker: {:?}, {:?}", probes(&consumer), consumer.health().problems());
        mock.start_broker(&broker).await?;
        until(&consumer, PushConsumer::is_ready).await?;
        println!("ready again: {:?}", probes(&consumer));
    }

    // A service ends when its consumer does: after a shutdown, or with an error if the group was deleted or the rights are gone.
    let ending = consumer.clone();
    let (ended, report) = tokio::join!(ending.wait(), consumer.shutdown());
    println!("ended: {ended:?}, clean: {}, {:?}", report?.is_clean(), probes(&consumer));
    while let Some(event) = events.try_next() {
        println!("event: {event}");
    }
    client.shutdown().await?;
    Ok(())
}

/// The status codes that the service answers to `/live` and `/ready`.
fn probes(consumer: &PushConsumer) -> (u16, u16) {
    let status = |holds: bool| if holds { 200 } else { 503 };
    (status(consumer.is_live()), status(consumer.is_ready()))
}

/// Looks again until something holds.
async fn until(
    consumer: &PushConsumer,
    holds: impl Fn(&PushConsumer) -> bool,
) -> Result<(), tokio::time::error::Elapsed> {
    timeout(Duration::from_secs(60), async {
        while !holds(consumer) {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
