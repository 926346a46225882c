//! Apache's own tool reads what this client traces.

use std::time::{Duration, Instant};

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::consumer::ConsumeFailure;
use rocketmq::model::Message;
use rocketmq::producer::{LocalTransactionState, Producer, TransactionListenerFn, TransactionProducer};

use crate::cases::consumer::support::{Seen, consumer};
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

#[tokio::test]
async fn mqadmin_shows_the_whole_way_of_a_message_from_its_producer_to_its_consumers() {
    let name_server = shared().name_server_addr();
    let topic = fresh_topic("traced_way");
    let builder = Producer::builder("traced_way").name_server_addr(name_server);
    let builder = builder.option(|option| _ = option.set_enable_trace(true).set_send_msg_timeout(20_000));
    let producer = builder.start().await.expect("started");
    let sent = producer.send(Message::new(topic.as_str(), "hello").with_keys("order-9")).await.expect("sent");
    producer.shutdown().await.expect("shut down");
    for (group, body) in [("traced_way_done", "hello"), ("traced_way_failed", "")] {
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = consumer(name_server, group).subscribe(&topic, "*").listener(move |message, _| {
            let done = message.body() == body;
            collect.add(message);
            std::future::ready(if done { Ok(()) } else { Err(ConsumeFailure::from("not today")) })
        });
        let consumer =
            consumer.option(|option| _ = option.set_enable_trace(true)).start().await.expect("started");
        seen.wait_for(1).await;
        consumer.shutdown().await.expect("shut down");
    }

    // Sent, and handled by two groups: the tool prints a table of both.
    let printed = printed_trace(name_server, &sent.msg_id, |printed| {
        printed.contains("Pub ")
            && printed.contains("traced_way_done")
            && printed.contains("traced_way_failed")
    });
    println!("{printed}");
    let of = |kind: &str, text: &str| {
        let found = printed.lines().find(|line| line.starts_with(kind) && line.contains(text));
        found.unwrap_or_else(|| panic!("no {kind} with {text} in {printed}"))
    };
    assert!(of("Pub ", "traced_way").contains("success"));
    assert!(of("Sub ", "traced_way_done").contains("success"));
    assert!(of("Sub ", "traced_way_failed").contains("failed"));
}

/// The line of a sent message in what `mqadmin` prints.
fn trace_of(name_server: &str, msg_id: &str) -> String {
    let is_pub = |line: &&str| line.starts_with("Pub ");
    let printed = printed_trace(name_server, msg_id, |printed| printed.lines().any(|line| is_pub(&line)));
    printed.lines().find(is_pub).unwrap_or_default().to_owned()
}

/// What `mqadmin` prints of a message, once it is complete.
fn printed_trace(name_server: &str, msg_id: &str, is_complete: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let printed = mqadmin(&["queryMsgTraceById", "-n", name_server, "-i", msg_id]);
        if is_complete(&printed) {
            return printed;
        }
        assert!(began.elapsed() < FOUND_WITHIN, "no complete trace of {msg_id} in {printed}");
    }
}
