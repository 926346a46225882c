//! Hooks of consumers: what they see of each kind of consumer, and what they leave out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::consumer::{BatchOutcome, ConsumeFailure, ConsumeOutcome, OrderlyOutcome, PullConsumer};
use rocketmq::hook::{
    ConsumeMessageContext, ConsumeMessageHook, ConsumeMessageOutcome, FilterMessageContext, FilterMessageHook,
};

use super::support::{WITHIN, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually};
use crate::stage;

/// Writes down what it sees: one line for each end.
#[derive(Default)]
struct Record(Mutex<Vec<String>>);

impl Record {
    fn ends(&self) -> Vec<String> {
        let mut ends = self.0.lock().unwrap().clone();
        ends.sort();
        ends
    }

    async fn wait_for<const N: usize>(&self, ends: [&str; N]) {
        until(&format!("{N} ends"), || self.ends().len() >= N).await;
        assert_eq!(self.ends(), ends);
    }
}

impl ConsumeMessageHook for Record {
    fn consume_message_before(&self, context: &mut ConsumeMessageContext<'_>) {
        let bodies: Vec<_> = context.messages.iter().map(|m| String::from_utf8_lossy(m.body())).collect();
        let seen = format!("{} of {}", bodies.join("+"), context.messages[0].topic());
        assert!(context.extensions.insert("seen", seen).is_none(), "each delivery has extensions of its own");
    }

    fn consume_message_after(
        &self,
        context: &ConsumeMessageContext<'_>,
        outcome: &ConsumeMessageOutcome<'_>,
    ) {
        let topic = context.messages[0].topic();
        let seen = context.extensions["seen"].strip_suffix(topic).expect("the same messages");
        let done: String = outcome.succeeded.iter().map(|done| if *done { '+' } else { '-' }).collect();
        let reason = outcome.reason.map_or(String::new(), |reason| format!(": {reason}"));
        let (group, id) = (context.consumer_group, context.queue.queue_id());
        let end = format!("{seen}{group} queue {id} {:?} {done}{reason}", outcome.status);
        assert_eq!(outcome.is_success(), !done.contains('-'));
        self.0.lock().unwrap().push(end);
    }
}

/// Panics whenever it is called: nobody must notice.
struct Panics;

impl ConsumeMessageHook for Panics {
    fn consume_message_before(&self, _: &mut ConsumeMessageContext<'_>) {
        panic!("before");
    }

    fn consume_message_after(&self, _: &ConsumeMessageContext<'_>, _: &ConsumeMessageOutcome<'_>) {
        panic!("after");
    }
}

impl FilterMessageHook for Panics {
    fn filter_message(&self, _: &FilterMessageContext<'_>) -> bool {
        panic!("filter");
    }
}

#[tokio::test]
async fn hooks_see_each_delivery_of_a_listener_and_a_hook_that_panics_harms_nothing() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, record) = (site.create("hooks", 1).await, Arc::new(Record::default()));
    send(&site, &topic, ["fine", "error", "panic", "later", "dead", "slow"].map(String::from)).await;
    let group = fresh_group("hooks");
    let consumer = consumer(name_server, &group)
        .subscribe(&topic, "*")
        .listener(|message, context| async move {
            match (&message.body()[..], context.reconsume_times) {
                (b"error", 0) => Err(ConsumeFailure::from("the database is away")),
                (b"panic", 0) => panic!("a bug"),
                (b"later", 0) => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                (b"dead", 0) => Ok(ConsumeOutcome::DeadLetter { reason: "no account".to_owned() }),
                (b"slow", 0) => std::future::pending().await,
                _ => Ok(ConsumeOutcome::Success),
            }
        })
        .option(|option| {
            option.add_consume_message_hook(Arc::new(Panics)).add_consume_message_hook(record.clone());
            option.add_filter_message_hook(Arc::new(Panics));
            // The other failures wait in the retry topic longer than this test.
            option.set_consume_timeout(300).set_timeout_grace(1).set_max_reconsume_times(1);
        })
        .start()
        .await
        .unwrap();
    let expected = [
        format!("dead of {group} queue 0 Failed -: no account"),
        format!("error of {group} queue 0 Exception -: the database is away"),
        format!("fine of {group} queue 0 Success +"),
        format!("later of {group} queue 0 Failed -"),
        // It comes again within seconds, under its own topic.
        format!("later of {group} queue 0 Success +"),
        format!("panic of {group} queue 0 Exception -: a bug"),
        format!("slow of {group} queue 0 TimeOut -"),
    ];
    until("each end is seen", || expected.iter().all(|end| record.ends().contains(end))).await;
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn hooks_see_batches_and_each_message_of_an_orderly_listener() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, record) = (site.create("hooks_batch", 1).await, Arc::new(Record::default()));
    send(&site, &topic, bodies("m", 3)).await;
    let group = fresh_group("hooks_batch");
    let batches = consumer(name_server, &group)
        .subscribe(&topic, "*")
        .batch_listener(|messages, _| async move { BatchOutcome::UpTo(messages.len() - 1) })
        .option(|option| {
            option.add_consume_message_hook(record.clone()).set_consume_message_batch_max_size(3);
        });
    let batches = batches.start().await.unwrap();
    until("the first batch is seen", || !record.ends().is_empty()).await;
    // Three messages as a rule: Apache may have stored fewer when the pull comes.
    let first = record.ends().remove(0);
    let bodies = first.split(' ').next().unwrap();
    let others = "+".repeat(bodies.matches('+').count());
    assert_eq!(first, format!("{bodies} of {group} queue 0 Failed {others}-"));
    batches.shutdown().await.unwrap();

    let record = Arc::new(Record::default());
    let group = fresh_group("hooks_orderly");
    let orderly = consumer(name_server, &group).subscribe(&topic, "*").option(|option| {
        option.add_consume_message_hook(record.clone()).set_suspend_current_queue_time(10);
    });
    let once = AtomicBool::new(true);
    let orderly = orderly.orderly_listener(move |message, _| {
        let first = message.body() == "m1" && once.swap(false, Ordering::Relaxed);
        std::future::ready(if first {
            OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None }
        } else {
            OrderlyOutcome::Success
        })
    });
    let orderly = orderly.start().await.unwrap();
    let [m0, again, m1, m2] =
        [("m0", "Success +"), ("m1", "Failed -"), ("m1", "Success +"), ("m2", "Success +")]
            .map(|(body, end)| format!("{body} of {group} queue 0 {end}"));
    record.wait_for([&m0, &again, &m1, &m2]).await;
    assert!(orderly.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn hooks_see_deliveries_of_a_stream_and_what_a_poll_takes() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, record) = (site.create("hooks_stream", 1).await, Arc::new(Record::default()));
    send(&site, &topic, bodies("m", 3)).await;
    let group = fresh_group("hooks_stream");
    let builder = consumer(name_server, &group).subscribe(&topic, "*").option(|option| {
        option.add_consume_message_hook(record.clone());
    });
    let streaming = builder.build().unwrap();
    let mut messages = streaming.messages().unwrap();
    streaming.start().await.unwrap();
    for _ in 0..3 {
        let delivery = messages.next().await.expect("a message").unwrap();
        match &delivery.body()[..] {
            b"m0" => delivery.ack(),
            b"m1" => delivery.retry_later(Some(18)),
            _ => drop(delivery),
        }
    }
    let ends = ["m0", "m1", "m2"].map(|body| format!("{body} of {group} queue 0 "));
    let [m0, m1, m2] = &ends;
    record
        .wait_for([&*format!("{m0}Success +"), &format!("{m1}Failed -"), &format!("{m2}Exception -")])
        .await;
    streaming.shutdown().await.unwrap();

    let (record, group) = (Arc::new(Record::default()), fresh_group("hooks_pull"));
    let builder = PullConsumer::builder(&group).name_server_addr(name_server).subscribe(&topic, "*");
    let builder = builder.option(|option| {
        option.add_consume_message_hook(record.clone()).set_pull_batch_size(3);
        option.set_consume_from_where(rocketmq::consumer::ConsumeFromWhere::First);
    });
    let mut polling = builder.start().await.unwrap();
    let polled = polling.poll(WITHIN).await.unwrap();
    let joined: Vec<_> = (0..polled.len()).map(|number| format!("m{number}")).collect();
    let end = format!("{} of {group} queue 0 Success {}", joined.join("+"), "+".repeat(polled.len()));
    assert_eq!(record.ends(), [end]);
    polling.shutdown().await.unwrap();
}

/// Lets pass what has an even number.
struct Even;

impl FilterMessageHook for Even {
    fn filter_message(&self, context: &FilterMessageContext<'_>) -> bool {
        assert!(!context.unit_mode && context.queue.topic() == context.message.topic());
        let number: u32 = String::from_utf8_lossy(&context.message.body()[1..]).parse().unwrap();
        number.is_multiple_of(2)
    }
}

#[tokio::test]
async fn what_a_filter_leaves_out_counts_as_finished() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("hooks_filter", 1).await, fresh_group("hooks_filter"));
    send(&site, &topic, bodies("m", 20)).await;
    let seen = super::support::Seen::default();
    let collect = seen.clone();
    let consumer = consumer(name_server, &group)
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        })
        .option(|option| {
            option.add_filter_message_hook(Arc::new(Panics)).add_filter_message_hook(Arc::new(Even));
            option.set_persist_offset_interval(20);
        })
        .start()
        .await
        .unwrap();
    let queue = site.admin.message_queues(&topic).await.unwrap().remove(0);
    // The last message is left out, and its offset is committed all the same.
    eventually("the commit", || async {
        let committed = site.admin.consumer_offset(&group, &queue).await.unwrap();
        (committed == Some(20)).then_some(())
    })
    .await;
    let even: Vec<String> = (0..20).step_by(2).map(|number| format!("m{number}")).collect();
    let mut bodies = seen.bodies();
    bodies.sort_by_key(|body| body[1..].parse::<u32>().unwrap());
    assert_eq!(bodies, even);
    assert_eq!(consumer.get_stats().unwrap().filtered_count, 10);
    assert!(consumer.shutdown_within(Duration::from_secs(20)).await.unwrap().is_clean());
}
