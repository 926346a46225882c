//! C1, C7, C14, C23 on sockets and on the time of the machine: details that the other tests of these rows do not look at.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::consumer::{CancelToken, ConsumeFailure, ConsumeFromWhere, ConsumerEvent, PushConsumer};
use rocketmq::model::{Message, mix_all};
use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction, MockCluster, RecordDamage};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::sync::Semaphore;

use crate::world::producer;

const TOPIC: &str = "Faulty";
const GROUP: &str = "faulty";

/// The bodies that listeners have seen.
type Seen = Arc<Mutex<Vec<String>>>;

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn send(cluster: &MockCluster, bodies: &[&str]) {
    let producer = producer(cluster, None).await;
    for body in bodies {
        producer.send(Message::new(TOPIC, body.to_string())).await.unwrap();
    }
    producer.shutdown().await.unwrap();
}

fn member(cluster: &MockCluster, from: ConsumeFromWhere, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    PushConsumer::builder(GROUP)
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(from))
        .subscribe(TOPIC, "*")
        .listener(move |message, _| {
            collect.lock().unwrap().push(String::from_utf8_lossy(message.body()).into_owned());
            async {}
        })
        .build()
        .unwrap()
}

#[tokio::test]
async fn c07_members_of_a_new_group_that_start_together_replay_nothing() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.preload(TOPIC, 8, 100, b"old").unwrap();
    let seen = Seen::default();
    let (late, early) = (
        member(&cluster, ConsumeFromWhere::LastExactly, &seen),
        member(&cluster, ConsumeFromWhere::LastExactly, &seen),
    );
    // Brokers know the late member already, but the first commits of the other come before it takes its queues.
    let mut fault =
        Fault::on(RequestCode::GET_CONSUMER_LIST_BY_GROUP, FaultAction::DelayAnswer(Duration::from_secs(2)));
    fault.times = Some(1);
    cluster.inject(fault);
    let starting = tokio::spawn({
        let late = late.clone();
        async move { late.start().await }
    });
    until("the late member has asked", || cluster.fault_hits().iter().any(|(_, hits)| *hits == 1)).await;
    early.start().await.unwrap();
    until("queues of the early member", || !early.assignment().is_empty()).await;
    starting.await.unwrap().unwrap();
    send(&cluster, &["new"]).await;
    until("the new message", || !seen.lock().unwrap().is_empty()).await;
    assert_eq!(*seen.lock().unwrap(), ["new"]);
    early.shutdown().await.unwrap();
    late.shutdown().await.unwrap();
}

#[tokio::test]
async fn c14_a_record_that_cannot_be_read_is_a_dead_letter_before_its_offset_passes() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.create_topic(TOPIC, 1).unwrap();
    send(&cluster, &["before", "broken", "after"]).await;
    let change = AnswerChange::new().damage(1, RecordDamage::Crc);
    let mut damage = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change));
    (damage.times, damage.topic) = (Some(1), Some(TOPIC.to_owned()));
    cluster.inject(damage);
    // The first try fails: the offset stands meanwhile.
    let refused = FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "no".to_owned() };
    let mut refuse = Fault::on_sends(refused);
    (refuse.times, refuse.topic) = (Some(1), Some(mix_all::retry_topic(GROUP)));
    cluster.inject(refuse);
    let seen = Seen::default();
    let consumer = member(&cluster, ConsumeFromWhere::First, &seen);
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    until("the neighbours", || seen.lock().unwrap().len() == 2).await;
    let mut refused = false;
    let (reason, message) = loop {
        match tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap() {
            ConsumerEvent::SendBackFailed { .. } => {
                let committed = || cluster.group_offsets(GROUP, TOPIC).into_values().next();
                until("the commit of what is before it", || committed() == Some(1)).await;
                refused = true;
            }
            ConsumerEvent::DeadLettered { reason, message, .. } => break (reason, message),
            _ => {}
        }
    };
    assert!(refused, "the offset stood while no broker had the dead letter");
    assert_eq!((&*message.topic, message.offset), (TOPIC, 1));
    assert_eq!(*seen.lock().unwrap(), ["before", "after"]);
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(cluster.group_offsets(GROUP, TOPIC).into_values().collect::<Vec<_>>(), [3]);
    let letters = cluster.messages(&mix_all::dlq_topic(GROUP));
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.property("DLQ_REASON"), Some(&*reason));
    let place = ["DLQ_ORIGIN_TOPIC", "DLQ_ORIGIN_QUEUE_ID", "DLQ_ORIGIN_QUEUE_OFFSET"];
    assert_eq!(place.map(|name| letter.property(name)), [Some(TOPIC), Some("0"), Some("1")]);
    // The body is the whole record.
    let body = letter.body();
    assert_eq!(body[..4], u32::try_from(body.len()).unwrap().to_be_bytes());
    assert!(body.windows(6).any(|bytes| bytes == b"broken"));
}

#[tokio::test]
async fn c23_handlers_are_told_of_a_shutdown_and_what_they_leave_comes_again() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.create_topic(TOPIC, 1).unwrap();
    send(&cluster, &["left"]).await;
    let (running, told) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (started, stopped) = (running.clone(), told.clone());
    let first = PushConsumer::builder(GROUP)
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .listener(move |_, context| {
            let (started, stopped) = (started.clone(), stopped.clone());
            async move {
                started.add_permits(1);
                context.cancelled.cancelled().await;
                stopped.add_permits(1);
                Err::<(), ConsumeFailure>("told to stop".into())
            }
        });
    let first = first.start().await.unwrap();
    running.acquire().await.unwrap().forget();
    let report = first.shutdown().await.unwrap();
    assert!(told.try_acquire().is_ok(), "the token was cancelled, and the handler waited for");
    assert!(report.is_clean() && report.took < Duration::from_secs(5), "{report:?}");
    let times = Arc::new(Mutex::new(Vec::new()));
    let note = times.clone();
    let second = PushConsumer::builder(GROUP)
        .name_server_addr(cluster.name_server_addr())
        .subscribe(TOPIC, "*")
        .listener(move |message, _| {
            note.lock().unwrap().push(message.reconsume_times());
            async {}
        });
    let second = second.start().await.unwrap();
    until("the message again", || !times.lock().unwrap().is_empty()).await;
    assert_eq!(*times.lock().unwrap(), [0], "no failure was counted");
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn c01_a_consumer_that_is_dropped_without_a_shutdown_loses_nothing_and_another_takes_over() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.create_topic(TOPIC, 4).unwrap();
    send(&cluster, &["0", "1", "2", "3", "4", "5", "6", "7"]).await;
    // Its handlers never end.
    let (running, tokens) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, keep) = (running.clone(), tokens.clone());
    let first = PushConsumer::builder(GROUP)
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .listener(move |_, context| {
            *count.lock().unwrap() += 1;
            keep.lock().unwrap().push(context.cancelled);
            std::future::pending::<()>()
        });
    let first = first.start().await.unwrap();
    until("handlers", || *running.lock().unwrap() == 8).await;
    let seen = Seen::default();
    let second = member(&cluster, ConsumeFromWhere::First, &seen);
    second.start().await.unwrap();
    let began = Instant::now();
    drop(first);
    assert!(began.elapsed() < Duration::from_secs(1), "the drop waits for nothing");
    until("all messages", || seen.lock().unwrap().iter().collect::<BTreeSet<_>>().len() == 8).await;
    until("the handlers are told", || tokens.lock().unwrap().iter().all(CancelToken::is_cancelled)).await;
    assert_eq!(cluster.group_connections(GROUP).len(), 1, "its connections are closed");
    send(&cluster, &["8", "9"]).await;
    until("new messages", || seen.lock().unwrap().len() >= 10).await;
    assert_eq!(second.assignment().iter().filter(|queue| queue.topic() == TOPIC).count(), 4);
    assert!(second.shutdown().await.unwrap().is_clean());
}
