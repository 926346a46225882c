//! What users do to consumers while they run, at moments that do not suit: no message is lost, and no queue stops. Client and
//! cluster run in one thread on paused time.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::{ClientOption, ConsumerOption};
use rocketmq::consumer::{ConsumeContext, ConsumeOutcome, MessageModel, OrderlyOutcome, PushConsumerBuilder};
use rocketmq::model::{Message, MessageExt};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::{Instant, sleep, timeout};

use crate::faults::support::until;
use crate::simulation::simulate;
use crate::world::{World, numbered, seconds};

const GROUP: &str = "raced";

/// A cluster, and a producer that runs for the whole test.
struct Race {
    world: World,
    producer: Producer,
}

impl Race {
    /// A cluster with these topics, of one queue each.
    async fn new(topics: &[&str]) -> Self {
        let world = World::with_topics(topics).await;
        let producer = world.producer().await;
        Self { world, producer }
    }

    fn consumer(&self, topics: &[&str], change: impl FnOnce(&mut ConsumerOption)) -> PushConsumerBuilder {
        let builder = self.world.pusher(GROUP).option(change);
        topics.iter().fold(builder, |builder, topic| builder.subscribe(*topic, "*"))
    }

    async fn send(&self, topic: &str, count: usize) {
        for message in numbered(topic, count) {
            self.producer.send(message).await.unwrap();
        }
    }

    async fn send_tag(&self, topic: &str, tag: &str) {
        self.producer.send(Message::new(topic, tag.to_owned()).with_tags(tag)).await.unwrap();
    }
}

/// How often each message was handled, by topic and body.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, usize>>>);

impl Seen {
    fn add(&self, topic: &str, body: &[u8]) {
        let key = format!("{topic}/{}", String::from_utf8_lossy(body));
        *self.0.lock().unwrap().entry(key).or_default() += 1;
    }

    /// A listener that notes each message, and has this outcome.
    fn listener<O: 'static>(
        &self,
        outcome: impl Fn() -> O + Send + Sync + 'static,
    ) -> impl Fn(Arc<MessageExt>, ConsumeContext) -> Ready<O> + Send + Sync + 'static {
        let seen = self.clone();
        move |message, _| {
            seen.add(message.topic(), message.body());
            ready(outcome())
        }
    }

    fn of(&self, topic: &str) -> usize {
        self.0.lock().unwrap().keys().filter(|key| key.starts_with(topic)).count()
    }
}

#[test]
fn a_queue_that_leaves_its_own_limit_and_meets_the_budget_goes_on_when_the_budget_is_free() {
    simulate(async {
        let race = Race::new(&["Quick", "Slow"]).await;
        race.send("Quick", 10).await;
        race.send("Slow", 2).await;
        let seen = Seen::default();
        let see = seen.clone();
        let consumer = race.consumer(&["Quick", "Slow"], |option| {
            option.set_cache_limit(1).set_pull_threshold_for_queue(2).set_pull_batch_size(2);
        });
        let consumer = consumer.listener(move |message, _| {
            let see = see.clone();
            async move {
                sleep(if message.topic() == "Slow" { seconds(10) } else { seconds(1) }).await;
                see.add(message.topic(), message.body());
            }
        });
        let consumer = consumer.start().await.unwrap();
        until("all messages", || seen.of("Quick") == 10 && seen.of("Slow") == 2).await;
        assert_eq!(consumer.get_stats().unwrap().cached_bytes, 0);
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_queue_that_goes_away_frees_its_share_of_the_budget_for_others() {
    simulate(async {
        let race = Race::new(&["Goes", "Stays"]).await;
        let seen = Seen::default();
        let see = seen.clone();
        let consumer = race.consumer(&["Goes", "Stays"], |option| _ = option.set_cache_limit(1));
        let consumer = consumer.listener(move |message, context| {
            let see = see.clone();
            async move {
                if message.topic() == "Goes" {
                    context.cancelled.cancelled().await;
                    sleep(seconds(5)).await;
                }
                see.add(message.topic(), message.body());
            }
        });
        let consumer = consumer.start().await.unwrap();
        race.send("Goes", 1).await;
        sleep(seconds(1)).await;
        race.send("Stays", 1).await;
        until("the message", || seen.of("Stays") == 1).await;
        consumer.unsubscribe("Goes").await.unwrap();
        sleep(seconds(10)).await;
        for number in 1..5 {
            let body = format!("more {number}");
            race.producer.send(Message::new("Stays", body)).await.unwrap();
        }
        until("the queue goes on", || seen.of("Stays") == 5).await;
        assert_eq!(consumer.get_stats().unwrap().cached_bytes, 0);
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_message_that_waits_for_its_next_try_here_delays_no_shutdown() {
    simulate(async {
        let race = Race::new(&["Fails"]).await;
        race.send("Fails", 1).await;
        let seen = Seen::default();
        let directory = std::env::temp_dir().join(format!("raced-{}", std::process::id()));
        let consumer = race.consumer(&["Fails"], |option| {
            option.set_message_model(MessageModel::Broadcasting).set_max_reconsume_times(16);
            option.set_local_offset_store_dir(directory.to_str().unwrap()).set_instance_name("one");
        });
        let consumer = consumer.listener(seen.listener(|| ConsumeOutcome::Later { delay_level: None }));
        let consumer = consumer.start().await.unwrap();
        until("the message", || seen.of("Fails") == 1).await;
        sleep(seconds(1)).await;
        let began = Instant::now();
        let report = consumer.shutdown().await.unwrap();
        let _ = std::fs::remove_dir_all(&directory);
        assert!(began.elapsed() < seconds(2), "{report:?}");
        assert!(report.is_clean(), "{report:?}");
    });
}

#[test]
fn a_clustering_message_that_no_broker_takes_back_delays_no_shutdown() {
    simulate(async {
        let race = Race::new(&["Fails"]).await;
        race.send("Fails", 1).await;
        let seen = Seen::default();
        race.world.cluster.inject(Fault::on(
            RequestCode::CONSUMER_SEND_MSG_BACK,
            FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "no".to_owned() },
        ));
        let consumer = race.consumer(&["Fails"], |_| {});
        let consumer = consumer.listener(seen.listener(|| ConsumeOutcome::Later { delay_level: None }));
        let consumer = consumer.start().await.unwrap();
        until("the message", || seen.of("Fails") == 1).await;
        sleep(seconds(1)).await;
        let began = Instant::now();
        let report = consumer.shutdown().await.unwrap();
        assert!(began.elapsed() < seconds(2), "{report:?}");
        assert!(report.is_clean(), "{report:?}");
    });
}

#[test]
fn a_limit_without_end_is_a_limit() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        let consumer = race.consumer(&["T"], |_| {}).listener(|_, _| async {}).start().await.unwrap();
        assert!(consumer.shutdown_within(Duration::MAX).await.unwrap().is_clean());
    });
}

#[test]
fn a_delivery_whose_time_is_extended_without_end_does_not_time_out() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        race.send("T", 1).await;
        let consumer = race
            .consumer(&["T"], |option| _ = option.set_consume_timeout(1_000).set_timeout_grace(1_000))
            .build()
            .unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        let delivery = messages.next().await.unwrap().unwrap();
        delivery.extend(Duration::MAX);
        sleep(seconds(60)).await;
        assert_eq!(consumer.get_stats().unwrap().timeout_count, 0);
        delivery.ack_committed().await.unwrap();
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_subscription_whose_future_is_dropped_loses_nothing() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        let seen = Seen::default();
        let consumer = race.consumer(&[], |_| {}).subscribe("T", "a").listener(seen.listener(|| ()));
        let consumer = consumer.start().await.unwrap();
        race.world.cluster.inject(
            Fault::on(RequestCode::HEART_BEAT, FaultAction::Delay(Duration::from_millis(500))).times(1),
        );
        let dropped = timeout(Duration::from_millis(50), consumer.subscribe("T", "b")).await;
        assert!(dropped.is_err(), "{dropped:?}");
        sleep(seconds(40)).await;
        race.send_tag("T", "b").await;
        race.send_tag("T", "a").await;
        sleep(seconds(40)).await;
        assert_eq!((seen.of("T/a"), seen.of("T/b")), (0, 1));
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_suspended_consumer_with_a_rate_hands_out_nothing() {
    simulate(async {
        let topics = ["A", "B", "C", "D", "E", "F"];
        let race = Race::new(&topics).await;
        for topic in topics {
            race.send(topic, 5).await;
        }
        let seen = Seen::default();
        let consumer = race.consumer(&topics, |option| _ = option.set_consume_rate_limit(1));
        let consumer = consumer.listener(seen.listener(|| ()));
        let consumer = consumer.start().await.unwrap();
        sleep(seconds(3)).await;
        consumer.suspend();
        let before = seen.of("");
        sleep(seconds(30)).await;
        assert_eq!(seen.of(""), before);
        consumer.resume();
        until("the rest", || seen.of("") == 30).await;
        consumer.shutdown().await.unwrap();
    });
}

/// An error without a text.
struct Unreadable;

impl std::fmt::Debug for Unreadable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::fmt::Display for Unreadable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no text")
    }
}
impl std::error::Error for Unreadable {}

#[test]
fn an_error_that_panics_when_it_is_read_stops_no_worker() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        race.send("T", 5).await;
        let seen = Seen::default();
        let consumer = race.consumer(&["T"], |option| _ = option.set_consume_concurrency(1));
        let consumer = consumer.listener(seen.listener(|| Err::<(), _>(Unreadable.into())));
        let consumer = consumer.start().await.unwrap();
        until("all", || seen.of("T") == 5).await;
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_client_that_is_shut_down_while_a_consumer_starts_leaves_none() {
    for delay in [0, 1, 2, 5, 10, 50, 200, 400, 600] {
        simulate(async {
            let race = Race::new(&["T"]).await;
            race.world.cluster.inject(
                Fault::on(RequestCode::HEART_BEAT, FaultAction::Delay(Duration::from_millis(500))).times(1),
            );
            let mut option = ClientOption::default();
            option.set_name_server_addr(race.world.cluster.name_server_addr());
            option.set_transport(Arc::new(race.world.network.clone()));
            let client = MQClient::new(option);
            client.start().await.unwrap();
            let consumer =
                client.push_consumer(GROUP).subscribe("T", "*").listener(|_, _| async {}).build().unwrap();
            let end = async {
                sleep(Duration::from_millis(delay)).await;
                client.shutdown().await.unwrap();
            };
            let (started, ()) = tokio::join!(consumer.start(), end);
            let ended = timeout(seconds(100), consumer.wait()).await.expect("an end");
            assert!(started.is_err() || ended.is_ok(), "{delay} ms: {started:?}, {ended:?}");
            assert!(!consumer.health().running, "{delay} ms");
        });
    }
}

#[test]
fn a_pause_of_an_orderly_queue_ends_in_time_though_the_filter_is_replaced() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        race.send_tag("T", "a").await;
        let times = Arc::new(Mutex::new(Vec::new()));
        let note = times.clone();
        let consumer = race.consumer(&["T"], |_| {}).orderly_listener(move |_, _| {
            note.lock().unwrap().push(Instant::now());
            let again = note.lock().unwrap().len() == 1;
            async move {
                if again {
                    OrderlyOutcome::SuspendCurrentQueueAMoment { millis: Some(5_000) }
                } else {
                    OrderlyOutcome::Success
                }
            }
        });
        let consumer = consumer.start().await.unwrap();
        until("the first try", || times.lock().unwrap().len() == 1).await;
        sleep(seconds(1)).await;
        consumer.subscribe("T", "a").await.unwrap();
        until("the second", || times.lock().unwrap().len() == 2).await;
        let times = times.lock().unwrap().clone();
        assert!(times[1] - times[0] < seconds(6), "{:?}", times[1] - times[0]);
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_suspended_orderly_consumer_starts_no_handler() {
    simulate(async {
        let race = Race::new(&["T"]).await;
        race.send("T", 50).await;
        let seen = Seen::default();
        let see = seen.clone();
        let consumer = race.consumer(&["T"], |_| {}).orderly_listener(move |message, _| {
            see.add(message.topic(), message.body());
            async { sleep(seconds(1)).await }
        });
        let consumer = consumer.start().await.unwrap();
        sleep(Duration::from_millis(3_500)).await;
        consumer.suspend();
        let before = seen.of("");
        sleep(seconds(30)).await;
        assert_eq!(seen.of(""), before);
        consumer.resume();
        until("the rest", || seen.of("") == 50).await;
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn what_is_asked_while_the_start_runs_counts() {
    for delay in [0, 10, 100, 250, 600] {
        simulate(async {
            let race = Race::new(&["T", "U"]).await;
            race.send("U", 1).await;
            let seen = Seen::default();
            let consumer = race.consumer(&["T"], |_| {}).build().unwrap();
            consumer.listener(seen.listener(|| ()));
            race.world.cluster.inject(
                Fault::on(RequestCode::HEART_BEAT, FaultAction::Delay(Duration::from_millis(500))).times(1),
            );
            let starting = consumer.start();
            let other = async {
                sleep(Duration::from_millis(delay)).await;
                consumer.subscribe("U", "*").await.unwrap();
                consumer.suspend();
            };
            let (started, ()) = tokio::join!(starting, other);
            started.unwrap();
            sleep(seconds(30)).await;
            assert_eq!(seen.of("U"), 0, "{delay}");
            consumer.resume();
            sleep(seconds(30)).await;
            assert_eq!(seen.of("U"), 1, "{delay}");
            consumer.shutdown().await.unwrap();
        });
    }
}

#[test]
fn a_filter_that_is_replaced_before_its_queue_has_a_position_is_forgotten() {
    for delay in 0..30 {
        simulate(async {
            let race = Race::new(&["T", "U"]).await;
            let seen = Seen::default();
            let consumer = race.consumer(&["T"], |_| {}).listener(seen.listener(|| ()));
            let consumer = consumer.start().await.unwrap();
            for code in [RequestCode::QUERY_CONSUMER_OFFSET, RequestCode::GET_CONSUMER_LIST_BY_GROUP] {
                race.world.cluster.inject(Fault::on(code, FaultAction::Delay(Duration::from_millis(50))));
            }
            consumer.subscribe("U", "a").await.unwrap();
            sleep(Duration::from_millis(10 * delay)).await;
            consumer.subscribe("U", "b").await.unwrap();
            sleep(seconds(5)).await;
            race.send_tag("U", "b").await;
            sleep(seconds(40)).await;
            assert_eq!(seen.of("U/b"), 1, "{delay}");
            consumer.shutdown().await.unwrap();
        });
    }
}
