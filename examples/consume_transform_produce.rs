//! Consume, transform, produce: an order comes in, its invoice goes out, once.
//!
//! The invoice is sent as a transaction: the broker stores a half message, which no consumer sees. Then the local transaction
//! records in a database that the order is processed, and by which message. The broker delivers the half message if, and only if,
//! this record exists. A crash has these consequences:
//!
//! | crash | what happens |
//! |---|---|
//! | before the half message is stored | the order comes again |
//! | between half message and record | the order comes again and makes another half message; the broker asks about the first, and the record names the second: rolled back |
//! | between record and commit | the broker asks, and the record says commit; the order comes again, and is known |
//! | after the commit | the order comes again, and is known |
//!
//! Guarantee: each recorded order has one invoice in the output topic, however often the order came. It needs
//! a database that keeps its records, and brokers that keep what they acknowledged (`flushDiskType`, replication). What it does
//! not guarantee: the order of the invoices; when a broker asks (6 to 30 s after the half message, by its configuration); and that a
//! consumer of the invoices sees each once. Deliveries are at least once there, too, so that its handler is idempotent as well
//! (`examples/idempotent_handler.rs`).
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example consume_transform_produce`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumeOutcome};
use rocketmq::model::{Message, MessageExt};
use rocketmq::producer::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionProducer,
};
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::timeout;

const ORDERS: &str = "OrderInputTopic";
const INVOICES: &str = "InvoiceOutputTopic";
/// The property of an invoice that names its order.
const OF_ORDER: &str = "of_order";

/// Stands for a database: which invoice (by its transaction) was made of each order.
#[derive(Default)]
struct Records(Mutex<HashMap<String, String>>);

impl Records {
    /// The transaction that processed an order.
    fn of(&self, order: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(order).cloned()
    }

    /// Records an order, with all else that is to be stored of it. False: another transaction has.
    fn record(&self, order: &str, transaction: &str) -> bool {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = records.entry(order.to_owned()).or_insert_with(|| transaction.to_owned());
        recorded == transaction
    }
}

impl TransactionListener for Records {
    async fn execute_local_transaction(&self, invoice: &Message, id: &str) -> LocalTransactionResult {
        let order = invoice.property(OF_ORDER).ok_or("an invoice without its order")?;
        if !self.record(order, id) {
            // The order was handled twice at the same time, and the other handler was faster.
            return Ok(LocalTransactionState::Rollback);
        }
        if order.ends_with("interrupted") {
            return Err("the database has the record, but its answer was lost".into());
        }
        Ok(LocalTransactionState::Commit)
    }

    async fn check_local_transaction(&self, invoice: &MessageExt) -> LocalTransactionResult {
        let recorded = invoice.property(OF_ORDER).and_then(|order| self.of(order));
        println!("the broker asks about the invoice of {:?}", invoice.property(OF_ORDER));
        Ok(match recorded {
            Some(transaction) if Some(&*transaction) == invoice.transaction_id() => {
                LocalTransactionState::Commit
            }
            Some(_) => LocalTransactionState::Rollback,
            // Perhaps its handler is about to record it.
            None => LocalTransactionState::Unknown,
        })
    }
}

/// Handles an order: the whole service.
async fn make_invoice(
    order: &MessageExt,
    records: &Records,
    invoices: &TransactionProducer,
) -> Result<ConsumeOutcome, ConsumeFailure> {
    let Some(key) = order.keys() else {
        return Ok(ConsumeOutcome::DeadLetter { reason: "an order without a key".to_owned() });
    };
    if records.of(key).is_some() {
        println!("{key}: known");
        return Ok(ConsumeOutcome::Success);
    }
    let body = format!("invoice of {}", String::from_utf8_lossy(order.body()));
    let mut invoice = Message::new(INVOICES, body).with_keys(key);
    invoice.put_property(OF_ORDER, key);
    let sent = invoices.send_in_transaction(invoice).await?;
    println!("{key}: {}", sent.local_transaction_state);
    if key.ends_with("crashed") && order.reconsume_times() == 0 {
        // As if the process had ended before the order's offset was committed.
        return Ok(ConsumeOutcome::Later { delay_level: Some(1) });
    }
    // Committed; rolled back, because another handler has done it; or unknown, so that the broker asks. In each case the record
    // decides, and the order is done if there is one.
    match records.of(key) {
        Some(_) => Ok(ConsumeOutcome::Success),
        None => Err("the order is not recorded".into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = match option.name_server_addr() {
        Some(_) => None,
        None => {
            let soon = Duration::from_millis(500);
            let mock = MockCluster::builder().transaction_timeout(soon).transaction_check_interval(soon);
            Some(mock.start().await?)
        }
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    // One client for all of it: a connection to each server, and one heartbeat.
    let client = MQClient::new(option);
    client.start().await?;
    let run = format!("{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed()?.as_millis());
    let orders = client.producer("shop").start().await?;
    let kinds = ["plain", "crashed", "interrupted"];
    for kind in kinds {
        let key = format!("{run}-{kind}");
        orders.send(Message::new(ORDERS, kind).with_keys(&*key)).await?;
        // The shop got no answer, and sends the order again.
        orders.send(Message::new(ORDERS, kind).with_keys(&*key)).await?;
    }

    let records = Arc::new(Records::default());
    let invoices = client.transaction_producer("invoicing", records.clone()).start().await?;
    let (ours, sender) = (run.clone(), Arc::new(invoices));
    let invoicing = client
        .push_consumer(format!("invoicing-{run}"))
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(ORDERS, "*")
        .listener(move |order, _| {
            let (records, sender, ours) = (records.clone(), sender.clone(), ours.clone());
            async move {
                // Orders of other runs against this cluster.
                if !order.keys().is_some_and(|key| key.starts_with(&*ours)) {
                    return Ok(ConsumeOutcome::Success);
                }
                make_invoice(&order, &records, &sender).await
            }
        })
        .start()
        .await?;

    let (seen, mut delivered) = mpsc::channel(64);
    let ours = run.clone();
    let printing = client
        .push_consumer(format!("printing-{run}"))
        // The first invoice makes the topic, perhaps later.
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First).set_require_topics(false))
        .subscribe(INVOICES, "*")
        .listener(move |invoice, _| {
            if let Some(order) = invoice.property(OF_ORDER).filter(|order| order.starts_with(&*ours)) {
                let _ = seen.try_send((order.to_owned(), invoice.msg_id().to_owned()));
            }
            std::future::ready(())
        })
        .start()
        .await?;
    let mut printed = HashMap::new();
    while printed.len() < kinds.len() {
        let (order, id) = timeout(Duration::from_secs(150), delivered.recv()).await?.ok_or("no invoice")?;
        println!("{order} has invoice {id}");
        if let Some(other) = printed.insert(order, id.clone()) {
            // A delivery may be repeated, an invoice may not.
            assert_eq!(other, id, "two invoices of one order");
        }
    }
    invoicing.shutdown().await?;
    printing.shutdown().await?;
    client.shutdown().await?;
    Ok(())
}
