//! Trace records: text in messages of the trace topic.

use rocketmq::consumer::ConsumeOutcome;
use rocketmq::model::{Message, SendStatus};
use rocketmq::producer::{LocalTransactionState, TransactionListenerFn, TransactionProducer};

use super::consumer::support::{Seen, consumer, fresh_group};
use super::support::{Site, fresh_topic};
use crate::stage;

/// The trace messages of a topic, queue by queue: their keys and the fields of their records.
async fn records(site: &Site, trace_topic: &str) -> Vec<(String, Vec<String>)> {
    let mut records = Vec::new();
    for queue in site.producer.fetch_publish_message_queues(trace_topic).await.expect("the topic exists") {
        let end = site.admin.pull(&queue, 0, 32).await.expect("pulled").max_offset;
        for offset in 0..end {
            let message = site.pull_one(&queue, offset).await;
            let text = String::from_utf8(message.body().to_vec()).expect("a text");
            for record in text.split_terminator('\u{2}') {
                let fields = record.split('\u{1}').map(str::to_owned).collect();
                records.push((message.keys().unwrap_or_default().to_owned(), fields));
            }
        }
    }
    records
}

/// Of each recall that was recorded, in their order: whether it succeeded.
pub(super) async fn recalls(site: &Site, trace_topic: &str) -> Vec<String> {
    let found = records(site, trace_topic).await.into_iter().map(|(_, fields)| fields);
    found.filter(|fields| fields[0] == "Recall").map(|fields| fields[6].clone()).collect()
}

#[tokio::test]
async fn sends_are_recorded_and_failed_ones_too() {
    let name_server = &*stage::name_server().await;
    let trace_topic = fresh_topic("trace");
    let traced = Site::with(name_server, |option| {
        option.set_enable_trace(true).set_trace_topic(trace_topic.as_str()).set_group_name("traced");
        option.set_max_message_size(8 << 20).set_compress_msg_body_over_threshold(usize::MAX);
    })
    .await;
    let topic = fresh_topic("traced");
    let message = Message::new(topic.as_str(), "hello").with_tags("TagA").with_keys("k1 k2");
    let sent = traced.producer.send(message).await.expect("sent");
    let pair = ["one", "three"].map(|body| Message::new(topic.as_str(), body));
    let batch = traced.producer.send_batch(pair).await.expect("sent");
    traced.producer.send_oneway(Message::new(topic.as_str(), "nobody knows")).await.expect("written");
    let too_large = Message::new(topic.as_str(), vec![b'x'; 5 << 20]).with_keys("large");
    traced.producer.send(too_large).await.expect_err("the broker refuses it");
    assert_eq!(traced.producer.get_stats().expect("running").trace_dropped_count, 0);
    assert!(traced.producer.shutdown().await.expect("shut down").is_clean());

    let found = records(&Site::new(name_server).await, &trace_topic).await;
    let of = |id: &str| {
        let mut with_id = found.iter().filter(|(keys, _)| keys.split(' ').any(|key| key == id));
        let (_, fields) = with_id.find(|(_, fields)| fields[5] == id).expect("a record that its id finds");
        (fields[4..].join("|"), fields)
    };
    let (text, fields) = of(&sent.msg_id);
    assert_eq!(
        (fields[0].as_str(), fields[2].as_str(), fields[3].as_str()),
        ("Pub", "DefaultRegion", "traced")
    );
    assert!(fields[1].parse::<u64>().is_ok() && fields[10].parse::<u64>().is_ok(), "{fields:?}");
    let (id, offset_id, broker) = (&sent.msg_id, &sent.offset_msg_id, &fields[8]);
    assert_eq!(text, format!("{topic}|{id}|TagA|k1 k2|{broker}|5|{}|0|{offset_id}|true", fields[10]));
    assert!(found.iter().any(|(keys, _)| keys.contains("k1") && keys.contains("k2")));
    assert_eq!((batch.send_status, found.len()), (SendStatus::SendOk, 4), "{found:?}");
    let offset_ids = batch.offset_msg_id.split(',');
    for ((id, offset_id), length) in batch.msg_id.split(',').zip(offset_ids).zip(["3", "5"]) {
        let (_, fields) = of(id);
        assert_eq!(
            [&*fields[6], &*fields[7], &*fields[9], &*fields[12]],
            ["null", "null", length, offset_id]
        );
    }
    let failed = found.iter().find(|(_, fields)| fields[7] == "large").expect("failed attempts are recorded");
    assert_eq!((failed.1[12].as_str(), failed.1[13].as_str()), ("", "false"));
}

#[tokio::test]
async fn the_ends_of_transactions_are_recorded() {
    let name_server = &*stage::name_server().await;
    let (topic, trace_topic) = (fresh_topic("ended"), fresh_topic("trace_ended"));
    let listener = TransactionListenerFn::new(
        |_, _| async { Ok(LocalTransactionState::Rollback) },
        |_| async { Ok(LocalTransactionState::Unknown) },
    );
    let traced = TransactionProducer::builder("traced_transactions", listener)
        .name_server_addr(name_server)
        .option(|option| {
            option.set_enable_trace(true).set_trace_topic(trace_topic.as_str()).set_send_msg_timeout(20_000);
        })
        .start()
        .await
        .expect("started");
    let message = Message::new(topic.as_str(), "x").with_keys("k");
    let sent = traced.send_in_transaction(message).await.expect("sent").send_result;
    traced.shutdown().await.expect("shut down");

    let found = records(&Site::new(name_server).await, &trace_topic).await;
    let kinds: Vec<&str> = found.iter().map(|(_, fields)| &*fields[0]).collect();
    assert_eq!(kinds, ["Pub", "EndTransaction"]);
    assert_eq!((&*found[0].1[11], &found[0].1[5]), ("1", &sent.msg_id), "a half message");
    let end = &found[1].1;
    assert_eq!((&end[5], &*end[6], &*end[7], &*end[9]), (&sent.msg_id, "null", "k", "2"));
    assert_eq!([&*end[11], &*end[12]], ["ROLLBACK_MESSAGE", "false"]);
}

#[tokio::test]
async fn the_handling_of_a_message_is_recorded_before_and_after_each_time() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, trace_topic) = (site.create("traced_sub", 1).await, fresh_topic("trace_sub"));
    let sent = site.producer.send(Message::new(topic.as_str(), "x").with_keys("k1 k2")).await.expect("sent");
    let pair = ["one", "other"].map(|body| Message::new(topic.as_str(), body));
    let batch = site.producer.send_batch(pair).await.expect("sent");
    let (group, seen) = (fresh_group("traced_sub"), Seen::default());
    let collect = seen.clone();
    let consumer = consumer(name_server, &group).subscribe(&topic, "*").listener(move |message, context| {
        let first = message.body() == "x" && context.reconsume_times == 0;
        if !first {
            collect.add(message);
        }
        std::future::ready(if first {
            ConsumeOutcome::Later { delay_level: Some(1) }
        } else {
            ConsumeOutcome::Success
        })
    });
    let consumer = consumer.option(|option| {
        option.set_enable_trace(true).set_trace_topic(trace_topic.as_str());
    });
    let consumer = consumer.start().await.expect("started");
    seen.wait_for(3).await;
    assert_eq!(consumer.get_stats().expect("running").trace_dropped_count, 0);
    let report = consumer.shutdown().await.expect("shut down");
    assert!(report.is_clean(), "{report}");

    let found = records(&site, &trace_topic).await;
    let of = |kind: &str, id: &str, field: usize| {
        let of_id = |(keys, fields): &&(String, Vec<String>)| {
            fields[0] == kind && fields[field] == id && keys.split(' ').any(|key| key == id)
        };
        found.iter().filter(of_id).map(|(_, fields)| fields.clone()).collect::<Vec<_>>()
    };
    let (before, after) = (of("SubBefore", &sent.msg_id, 5), of("SubAfter", &sent.msg_id, 2));
    assert_eq!((before.len(), after.len()), (2, 2), "{found:?}");
    for ((before, after), (times, ended)) in
        before.iter().zip(&after).zip([("0", "false|k1 k2|4"), ("1", "true|k1 k2|0")])
    {
        assert!(before[1].parse::<u64>().is_ok() && after[7].parse::<u64>().is_ok(), "{before:?} {after:?}");
        let (id, request_id) = (&sent.msg_id, &before[4]);
        let expected = format!("DefaultRegion|{group}|{request_id}|{id}|{times}|k1 k2");
        assert_eq!(before[2..].join("|"), expected);
        let (cost, at) = (&after[3], &after[7]);
        assert_eq!(after[1..].join("|"), format!("{request_id}|{id}|{cost}|{ended}|{at}|{group}"));
    }
    // Brokers give the messages of a batch no region.
    for id in batch.msg_id.split(',') {
        assert_eq!((of("SubBefore", id, 5).len(), of("SubAfter", id, 2).len()), (1, 1), "{found:?}");
    }
    assert_eq!(found.len(), 8, "{found:?}");
}
