//! Messages that are delivered if, and only if, a local transaction commits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, MessageExt, MessageQueue, SendStatus};
use rocketmq::producer::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionListenerFn,
    TransactionProducer,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::support::{Site, fresh_topic};
use crate::stage;

/// Brokers ask after some seconds; a busy machine takes longer.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// Says what the message's `execute` and `check` properties say, and tells what it was asked.
struct Scripted {
    checked: mpsc::Sender<MessageExt>,
    executed: Mutex<Vec<(Message, String)>>,
}

fn say(word: Option<&str>) -> LocalTransactionResult {
    match word {
        Some("commit") => Ok(LocalTransactionState::Commit),
        Some("rollback") => Ok(LocalTransactionState::Rollback),
        Some("fail") => Err("as the message wants it".into()),
        Some("panic") => panic!("as the message wants it"),
        _ => Ok(LocalTransactionState::Unknown),
    }
}

impl TransactionListener for Scripted {
    async fn execute_local_transaction(
        &self,
        message: &Message,
        transaction_id: &str,
    ) -> LocalTransactionResult {
        let executed = (message.clone(), transaction_id.to_owned());
        self.executed.lock().expect("no panic under this lock").push(executed);
        tokio::task::yield_now().await;
        say(message.property("execute"))
    }

    async fn check_local_transaction(&self, message: &MessageExt) -> LocalTransactionResult {
        self.checked.send(message.clone()).await.expect("the test listens");
        say(message.property("check"))
    }
}

/// A transaction producer, its listener, and what that is asked by brokers.
struct Transactions {
    producer: TransactionProducer,
    listener: std::sync::Arc<Scripted>,
    checked: mpsc::Receiver<MessageExt>,
}

impl Transactions {
    async fn start(name_server: &str, group: &str, change: impl FnOnce(&mut ProducerOption)) -> Self {
        let (sender, checked) = mpsc::channel(100);
        let listener = std::sync::Arc::new(Scripted { checked: sender, executed: Mutex::default() });
        let mut option = ProducerOption::default();
        option.set_name_server_addr(name_server).set_group_name(group).set_send_msg_timeout(20_000);
        change(&mut option);
        let producer = TransactionProducer::new(option, listener.clone());
        producer.start().await.expect("the producer starts");
        Self { producer, listener, checked }
    }

    async fn next_check(&mut self) -> MessageExt {
        let check = timeout(ASKED_WITHIN, self.checked.recv()).await.expect("a broker asks in time");
        check.expect("the producer lives")
    }
}

fn message(topic: &str, execute: &str, check: &str, body: &str) -> Message {
    let message = Message::new(topic, body.to_owned()).with_tags("T").with_property("execute", execute);
    message.with_property("check", check)
}

async fn only_queue(site: &Site, topic: &str) -> MessageQueue {
    let queues = site.producer.fetch_publish_message_queues(topic).await.expect("queues");
    assert_eq!(queues.len(), 1);
    queues.into_iter().next().expect("there is one")
}

#[tokio::test]
async fn committed_messages_arrive_once_and_rolled_back_ones_never() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("ended", 1).await;
    let transactions = Transactions::start(name_server, &fresh_topic("group"), |_| {}).await;
    let queue = only_queue(&site, &topic).await;
    let mut ids = Vec::new();
    for (execute, body) in [("commit", "one"), ("rollback", "never"), ("commit", "two")] {
        let sent = transactions.producer.send_in_transaction(message(&topic, execute, execute, body)).await;
        let sent = sent.expect("the half message is stored");
        assert_eq!((sent.send_status, sent.end_sent), (SendStatus::SendOk, true));
        assert_eq!(sent.local_transaction_state.to_string(), execute);
        assert_eq!(sent.message_queue, queue, "the queue that it is meant for");
        if execute == "commit" {
            // Brokers keep the order of one connection.
            let stored = site.pull_one(&queue, ids.len() as i64).await;
            assert_eq!((stored.topic(), stored.body(), stored.tags()), (&*topic, &body.into(), Some("T")));
            assert_eq!((stored.msg_id(), stored.transaction_id()), (&*sent.msg_id, Some(&*sent.msg_id)));
            ids.push(sent.msg_id.clone());
        }
    }
    let sent = site.producer.send(Message::new(topic.as_str(), "last")).await.expect("sent");
    assert_eq!(sent.queue_offset, 2, "two committed messages came before");
    let executed = std::mem::take(&mut *transactions.listener.executed.lock().expect("unpoisoned"));
    assert_eq!(executed.len(), 3);
    let (first, transaction_id) = &executed[0];
    assert_eq!((first.body(), first.topic()), (&"one".into(), &*topic));
    assert_eq!((first.unique_key(), &*ids[0]), (Some(&**transaction_id), &**transaction_id));
    // What was received can be sent on: it is an ordinary message now.
    let received = site.pull_one(&queue, 0).await.into_message();
    let again = site.producer.send(received).await.expect("sent on");
    assert_eq!((again.queue_offset, site.pull_one(&queue, 3).await.body()), (3, &"one".into()));
    transactions.producer.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn a_broker_asks_about_what_it_does_not_know() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("asked", 1).await;
    let group = fresh_topic("group");
    let mut transactions = Transactions::start(name_server, &group, |_| {}).await;
    let queue = only_queue(&site, &topic).await;
    let mut sent = std::collections::HashMap::new();
    for (execute, check) in
        [("unknown", "commit"), ("unknown", "rollback"), ("fail", "commit"), ("panic", "commit")]
    {
        let body = format!("{execute} then {check}");
        let result = transactions.producer.send_in_transaction(message(&topic, execute, check, &body)).await;
        let result = result.expect("the half message is stored");
        assert_eq!(result.local_transaction_state, LocalTransactionState::Unknown);
        sent.insert(result.msg_id.clone(), (check, body));
    }
    let mut committed = Vec::new();
    while !sent.is_empty() {
        let asked = transactions.next_check().await;
        assert_eq!((asked.topic(), asked.property("PGROUP")), (&*topic, Some(&*group)));
        let id = asked.transaction_id().expect("it has one").to_owned();
        // An answer on its way may cross another question.
        if let Some((check, body)) = sent.remove(&id) {
            assert_eq!(asked.body(), &body);
            if check == "commit" {
                committed.push(body);
            }
        }
    }
    let mut arrived = Vec::new();
    for offset in 0..3 {
        let stored = site.pull_one(&queue, offset).await;
        arrived.push(String::from_utf8_lossy(stored.body()).into_owned());
    }
    committed.sort_unstable();
    arrived.sort_unstable();
    assert_eq!(arrived, committed);
}

#[tokio::test]
async fn a_restarted_producer_answers_for_its_group() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("restarted", 1).await;
    let group = fresh_topic("group");
    let asked = std::sync::Arc::new(AtomicU32::new(0));
    let before = TransactionProducer::builder(
        group.as_str(),
        TransactionListenerFn::new(
            |_, _| async { Ok(LocalTransactionState::Unknown) },
            |_| async { Ok(LocalTransactionState::Unknown) },
        ),
    );
    let before = before.name_server_addr(name_server).start().await.expect("the producer starts");
    let sent = before.send_in_transaction(Message::new(topic.as_str(), "kept")).await.expect("stored");
    before.shutdown().await.expect("it shuts down");
    let counting = asked.clone();
    let after = TransactionProducer::builder(
        group.as_str(),
        TransactionListenerFn::new(
            |_, _| async { Ok(LocalTransactionState::Unknown) },
            move |message: MessageExt| {
                let (counting, id) = (counting.clone(), sent.msg_id.clone());
                async move {
                    assert_eq!(message.transaction_id(), Some(&*id));
                    counting.fetch_add(1, Ordering::SeqCst);
                    Ok(LocalTransactionState::Commit)
                }
            },
        ),
    );
    let after = after.name_server_addr(name_server).start().await.expect("the producer starts");
    let queue = only_queue(&site, &topic).await;
    let stored = site.pull_one_within(&queue, 0, ASKED_WITHIN).await;
    assert_eq!(stored.body(), "kept");
    assert!(asked.load(Ordering::SeqCst) >= 1);
    after.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn transactions_in_a_namespace() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (fresh_topic("spaced"), fresh_topic("group"));
    let wrapped = format!("MQ_INST_1%{topic}");
    site.create_topic(&wrapped, 1).await;
    let mut transactions = Transactions::start(name_server, &group, |option| {
        option.set_namespace("MQ_INST_1");
    })
    .await;
    let committed =
        transactions.producer.send_in_transaction(message(&topic, "commit", "commit", "at once")).await;
    let queue = committed.expect("stored").send_result.message_queue;
    assert_eq!(queue.topic(), topic);
    let queue = MessageQueue::new(wrapped, queue.shared_broker_name().clone(), queue.queue_id());
    assert_eq!(site.pull_one(&queue, 0).await.body(), "at once");
    let mut later = message(&topic, "unknown", "commit", "later");
    later.set_check_immunity_time_in_seconds(1);
    let unknown = transactions.producer.send_in_transaction(later).await.expect("stored");
    let asked = transactions.next_check().await;
    assert_eq!((asked.topic(), asked.transaction_id()), (&*topic, Some(&*unknown.msg_id)));
    assert_eq!(site.pull_one(&queue, 1).await.body(), "later");
}

#[tokio::test]
async fn a_transaction_cannot_be_delayed() {
    let name_server = &*stage::name_server().await;
    let transactions = Transactions::start(name_server, &fresh_topic("group"), |_| {}).await;
    let plain = || Message::new("Never", "x");
    for delayed in [
        plain().with_delay_time_level(1),
        plain().with_delay_time_sec(1),
        plain().with_delay_time_ms(1),
        plain().with_deliver_time_ms(1),
    ] {
        let error = transactions.producer.send_in_transaction(delayed).await.expect_err("refused");
        assert!(matches!(error, MQClientError::MessageIllegal { .. }), "{error}");
    }
    assert!(transactions.listener.executed.lock().expect("unpoisoned").is_empty());
    let sent = transactions.producer.producer().send(Message::new(fresh_topic("plain"), "x")).await;
    assert_eq!(sent.expect("ordinary messages are fine").send_status, SendStatus::SendOk);
}
