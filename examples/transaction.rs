//! Messages that are delivered if, and only if, a local transaction commits. One order is committed, one is rolled
//! back, and one stays open, so that the broker asks about it.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same against that
//! cluster, whose broker usually asks after half a minute: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example
//! transaction`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::model::{Message, MessageExt};
use rocketmq::producer::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionProducer,
};
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::Notify;

/// Stands for a database: the state of each transaction.
#[derive(Default)]
struct Orders {
    ended: Mutex<HashMap<String, LocalTransactionState>>,
    asked: Notify,
}

impl TransactionListener for Orders {
    async fn execute_local_transaction(&self, message: &Message, id: &str) -> LocalTransactionResult {
        let state = match message.tags() {
            Some("refused") => LocalTransactionState::Rollback,
            _ => LocalTransactionState::Commit,
        };
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), state);
        if message.tags() == Some("interrupted") {
            return Err("the database committed, but its answer was lost".into());
        }
        Ok(state)
    }

    async fn check_local_transaction(&self, message: &MessageExt) -> LocalTransactionResult {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let state = message.transaction_id().and_then(|id| ended.get(id)).copied();
        println!("asked about {}: {state:?}", String::from_utf8_lossy(message.body()));
        self.asked.notify_one();
        // Not in the database: perhaps not yet.
        Ok(state.unwrap_or(LocalTransactionState::Unknown))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ProducerOption::from_env()?;
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
    option.set_group_name("transaction_example");

    let orders = Arc::new(Orders::default());
    let producer = TransactionProducer::new(option, orders.clone());
    producer.start().await?;
    for (order, tag) in [("order 1", "paid"), ("order 2", "refused"), ("order 3", "interrupted")] {
        let sent = producer.send_in_transaction(Message::new("OrderTopic", order).with_tags(tag)).await?;
        println!("{order} ({tag}): {}, id {}", sent.local_transaction_state, sent.msg_id);
    }

    println!("waiting for the broker to ask about order 3");
    tokio::time::timeout(Duration::from_secs(120), orders.asked.notified()).await?;
    if let Some(mock) = &mock {
        while mock.message_count("OrderTopic") < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let delivered = mock.messages("OrderTopic");
        let bodies: Vec<_> = delivered.iter().map(|m| String::from_utf8_lossy(m.body())).collect();
        println!("delivered: {bodies:?}");
    }
    producer.shutdown().await?;
    Ok(())
}
