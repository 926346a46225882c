//! What a consumer tells of itself: probes, handlers that block, messages that nothing reads, its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents};
use rocketmq::error::MQClientError;
use tokio::time::timeout;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::Site;
use crate::stage;

/// Waits for an event.
async fn event(events: &mut ConsumerEvents, wanted: impl Fn(&ConsumerEvent) -> bool) -> ConsumerEvent {
    let waiting = async {
        loop {
            let event = events.next().await.expect("the consumer lives");
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(Duration::from_secs(60), waiting).await.expect("the event comes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_its_thread_is_told_of_and_its_message_comes_once_while_others_go_on() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("blocks", 1).await, fresh_group("blocks"));
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (blocked, blocking, told_to_stop) =
        (Arc::new(Mutex::new(blocked)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Seen::default();
    let (collect, note, note_told) = (seen.clone(), blocking.clone(), told_to_stop.clone());
    let consumer = consumer(name_server, &group)
        .option(|option| _ = option.set_consume_timeout(300).set_timeout_grace(200))
        .subscribe(&topic, "*")
        .listener(move |message, context| {
            let (collect, blocked, note_told) = (collect.clone(), blocked.clone(), note_told.clone());
            let blocks = &message.body()[..] == b"blocks0";
            note.fetch_add(usize::from(blocks), Ordering::SeqCst);
            async move {
                if blocks {
                    let _ = blocked.lock().unwrap().recv();
                    note_told.fetch_add(usize::from(context.cancelled.is_cancelled()), Ordering::SeqCst);
                }
                collect.add(message);
            }
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    send(&site, &topic, bodies("blocks", 1)).await;
    let slow = event(&mut events, |event| event.message().is_some()).await;
    assert!(matches!(slow, ConsumerEvent::ListenerSlow { .. }), "{slow}");
    let stuck = event(&mut events, |event| event.message().is_some()).await;
    let ConsumerEvent::ListenerStuck { message, running_for, .. } = &stuck else { panic!("{stuck}") };
    assert_eq!((&*message.topic, message.offset, slow.message()), (&*topic, 0, stuck.message()));
    assert!(*running_for >= Duration::from_millis(500), "{running_for:?}");
    send(&site, &topic, bodies("other", 100)).await;
    until("the other handlers", || seen.len() == 100).await;
    assert!(consumer.is_live() && consumer.is_ready(), "{:?}", consumer.health().problems());
    let stands = |consumer: &rocketmq::consumer::PushConsumer| {
        let queues = consumer.health().queues;
        queues.iter().find(|queue| queue.queue.topic() == topic).and_then(|queue| queue.lowest_unfinished)
    };
    assert_eq!(stands(&consumer), Some(0), "its offset stands");
    release.send(()).unwrap();
    until("its end", || stands(&consumer) == Some(101)).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!((blocking.load(Ordering::SeqCst), told_to_stop.load(Ordering::SeqCst)), (1, 1));
    assert!(seen.counts().values().all(|count| *count == 1), "{:?}", seen.counts());
    let more = std::iter::from_fn(|| events.try_next()).find(|event| event.message().is_some());
    assert!(more.is_none(), "{more:?}");
}

#[tokio::test]
async fn a_stream_that_nobody_polls_is_told_of_and_loses_nothing() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("unread", 1).await, fresh_group("unread"));
    send(&site, &topic, bodies("m", 10)).await;
    let consumer = consumer(name_server, &group).subscribe(&topic, "*").build().unwrap();
    let mut stream = consumer.messages().unwrap();
    let mut events = consumer.events();
    assert!(matches!(consumer.wait().await, Err(MQClientError::NotStarted { .. })));
    assert!(consumer.is_live() && !consumer.is_ready());
    consumer.start().await.unwrap();
    assert!(consumer.is_live() && consumer.is_ready(), "{:?}", consumer.health().problems());
    let unread = event(&mut events, |event| matches!(event, ConsumerEvent::NobodyReads { .. })).await;
    assert!(matches!(unread, ConsumerEvent::NobodyReads { waiting: 10, .. }), "{unread}");
    assert!(consumer.is_live() && !consumer.is_ready());
    for number in 0..10 {
        let delivery = timeout(Duration::from_secs(60), stream.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(*delivery.body(), *format!("m{number}").as_bytes());
        delivery.ack_committed().await.unwrap();
    }
    until("it is ready", || consumer.is_ready()).await;
    let waiting = consumer.clone();
    let (ended, report) = tokio::join!(waiting.wait(), consumer.shutdown());
    assert!(ended.is_ok() && report.unwrap().is_clean());
    assert!(stream.next().await.is_none() && !consumer.is_live());
    assert!(consumer.wait().await.is_ok(), "at once from now on");
}
