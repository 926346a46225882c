//! Consumes orders step by step: the messages of a queue come one by one, and a step that fails holds back the steps
//! behind it.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example orderly`.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere};
use rocketmq::model::Message;
use rocketmq::selector::SelectMessageQueueByHash;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "OrderlyExample";
const STEPS: [&str; 4] = ["created", "paid", "packed", "sent"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;

    // The hash of its name chooses the queue of an order: all its steps are in one queue.
    let producer = client.producer("orderly_example_producer").start().await?;
    for step in STEPS {
        for order in ["order-1", "order-2", "order-3"] {
            let message = Message::new(TOPIC, step).with_keys(order);
            producer.send_with_selector(message, SelectMessageQueueByHash, order).await?;
        }
    }

    let (steps, mut handled) = mpsc::channel(16);
    let consumer = client
        .push_consumer("orderly_example_consumer")
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_suspend_current_queue_time(200);
        })
        .subscribe(TOPIC, "*")
        .orderly_listener(move |message, context| {
            let steps = steps.clone();
            async move {
                let order = message.keys().unwrap_or_default().to_owned();
                let step = String::from_utf8_lossy(message.body()).into_owned();
                if (&*order, &*step, context.reconsume_times) == ("order-2", "paid", 0) {
                    println!("{order} {step}: the bank does not answer, its queue waits");
                    return Err("the bank does not answer".into());
                }
                println!("{order} {step}");
                steps.send((order, step)).await?;
                Ok::<(), ConsumeFailure>(())
            }
        })
        .start()
        .await?;

    let mut orders = BTreeMap::<String, Vec<String>>::new();
    for _ in 0..3 * STEPS.len() {
        let Some((order, step)) = timeout(Duration::from_secs(30), handled.recv()).await? else { break };
        orders.entry(order).or_default().push(step);
    }
    assert!(orders.len() == 3 && orders.values().all(|steps| *steps == STEPS), "{orders:?}");

    let report = consumer.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    client.shutdown().await?;
    Ok(())
}
