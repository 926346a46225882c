//! Consumers in a namespace: brokers know groups and topics with it, users without.

use std::sync::{Arc, Mutex};

use rocketmq::consumer::{
    ConsumeFromWhere, ConsumeOutcome, ConsumerEvent, ConsumerOption, PullConsumer, QueueState,
};
use rocketmq::model::{Message, MessageQueue, mix_all};

use super::support::{Seen, WITHIN, consumer, fresh_group, until};
use crate::cases::support::{Site, eventually, fresh_topic};
use crate::stage;

const NAMESPACE: &str = "MQ_INST_1";

/// A site of the namespace, and a topic with one queue: its plain name.
async fn site(name_server: &str, name: &str) -> (Site, String) {
    let site = Site::with(name_server, |option| _ = option.set_namespace(NAMESPACE)).await;
    let topic = fresh_topic(name);
    site.create_topic(&format!("{NAMESPACE}%{topic}"), 1).await;
    (site, topic)
}

fn spaced(option: &mut ConsumerOption) {
    option.set_namespace(NAMESPACE).set_persist_offset_interval(20);
    option.set_consume_from_where(ConsumeFromWhere::First);
}

async fn wait_for_committed(site: &Site, group: &str, queue: &MessageQueue, offset: i64) {
    let wire = MessageQueue::new(
        format!("{NAMESPACE}%{}", queue.topic()),
        queue.shared_broker_name().clone(),
        queue.queue_id(),
    );
    eventually("the commit", || async {
        let committed = site.admin.consumer_offset(&format!("{NAMESPACE}%{group}"), &wire).await.unwrap();
        (committed == Some(offset)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_push_consumer_shows_plain_names_and_uses_those_of_the_namespace() {
    let name_server = &*stage::name_server().await;
    let (site, topic) = site(name_server, "spaced_push").await;
    let (group, seen) = (fresh_group("spaced_push"), Seen::default());
    for body in ["fine", "later", "dead"] {
        site.producer.send(Message::new(topic.as_str(), body)).await.expect("sent");
    }
    let (collect, plain, queues) = (seen.clone(), topic.clone(), Arc::new(Mutex::new(Vec::new())));
    let of_contexts = queues.clone();
    let consumer = consumer(name_server, &group).subscribe(&topic, "*").option(spaced);
    let consumer = consumer
        .topic_listener(
            &topic,
            rocketmq::consumer::MessageListener::concurrently(move |message, context| {
                assert_eq!(message.topic(), plain);
                of_contexts.lock().unwrap().push(context.queue.topic().to_owned());
                let outcome = match (&message.body()[..], message.reconsume_times()) {
                    (b"later", 0) => ConsumeOutcome::Later { delay_level: Some(1) },
                    (b"dead", _) => ConsumeOutcome::DeadLetter { reason: "no account".to_owned() },
                    _ => ConsumeOutcome::Success,
                };
                if outcome == ConsumeOutcome::Success {
                    collect.add(message);
                }
                std::future::ready(outcome)
            }),
        )
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    seen.wait_for(2).await;
    let queue = consumer.assignment().into_iter().find(|queue| queue.topic() == topic).expect("its queue");
    wait_for_committed(&site, &group, &queue, 3).await;
    let of_retries = mix_all::retry_topic(&group);
    let topics: Vec<String> = queues.lock().unwrap().clone();
    assert!(topics.iter().all(|seen| *seen == topic || *seen == of_retries), "{topics:?}");
    assert!(topics.contains(&topic) && topics.contains(&of_retries), "{topics:?}");

    consumer.pause_queues(std::slice::from_ref(&queue));
    let health = consumer.health();
    assert_eq!(&*health.group, group);
    let of_queue = health.queues.iter().find(|health| health.queue == queue).expect("its health");
    assert_eq!(of_queue.state, QueueState::Paused, "{health:?}");

    // The dead letter lies in the namespace, and says where it came from.
    let letters = format!("%DLQ%{NAMESPACE}%{group}");
    let queues = eventually("the dead letter topic", || async {
        let queues = site.admin.message_queues(&letters).await;
        queues.ok().filter(|queues| !queues.is_empty())
    })
    .await;
    let letter = site.pull_one(&queues[0], 0).await;
    let wire = format!("{NAMESPACE}%{topic}");
    assert_eq!((&letter.body()[..], letter.property("RETRY_TOPIC")), (&b"dead"[..], Some(&*wire)));

    assert!(consumer.shutdown().await.unwrap().is_clean());
    let (mut assigned, mut dead) = (false, false);
    while let Some(event) = events.next().await {
        assert_eq!(event.group(), group);
        assert!(event.topic().is_none_or(|name| !name.contains(NAMESPACE)), "{event}");
        assert!(event.queue().is_none_or(|queue| !queue.topic().contains(NAMESPACE)), "{event}");
        match event {
            ConsumerEvent::Assigned { queues, .. } => assigned |= queues.contains(&queue),
            ConsumerEvent::DeadLettered { message, .. } => dead |= *message.topic == *topic,
            ConsumerEvent::Started { queues, .. } => assert!(queues.contains(&queue), "{queues:?}"),
            _ => {}
        }
    }
    assert!(assigned && dead);
}

#[tokio::test]
async fn a_pull_consumer_takes_and_shows_plain_names() {
    let name_server = &*stage::name_server().await;
    let (site, topic) = site(name_server, "spaced_pull").await;
    let group = fresh_group("spaced_pull");
    for body in ["m0", "m1", "m2"] {
        site.producer.send(Message::new(topic.as_str(), body)).await.expect("sent");
    }
    let builder = PullConsumer::builder(&group).name_server_addr(name_server).subscribe(&topic, "*");
    let mut consumer = builder.option(spaced).start().await.unwrap();
    let queues = consumer.fetch_message_queues(&topic).await.unwrap();
    assert_eq!(queues, consumer.assignment());
    let queue = &queues[0];
    assert_eq!(queue.topic(), topic);
    let mut polled = Vec::new();
    while polled.len() < 3 {
        polled.extend(consumer.poll(WITHIN).await.unwrap());
    }
    assert!(
        polled.iter().all(|message| message.topic() == topic && message.message_queue().topic() == topic)
    );
    assert_eq!(consumer.position(queue).unwrap(), 3);
    consumer.seek(queue, 1).await.unwrap();
    let again = consumer.poll(WITHIN).await.unwrap();
    assert_eq!(&again[0].body()[..], b"m1");
    consumer.commit_offsets([(queue.clone(), 2)]).await.unwrap();
    wait_for_committed(&site, &group, queue, 2).await;
    assert_eq!(consumer.committed(queue).await.unwrap(), Some(2));
    consumer.pause(&queues);
    until("the pause", || consumer.health().queues[0].state == QueueState::Paused).await;
    let refused = consumer.seek(queue, 9).await.unwrap_err().to_string();
    assert!(refused.contains("has 0 to 3") && !refused.contains(NAMESPACE), "{refused}");
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn queues_are_assigned_by_their_plain_names() {
    let name_server = &*stage::name_server().await;
    let (site, topic) = site(name_server, "spaced_assign").await;
    site.producer.send(Message::new(topic.as_str(), "m0")).await.expect("sent");
    let queue = MessageQueue::new(topic.as_str(), "broker-a", 0);
    let builder = PullConsumer::builder(fresh_group("spaced_assign")).name_server_addr(name_server);
    let mut consumer = builder.assign([queue.clone()]).option(spaced).start().await.unwrap();
    assert_eq!(consumer.assignment(), std::slice::from_ref(&queue));
    for _ in 0..2 {
        assert_eq!(&consumer.poll(WITHIN).await.unwrap()[0].body()[..], b"m0");
        consumer.assign([queue.clone()]).await.unwrap();
        consumer.seek_to_begin(&queue).await.unwrap();
    }
    let strange = MessageQueue::new(topic.as_str(), "broker-a", 7);
    let refused = consumer.assign([strange.clone()]).await.unwrap_err().to_string();
    assert!(refused.contains(&strange.to_string()) && !refused.contains(NAMESPACE), "{refused}");
    consumer.shutdown().await.unwrap();
}
