//! A handler whose effects happen once, although its messages come more than once.
//!
//! RocketMQ delivers at least once. A message comes again when its handler failed after its work, when a consumer crashed before
//! its commit, or when a queue changed hands; and a producer that got no answer sends it a second time. The handler therefore
//! books under a *business key*: the database takes effect and key in one transaction, and refuses a key that it has. The
//! message id would not do: what a caller sends a second time has another id.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example idempotent_handler`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumeOutcome};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TOPIC: &str = "PaymentTopic";

/// Stands for a database. In SQL: a table with the unique column `key`, and `INSERT … ON CONFLICT DO NOTHING` in the
/// transaction that changes the balance.
#[derive(Default)]
struct Account(Mutex<Books>);

#[derive(Default)]
struct Books {
    booked: HashMap<String, i64>,
    balance: i64,
}

impl Account {
    /// Books a payment under its key. False: the key is booked already, and nothing changes.
    fn book(&self, key: &str, amount: i64) -> bool {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if books.booked.contains_key(key) {
            return false;
        }
        books.booked.insert(key.to_owned(), amount);
        books.balance += amount;
        true
    }

    fn balance(&self) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).balance
    }
}

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
    // Another run against the same cluster is another account.
    let run = format!("{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed()?.as_millis());
    let payment = |number: u32| format!("{run}-{number}");

    let producer = client.producer("payments").start().await?;
    for number in [1, 2, 3] {
        producer.send(Message::new(TOPIC, "100").with_keys(payment(number))).await?;
    }
    // The caller of payment 3 got no answer, and pays again: the same key, another message.
    producer.send(Message::new(TOPIC, "100").with_keys(payment(3))).await?;

    let account = Arc::new(Account::default());
    let (seen, mut deliveries) = mpsc::channel(64);
    let (books, fails, ours) = (account.clone(), payment(2), run.clone());
    let consumer = client
        .push_consumer(format!("accounting-{run}"))
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .listener(move |message, context| {
            let (books, seen, fails, ours) = (books.clone(), seen.clone(), fails.clone(), ours.clone());
            async move {
                // Without a key there is nothing to tell it apart by: people have to look at it.
                let Some(key) = message.keys().filter(|key| key.starts_with(&*ours)) else {
                    return Ok(ConsumeOutcome::Success);
                };
                let amount: i64 = std::str::from_utf8(message.body())?.parse()?;
                let is_new = books.book(key, amount);
                println!(
                    "{key}, delivery {}: {}",
                    context.reconsume_times + 1,
                    if is_new { "booked" } else { "known" }
                );
                seen.send(is_new).await?;
                if key == fails && context.reconsume_times == 0 {
                    // As if the process had crashed between the booking and the commit of the offset.
                    return Ok(ConsumeOutcome::Later { delay_level: Some(1) });
                }
                Ok::<_, ConsumeFailure>(ConsumeOutcome::Success)
            }
        })
        .start()
        .await?;

    // Three payments, one sent twice, one delivered twice.
    let mut booked = 0;
    for _ in 0..5 {
        booked += i32::from(timeout(Duration::from_secs(60), deliveries.recv()).await?.ok_or("no delivery")?);
    }
    println!("5 deliveries, {booked} bookings, balance {}", account.balance());
    assert_eq!((booked, account.balance()), (3, 300));
    consumer.shutdown().await?;
    client.shutdown().await?;
    Ok(())
}
