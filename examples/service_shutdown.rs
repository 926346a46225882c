//! A service with one client: its consumer handles orders and sends invoices with a producer. One shutdown ends all of
//! it in the right order: handlers that run finish, and can still send.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example service_shutdown`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

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

    let producer = client.producer("service_example_producer").start().await?;
    producer.send(Message::new("ServiceOrders", "order-7").with_keys("order-7")).await?;

    let (began, mut handling) = mpsc::channel(1);
    let invoices = producer.clone();
    let consumer = client
        .push_consumer("service_example_consumer")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe("ServiceOrders", "*")
        .listener(move |order, _| {
            let (began, invoices) = (began.clone(), invoices.clone());
            async move {
                began.send(()).await?;
                sleep(Duration::from_millis(500)).await; // It asks a database.
                let invoice = Message::new("ServiceInvoices", order.body().clone());
                let sent = invoices.send(invoice).await?;
                println!("the invoice is {} in {}", sent.msg_id, sent.message_queue);
                Ok::<_, ConsumeFailure>(())
            }
        })
        .start()
        .await?;

    // A service waits for its signal here (`tokio::signal::ctrl_c`); this one ends while a handler runs.
    timeout(Duration::from_secs(30), handling.recv()).await?;
    println!("shutting down while {} handler runs", consumer.health().handlers);
    // Consumers first: no new messages, handlers finish, offsets are committed. Then producers, then connections.
    let report = client.shutdown().await?;
    assert!(report.is_clean(), "{report:?}");
    println!("client: {report}");
    // The consumer's own report says which queues were left, if any were.
    println!("consumer: {}", consumer.shutdown().await?);
    Ok(())
}
