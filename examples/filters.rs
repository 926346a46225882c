//! Two groups read one topic: the first by tags, the second by an SQL92 expression over properties.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster, whose brokers need `enablePropertyFilter=true`: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example filters`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFromWhere, MessageSelector, PushConsumer};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "FiltersExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = match option.name_server_addr() {
        None => Some(MockCluster::builder().enable_property_filter(true).start().await?),
        Some(_) => None,
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;

    let producer = client.producer("filters_producer").start().await?;
    for (tag, region, amount) in [("Paid", "north", 50), ("Paid", "south", 700), ("Refund", "north", 900)] {
        let mut message = Message::new(TOPIC, format!("{tag} {amount} {region}")).with_tags(tag);
        message.put_property("region", region);
        message.put_property("amount", amount.to_string());
        producer.send(message).await?;
    }

    let (of_tags, mut by_tags) = mpsc::channel(8);
    let payments = reader(&client, "filters_by_tag", "Paid || Cancelled".into(), of_tags).await?;
    let (of_sql, mut by_sql) = mpsc::channel(8);
    let selector = MessageSelector::by_sql("amount > 100 AND region = 'north'");
    let northern = reader(&client, "filters_by_sql", selector, of_sql).await?;

    for _ in 0..2 {
        let body = timeout(Duration::from_secs(30), by_tags.recv()).await?.unwrap_or_default();
        println!("by tag: {body}");
        assert!(body.starts_with("Paid"));
    }
    let body = timeout(Duration::from_secs(30), by_sql.recv()).await?.unwrap_or_default();
    println!("by SQL: {body}");
    assert_eq!(body, "Refund 900 north");

    // An expression that the broker cannot read fails at once.
    let refused = northern.subscribe(TOPIC, MessageSelector::by_sql("amount >")).await;
    println!("refused: {}", refused.err().ok_or("this is no expression")?);

    payments.shutdown().await?;
    northern.shutdown().await?;
    client.shutdown().await?;
    Ok(())
}

/// Passes the bodies of the selected messages on.
async fn reader(
    client: &MQClient,
    group: &str,
    selector: MessageSelector,
    bodies: mpsc::Sender<String>,
) -> rocketmq::Result<PushConsumer> {
    let consumer = client
        .push_consumer(group)
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, selector)
        .listener(move |message, _| {
            let bodies = bodies.clone();
            async move { _ = bodies.send(String::from_utf8_lossy(message.body()).into_owned()).await }
        });
    consumer.start().await
}
