//! Apache's own tool reads what this client traces.

use std::time::{Duration, Instant};

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::{LocalTransactionState, Producer, TransactionListenerFn, TransactionProducer};

use crate::cases::support::fresh_topic;
use crate::mqadmin::mqadmin;
use crate::stage::shared;

/// The broker indexes messages a moment after it has stored them.
const FOUND_WITHIN: Duration = Duration::from_secs(180);

const FAILED_ID: &str = "7F00000100000000000000000000FA11";

#[tokio::test]
async fn mqadmin_finds_the_trace_of_a_message_by_its_id() {
    let name_server = shared().name_server_addr();
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server).set_group_name("traced_for_mqadmin").set_enable_trace(true);
    option.set_max_message_size(8 << 20).set_compress_msg_body_over_threshold(usize::MAX);
    option.set_send_msg_timeout(20_000);
    let producer = Producer::new(option);
    producer.start().await.expect("started");
    let topic = fresh_topic("traced_for_mqadmin");
    let message = Message::new(topic.as_str(), "hello").with_tags("TagA").with_keys("order-7");
    let sent = producer.send(message).await.expect("sent");
    let mut too_large = Message::new(topic.as_str(), vec![b'x'; 5 << 20]);
    too_large.properties_mut().put_reserved("UNIQ_KEY", FAILED_ID);
    producer.send(too_large).await.expect_err("the broker refuses it");
    producer.shutdown().await.expect("shut down");

    for (id, status) in [(&*sent.msg_id, "success"), (FAILED_ID, "failed")] {
        let record = trace_of(name_server, id);
        assert!(record.contains("traced_for_mqadmin") && record.contains(status), "{record}");
    }
}

#[tokio::test]
async fn mqadmin_reads_ends_of_transactions_and_recalls_too() {
    let name_server = shared().name_server_addr();
    let listener = TransactionListenerFn::new(
        |_, _| async { Ok(LocalTransactionState::Commit) },
        |_| async { Ok(LocalTransactionState::Unknown) },
    );
    let producer = TransactionProducer::builder("traced_ends", listener).name_server_addr(name_server);
    let producer = producer.option(|option| {
        option.set_enable_trace(true).set_send_msg_timeout(20_000);
    });
    let producer = producer.start().await.expect("started");
    let topic = fresh_topic("traced_ends");
    let half = Message::new(topic.as_str(), "x").with_keys("order-8");
    let ended = producer.send_in_transaction(half).await.expect("sent").send_result;
    let timer = Message::new(topic.as_str(), "later").with_delay_time_sec(3600);
    let timer = producer.producer().send(timer).await.expect("sent");
    let handle = timer.recall_handle.expect("timers can be taken back");
    producer.producer().recall(&topic, &handle).await.expect_err("this broker does not recall");
    producer.shutdown().await.expect("shut down");

    // One trace message has all records, and Apache's code reads all of them or none.
    for id in [&ended.msg_id, &timer.msg_id] {
        assert!(trace_of(name_server, id).contains("success"));
        // Not before: the tool may take longer than the NameServer keeps an idle connection.
        let admin = MQAdmin::connect(name_server).await.expect("connected");
        let found = admin.query_message("RMQ_SYS_TRACE_TOPIC", id, 8, ..).await.expect("found").messages;
        let texts: Vec<_> = found.iter().map(|message| String::from_utf8_lossy(message.body())).collect();
        assert!(
            texts.iter().any(|text| text.contains("EndTransaction") && text.contains("Recall")),
            "{texts:?}"
        );
    }
}

/// The line of a sent message in what `mqadmin` prints.
fn trace_of(name_server: &str, msg_id: &str) -> String {
    let began = Instant::now();
    loop {
        let printed = mqadmin(&["queryMsgTraceById", "-n", name_server, "-i", msg_id]);
        if let Some(record) = printed.lines().find(|line| line.starts_with("Pub ")) {
            return record.to_owned();
        }
        assert!(began.elapsed() < FOUND_WITHIN, "no trace of {msg_id} in {printed}");
    }
}
