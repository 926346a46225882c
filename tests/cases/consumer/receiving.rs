//! Messages come to the listener.

use std::sync::{Arc, Mutex};

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumeFromWhere, MessageSelector, PushConsumer};
use rocketmq::model::Message;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::Site;
use crate::stage;

#[tokio::test]
async fn messages_from_before_and_after_the_start_come_once() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("both_sides", 4).await;
    send(&site, &topic, bodies("before-", 100)).await;
    let seen = Seen::default();
    let mut option = ConsumerOption::default();
    option.set_name_server_addr(name_server).set_group_name(fresh_group("both_sides"));
    option.set_consume_from_where(ConsumeFromWhere::First);
    let consumer = PushConsumer::new(option);
    let collect = seen.clone();
    consumer.listener(move |message, _| {
        collect.add(message);
        async {}
    });
    consumer.subscribe(&topic, "*").await.unwrap();
    consumer.start().await.unwrap();
    send(&site, &topic, bodies("after-", 100)).await;
    seen.wait_for(200).await;
    assert!(consumer.health().is_ready(), "{:?}", consumer.health().problems());
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(seen.counts().values().all(|count| *count == 1), "{:?}", seen.counts());
}

#[tokio::test]
async fn a_new_group_that_starts_at_the_end_gets_what_is_sent_after_its_start() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("last", 4).await;
    send(&site, &topic, bodies("old-", 20)).await;
    let (seen, group) = (Seen::default(), fresh_group("last"));
    let collect = seen.clone();
    let consumer = consumer(name_server, &group)
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::LastExactly))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    send(&site, &topic, bodies("new-", 50)).await;
    seen.wait_for(50).await;
    consumer.shutdown().await.unwrap();
    assert!(seen.bodies().iter().all(|body| body.starts_with("new-")), "{:?}", seen.bodies());
}

#[tokio::test]
async fn tags_choose_messages() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("tags", 2).await;
    for (number, tag) in ["TagA", "TagB", "TagC", "Aa", "BB"].iter().cycle().take(50).enumerate() {
        let message = Message::new(&topic, format!("{tag}-{number}")).with_tags(tag);
        site.producer.send(message).await.unwrap();
    }
    let (seen, group) = (Seen::default(), fresh_group("tags"));
    let collect = seen.clone();
    // The hashes of "Aa" and "BB" are equal.
    let consumer =
        consumer(name_server, &group).subscribe(&topic, "TagA || TagC || Aa").listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(30).await;
    consumer.shutdown().await.unwrap();
    assert!(
        seen.messages().iter().all(|message| message.tags() != Some("BB") && message.tags() != Some("TagB"))
    );
}

#[tokio::test]
async fn sql_chooses_messages_and_one_that_cannot_be_parsed_is_refused() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("sql", 2).await;
    for number in 0..40 {
        let mut message = Message::new(&topic, format!("{number}"));
        message.put_property("amount", number.to_string());
        site.producer.send(message).await.unwrap();
    }
    let (seen, group) = (Seen::default(), fresh_group("sql"));
    let refused = consumer(name_server, &fresh_group("sql_refused"))
        .subscribe(&topic, MessageSelector::by_sql("amount >"))
        .listener(|_, _| async {})
        .start()
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.response_code().map(|code| code.0), Some(23));
    assert!(refused.to_string().contains("`amount >`"), "{refused}");
    let collect = seen.clone();
    let consumer = consumer(name_server, &group)
        .subscribe(&topic, MessageSelector::by_sql("amount >= 30"))
        .listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(10).await;
    consumer.shutdown().await.unwrap();
    assert_eq!(seen.counts().len(), 10);
}

#[tokio::test]
async fn batches_come_together() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("batches", 1).await;
    send(&site, &topic, bodies("m", 64)).await;
    let (seen, sizes) = (Seen::default(), Arc::new(Mutex::new(Vec::new())));
    let (collect, note) = (seen.clone(), sizes.clone());
    let consumer = consumer(name_server, &fresh_group("batches"))
        .option(|option| _ = option.set_consume_message_batch_max_size(16))
        .subscribe(&topic, "*")
        .batch_listener(move |messages, _| {
            note.lock().unwrap().push(messages.len());
            messages.iter().for_each(|message| collect.add(Arc::new(message.clone())));
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(64).await;
    consumer.shutdown().await.unwrap();
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().all(|size| *size <= 16) && sizes.contains(&16), "{sizes:?}");
}

#[tokio::test]
async fn topics_come_and_go_while_the_consumer_runs() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (one, other) = (site.create("one", 2).await, site.create("other", 2).await);
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = consumer(name_server, &fresh_group("come_and_go")).subscribe(&one, "*").listener(
        move |message, _| {
            collect.add(message);
            async {}
        },
    );
    let consumer = consumer.start().await.unwrap();
    send(&site, &one, bodies("one-", 10)).await;
    send(&site, &other, bodies("other-", 10)).await;
    seen.wait_for(10).await;
    consumer.subscribe(&other, "*").await.unwrap();
    seen.wait_for(20).await;
    consumer.unsubscribe(&one).await.unwrap();
    until("the queues go", || consumer.assignment().iter().all(|queue| queue.topic() != one)).await;
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_suspended_consumer_waits_and_a_paused_queue_waits_alone() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("suspended", 2).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = consumer(name_server, &fresh_group("suspended")).subscribe(&topic, "*").listener(
        move |message, _| {
            collect.add(message);
            async {}
        },
    );
    let consumer = consumer.start().await.unwrap();
    consumer.set_concurrency(1).unwrap();
    assert!(consumer.set_concurrency(0).is_err());
    consumer.suspend();
    send(&site, &topic, bodies("m", 10)).await;
    let queues = consumer.assignment();
    let paused: Vec<_> = queues.iter().filter(|queue| queue.topic() == topic).take(1).cloned().collect();
    consumer.pause_queues(&paused);
    assert_eq!(seen.len(), 0);
    consumer.resume();
    consumer.set_concurrency(8).unwrap();
    until("the other queue", || seen.len() == 5).await;
    consumer.resume_queues(&paused);
    seen.wait_for(10).await;
    consumer.shutdown().await.unwrap();
}
