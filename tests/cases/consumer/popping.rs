//! Messages that brokers hand out and hide until they are acknowledged: the mode POP of a group and topic.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::admin::{Brokers, MessageRequestMode, TopicConfig};
use rocketmq::consumer::{
    BatchOutcome, ConsumeFailure, ConsumeFromWhere, ConsumeOutcome, ConsumerEvent, OrderlyOutcome,
    PushConsumerBuilder,
};
use rocketmq::model::{Message, mix_all};

use super::support::{Seen, WITHIN, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually, fresh_topic};
use crate::stage;

/// Sets how a group gets the messages of a topic.
async fn set_mode(site: &Site, topic: &str, group: &str, mode: &str) {
    let mode = if mode == "POP" { MessageRequestMode::Pop } else { MessageRequestMode::Pull };
    let set = site.admin.set_message_request_mode(topic, group, mode, 0, &Brokers::All).await;
    assert!(set.unwrap().is_complete());
}

/// A consumer whose queues the broker assigns.
fn assigned(name_server: &str, group: &str) -> PushConsumerBuilder {
    consumer(name_server, group).option(|option| _ = option.set_client_rebalance(false))
}

#[tokio::test]
async fn popped_messages_come_once_and_are_acknowledged_together() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop", 4).await, fresh_group("pop"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, bodies("before", 20)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group).subscribe(&topic, "*").listener(move |message, context| {
        assert_eq!(context.queue.queue_id(), message.queue_id(), "handlers see the queue of the message");
        collect.add(message);
        async {}
    });
    let consumer = consumer.start().await.unwrap();
    send(&site, &topic, bodies("after", 20)).await;
    seen.wait_for(40).await;
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 40).await;
    let health = consumer.health();
    let popped = health.queues.iter().find(|queue| queue.queue.topic() == topic).expect("a queue is popped");
    assert_eq!((popped.queue.queue_id(), popped.unacknowledged, popped.committed), (-1, Some(0), None));
    assert!(health.is_ready(), "{:?}", health.problems());
    let info = consumer.consumer_running_info();
    assert!(info.mq_pop_table.keys().any(|queue| queue.topic() == topic), "{:?}", info.mq_pop_table);
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let again = assigned(name_server, &group).subscribe(&topic, "*").listener({
        let collect = seen.clone();
        move |message, _| {
            collect.add(message);
            async {}
        }
    });
    let again = again.start().await.unwrap();
    send(&site, &topic, bodies("last", 1)).await;
    seen.wait_for(41).await;
    again.shutdown().await.unwrap();
    assert_eq!(seen.len(), 41, "what was acknowledged does not come again");
}

/// Brokers that are asked to start a new group at the end hand out the last message, too.
#[tokio::test]
async fn a_new_group_pops_what_is_sent_after_its_start() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_last", 2).await, fresh_group("pop_last"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, bodies("before", 8)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group)
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::LastExactly))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    send(&site, &topic, bodies("after", 8)).await;
    seen.wait_for(8).await;
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count >= 8).await;
    consumer.shutdown().await.unwrap();
    assert!(seen.bodies().iter().all(|body| body.starts_with("after")), "{:?}", seen.bodies());
}

#[tokio::test]
async fn messages_of_a_higher_priority_come_first() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (fresh_topic("priority"), fresh_group("priority"));
    let config = TopicConfig::new(&*topic, 4).with_attribute("message.type", "PRIORITY");
    assert!(site.admin.create_topic(&config, &Brokers::All).await.unwrap().is_complete());
    set_mode(&site, &topic, &group, "POP").await;
    for number in 0..12 {
        let message = Message::new(&*topic, format!("m{number}")).with_priority(number % 4);
        site.producer.send(message).await.unwrap();
    }
    eventually("all messages can be popped", async || {
        let mut stored = 0;
        for queue in site.admin.message_queues(&topic).await.unwrap() {
            stored += site.admin.max_offset(&queue).await.unwrap();
        }
        (stored == 12).then_some(())
    })
    .await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group)
        .option(|option| _ = option.set_consume_concurrency(1))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(12).await;
    consumer.shutdown().await.unwrap();
    // Each broker orders its own messages.
    let mut of_brokers = BTreeMap::<String, Vec<u32>>::new();
    for message in seen.messages() {
        let priority = message.priority().expect("it is kept");
        of_brokers.entry(message.message_queue().broker_name().to_owned()).or_default().push(priority);
    }
    for (broker, priorities) in of_brokers {
        assert!(priorities.is_sorted_by(|earlier, later| earlier >= later), "{broker}: {priorities:?}");
    }
}

#[tokio::test]
async fn a_popped_message_that_fails_comes_again_with_its_own_topic() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_again", 2).await, fresh_group("pop_again"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, bodies("m", 4)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group).subscribe(&topic, "*").listener(move |message, context| {
        collect.add(message);
        async move {
            match context.reconsume_times {
                0 => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                _ => Ok::<_, ConsumeFailure>(ConsumeOutcome::Success),
            }
        }
    });
    let consumer = consumer.start().await.unwrap();
    until("second deliveries", || seen.counts().values().filter(|count| **count == 2).count() == 4).await;
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 4).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(seen.messages().iter().all(|message| message.topic() == topic));
    let times: Vec<_> = seen.messages().iter().map(|message| message.reconsume_times()).collect();
    assert_eq!((times.len(), times.iter().sum::<i32>()), (8, 4));
}

#[tokio::test]
async fn a_handler_that_runs_longer_than_a_message_is_hidden_has_it_for_itself() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_long", 1).await, fresh_group("pop_long"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, bodies("m", 3)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group)
        .option(|option| _ = option.set_pop_invisible_time(5_000))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            // What is tested is that time passes.
            tokio::time::sleep(Duration::from_secs(7))
        });
    let consumer = consumer.start().await.unwrap();
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 3).await;
    let stats = consumer.get_stats().unwrap();
    assert!(stats.extend_count >= 3 && stats.late_ack_count == 0, "{stats:?}");
    assert_eq!(seen.len(), 3);
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_last_failure_of_a_popped_message_makes_a_dead_letter_with_its_reason() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_dead", 1).await, fresh_group("pop_dead"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, ["bad".to_owned(), "worse".to_owned(), "good".to_owned()]).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group)
        .option(|option| _ = option.set_max_reconsume_times(1))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message.clone());
            async move {
                match &message.body()[..] {
                    b"bad" => Ok(ConsumeOutcome::Later { delay_level: Some(1) }),
                    b"worse" => Ok(ConsumeOutcome::DeadLetter { reason: "worse".to_owned() }),
                    _ => Ok::<_, ConsumeFailure>(ConsumeOutcome::Success),
                }
            }
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    let mut reasons = Vec::new();
    let dead = async {
        while reasons.len() < 2 {
            if let Some(ConsumerEvent::DeadLettered { reason, message, .. }) = events.next().await {
                assert_eq!(&*message.topic, topic);
                reasons.push(reason.to_string());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
    assert_eq!(reasons, ["worse", "the listener said: later"]);
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 3).await;
    assert_eq!(
        seen.counts(),
        [("bad", 2), ("good", 1), ("worse", 1)].map(|(body, n)| (body.to_owned(), n)).into()
    );
    let queues = eventually("the dead letter topic", || async {
        let queues = site.admin.message_queues(&mix_all::dlq_topic(&group)).await;
        queues.ok().filter(|queues| !queues.is_empty())
    })
    .await;
    let letter = site.pull_one(&queues[0], 1).await;
    assert_eq!((&letter.body()[..], letter.property("RETRY_TOPIC")), (&b"bad"[..], Some(topic.as_str())));
    assert_eq!(letter.property("POP_CK"), None);
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stream_of_popped_messages_is_settled_by_its_reader() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_stream", 2).await, fresh_group("pop_stream"));
    set_mode(&site, &topic, &group, "POP").await;
    send(&site, &topic, bodies("m", 10)).await;
    let consumer = assigned(name_server, &group).subscribe(&topic, "*").build().unwrap();
    let mut messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    let first = messages.next().await.unwrap().unwrap();
    first.ack_committed().await.expect("the broker has the acknowledgement");
    assert_eq!(consumer.get_stats().unwrap().ack_count, 1);
    let second = messages.next().await.unwrap().unwrap();
    let (again, id) = (second.body().clone(), second.msg_id().to_owned());
    second.retry_later(Some(1));
    messages.next().await.unwrap().unwrap().dead_letter("no such account").await.unwrap();
    let mut left = 8;
    while left > 0 {
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(delivery.reconsume_times() > 0, delivery.body() == &again, "{id}");
        delivery.ack();
        left -= 1;
    }
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 10).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn batches_are_popped_and_finished_one_by_one() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_batch", 1).await, fresh_group("pop_batch"));
    set_mode(&site, &topic, &group, "POP").await;
    for (number, tag) in (0..20).map(|number| (number, if number % 2 == 0 { "A" } else { "B" })) {
        site.producer.send(Message::new(&topic, format!("m{number}")).with_tags(tag)).await.unwrap();
    }
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = assigned(name_server, &group)
        .option(|option| _ = option.set_consume_message_batch_max_size(8))
        .subscribe(&topic, "A")
        .batch_listener(move |messages, _| {
            messages.iter().for_each(|message| collect.add(message.clone().into()));
            let is_new = |message: &rocketmq::model::MessageExt| message.reconsume_times() == 0;
            let first = messages.iter().position(|message| message.body() == &b"m4"[..] && is_new(message));
            async move {
                match first {
                    Some(index) => BatchOutcome::UpTo(index),
                    None => BatchOutcome::All(ConsumeOutcome::Success),
                }
            }
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(10).await;
    until("m4 comes again", || seen.counts()["m4"] == 2).await;
    until("acknowledgements", || consumer.get_stats().unwrap().ack_count >= 10).await;
    assert!(seen.messages().iter().all(|message| message.tags() == Some("A")));
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_orderly_listener_gets_the_popped_messages_of_each_queue_in_order() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_order", 2).await, fresh_group("pop_order"));
    set_mode(&site, &topic, &group, "POP").await;
    let queues = site.admin.message_queues(&topic).await.unwrap();
    let send = async |range: std::ops::Range<usize>| {
        for number in range {
            let message = Message::new(&topic, format!("{}-{number:02}", number % 2));
            site.producer.send_to(message, &queues[number % 2]).await.unwrap();
        }
    };
    send(0..40).await;
    let seen = Seen::default();
    let member = |seen: &Seen| {
        let collect = seen.clone();
        assigned(name_server, &group)
            .option(|option| _ = option.set_suspend_current_queue_time(10).set_pop_batch_nums(4))
            .subscribe(&topic, "*")
            .orderly_listener(move |message, context| {
                let fails = message.body() == &b"1-07"[..] && context.reconsume_times < 2;
                if !fails {
                    collect.add(message);
                }
                async move {
                    match fails {
                        true => OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None },
                        false => OrderlyOutcome::Success,
                    }
                }
            })
            .start()
    };
    let first = member(&seen).await.unwrap();
    let second = member(&seen).await.unwrap();
    send(40..60).await;
    seen.wait_for(60).await;
    until("acknowledgements", || {
        first.get_stats().unwrap().ack_count + second.get_stats().unwrap().ack_count == 60
    })
    .await;
    for queue in ["0", "1"] {
        let bodies: Vec<_> = seen.bodies().into_iter().filter(|body| body.starts_with(queue)).collect();
        assert!(bodies.is_sorted(), "{bodies:?}");
        assert_eq!(bodies.len(), 30);
    }
    assert!(first.shutdown().await.unwrap().is_clean());
    assert!(second.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn the_mode_is_switched_while_members_run_and_nothing_is_lost() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pop_switch", 4).await, fresh_group("pop_switch"));
    set_mode(&site, &topic, &group, "PULL").await;
    let seen = Seen::default();
    let member = |seen: &Seen| {
        let collect = seen.clone();
        assigned(name_server, &group)
            .option(|option| _ = option.set_pop_invisible_time(5_000))
            .subscribe(&topic, "*")
            .listener(move |message, _| {
                // What fails in one mode may come again in the other.
                let fails = message.reconsume_times() == 0 && message.body().ends_with(b"7");
                if !fails {
                    collect.add(message);
                }
                async move {
                    match fails {
                        true => ConsumeOutcome::Later { delay_level: Some(1) },
                        false => ConsumeOutcome::Success,
                    }
                }
            })
            .start()
    };
    let members = [member(&seen).await.unwrap(), member(&seen).await.unwrap()];
    let mut sent = 0;
    for mode in ["PULL", "POP", "PULL", "POP"] {
        set_mode(&site, &topic, &group, mode).await;
        send(&site, &topic, (sent..sent + 100).map(|number| format!("m{number}"))).await;
        let is_popped = |consumer: &rocketmq::consumer::PushConsumer| {
            let health = consumer.health();
            let mut of_topic = health.queues.iter().filter(|queue| queue.queue.topic() == topic).peekable();
            of_topic.peek().is_some()
                && of_topic.all(|queue| queue.unacknowledged.is_some() == (mode == "POP"))
        };
        until("the mode", || members.iter().all(is_popped)).await;
        send(&site, &topic, (sent + 100..sent + 200).map(|number| format!("m{number}"))).await;
        sent += 200;
    }
    let missing = || {
        let counts = seen.counts();
        (0..sent)
            .map(|number| format!("m{number}"))
            .filter(|body| !counts.contains_key(body))
            .collect::<Vec<_>>()
    };
    let began = std::time::Instant::now();
    while !missing().is_empty() {
        assert!(began.elapsed() < 2 * WITHIN, "{:?}", missing());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for member in members {
        let report = member.shutdown().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
    // While members switch one after the other, messages of a queue may go to both.
    assert!(seen.counts().values().all(|count| *count <= 3), "{:?}", seen.counts());
}
