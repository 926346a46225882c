//! Rules of consumers that a user cannot see at once, held against the history of the mock. Client and cluster run in one
//! thread on paused time.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumeFromWhere, ConsumerEvent, PushConsumerBuilder};
use rocketmq_namesrv_mock::{BrokerEvent, MockClusterBuilder};
use tokio::time::{Instant, sleep};

use crate::faults::support::until;
use crate::simulation::simulate;
use crate::world::{World, numbered};

const TOPIC: &str = "Ruled";
const GROUP: &str = "ruled";

impl World {
    /// A cluster with a topic of one queue.
    async fn ruled(change: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder) -> Self {
        let world = Self::new(|builder| change(builder.history(100_000))).await;
        world.cluster.create_topic(TOPIC, 1).unwrap();
        world
    }

    fn member(&self, change: impl FnOnce(&mut ConsumerOption)) -> PushConsumerBuilder {
        self.pusher(GROUP).option(change).subscribe(TOPIC, "*")
    }

    /// The place in the history of the first event that is wanted, with the name of its server.
    fn first(&self, wanted: impl Fn(&BrokerEvent) -> bool) -> Option<usize> {
        self.cluster.history().iter().position(|entry| wanted(&entry.event))
    }

    fn committed(&self) -> i64 {
        self.cluster.group_offsets(GROUP, TOPIC).into_values().next().unwrap_or(-1)
    }
}

/// What a listener noted, each with its time.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(Instant, String)>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push((Instant::now(), note.into()));
    }

    fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, note)| note.clone()).collect()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[test]
fn a_position_that_was_chosen_is_committed_before_the_first_pull() {
    simulate(async {
        let world = World::ruled(|builder| builder).await;
        world.send(numbered(TOPIC, 5)).await;
        let consumer =
            world.member(|option| _ = option.set_consume_from_where(ConsumeFromWhere::LastExactly));
        let consumer = consumer.listener(|_, _| async {}).start().await.unwrap();
        let pulled = |event: &BrokerEvent| matches!(event, BrokerEvent::Pulled { queue, .. } if queue.topic() == TOPIC);
        world.send(numbered(TOPIC, 1)).await;
        until("a pull", || world.first(pulled).is_some()).await;
        let committed = world.first(|event| {
            matches!(event, BrokerEvent::Committed { queue, offset: 5, .. } if queue.topic() == TOPIC)
        });
        assert!(committed < world.first(pulled) && committed.is_some(), "{:?}", world.cluster.history());
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn pulls_from_a_slave_carry_no_commit() {
    simulate(async {
        let world = World::ruled(|builder| builder.slaves(1).slave_read(true)).await;
        world.cluster.suggest_broker("broker-a", 1).unwrap();
        world.cluster.suggest_broker("broker-a-s1", 1).unwrap();
        let seen = Notes::default();
        let note = seen.clone();
        let consumer = world.member(|_| {}).listener(move |_, _| {
            note.add("");
            async {}
        });
        let consumer = consumer.start().await.unwrap();
        for round in 1..=20 {
            world.send(numbered(TOPIC, 1)).await;
            until("the message", || seen.len() == round).await;
        }
        until("the commit", || world.committed() == 20).await;
        let history = world.cluster.history();
        let of = |server: &str, pulls: bool| {
            history.iter().filter(|entry| &*entry.server == server).any(|entry| match &entry.event {
                BrokerEvent::Pulled { queue, .. } => pulls && queue.topic() == TOPIC,
                BrokerEvent::Committed { .. } => !pulls,
                _ => false,
            })
        };
        assert!(of("broker-a-s1", true), "the slave is read from: {history:?}");
        assert!(!of("broker-a-s1", false), "the slave takes no commit: {history:?}");
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn one_handler_of_an_orderly_queue_runs_at_a_time() {
    simulate(async {
        let world = World::ruled(|builder| builder).await;
        world.send(numbered(TOPIC, 30)).await;
        let (notes, running) = (Notes::default(), Arc::new(Mutex::new(0)));
        let note = notes.clone();
        let consumer = world.member(|_| {}).orderly_listener(move |message, _| {
            let (note, running) = (note.clone(), running.clone());
            async move {
                let handlers = {
                    let mut running = running.lock().unwrap();
                    *running += 1;
                    *running
                };
                assert_eq!(handlers, 1, "another handler of the queue runs");
                // Each turn is long: the queue goes on in another ownership while the handler runs.
                sleep(Duration::from_millis(700)).await;
                note.add(String::from_utf8_lossy(message.body()));
                *running.lock().unwrap() -= 1;
            }
        });
        let consumer = consumer.start().await.unwrap();
        let mut events = consumer.events();
        for _ in 0..8 {
            sleep(Duration::from_secs(2)).await;
            consumer.subscribe(TOPIC, "*").await.unwrap();
        }
        until("all messages", || notes.texts().contains(&"29".to_owned())).await;
        let panics = std::iter::from_fn(|| futures_now(events.next()))
            .filter(|event| matches!(event, ConsumerEvent::ListenerPanicked { .. }))
            .count();
        assert_eq!(panics, 0, "two handlers of one queue ran at a time");
        let mut firsts = Vec::new();
        for text in notes.texts() {
            if !firsts.contains(&text) {
                firsts.push(text);
            }
        }
        assert_eq!(firsts, (0..30).map(|n| n.to_string()).collect::<Vec<_>>(), "in order");
        consumer.shutdown().await.unwrap();
    });
}

/// What a future has now.
fn futures_now<T>(future: impl Future<Output = Option<T>>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_queue_that_goes_to_another_member_takes_its_finished_message_along() {
    simulate(async {
        let world = World::ruled(|builder| builder).await;
        world.send(numbered(TOPIC, 1)).await;
        let (notes, seen) = (Notes::default(), Notes::default());
        let (note, see) = (notes.clone(), seen.clone());
        let first = world.member(|_| {}).listener(move |_, _| {
            let note = note.clone();
            async move {
                note.add("begins");
                sleep(Duration::from_millis(300)).await;
                note.add("ends");
            }
        });
        let first = first.start().await.unwrap();
        until("a handler", || notes.len() == 1).await;
        let second = world.member(|_| {}).listener(move |_, _| {
            see.add("again");
            async {}
        });
        // The handler ends within the time that a release gives it.
        let leaving = first.unsubscribe(TOPIC);
        leaving.await.unwrap();
        until("the end", || notes.len() == 2).await;
        until("the commit of its end", || world.committed() == 1).await;
        let second = second.start().await.unwrap();
        sleep(Duration::from_secs(20)).await;
        assert_eq!(seen.len(), 0, "the message was handled");
        first.shutdown().await.unwrap();
        second.shutdown().await.unwrap();
    });
}

#[test]
fn a_handler_that_ends_within_its_grace_has_handled_its_message() {
    simulate(async {
        let world = World::ruled(|builder| builder).await;
        world.send(numbered(TOPIC, 1)).await;
        let notes = Notes::default();
        let note = notes.clone();
        let consumer = world.member(|option| {
            option.set_consume_timeout(1_000).set_timeout_grace(10_000);
        });
        let consumer = consumer.listener(move |message, context| {
            let note = note.clone();
            async move {
                note.add(format!("attempt {}", message.reconsume_times()));
                context.cancelled.cancelled().await;
                sleep(Duration::from_secs(5)).await;
            }
        });
        let consumer = consumer.start().await.unwrap();
        until("the commit", || world.committed() == 1).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(notes.texts(), ["attempt 0"], "no send-back");
        consumer.shutdown().await.unwrap();
    });
}
