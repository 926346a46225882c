//! C17: slaves. C22: a broker that vanished.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::model::{Message, MessageQueue};
use rocketmq_namesrv_mock::{BrokerEvent, RequestCode};
use tokio::time::{Instant, sleep};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, simulate, until, until_within};
use super::table::{Row, seen as tell};

/// How many pulls a server has answered with messages.
fn served(scene: &Scene, server: &str) -> usize {
    let is_served = |event: &BrokerEvent| matches!(event, BrokerEvent::Pulled { count, .. } if *count > 0);
    scene.cluster.history().iter().filter(|entry| &*entry.server == server && is_served(&entry.event)).count()
}

#[test]
fn c17_a_suggested_slave_is_read_until_it_is_gone_and_serves_alone_while_the_master_is_down() {
    simulate(async {
        let scene = Scene::new(|builder| builder.slaves(1).slave_read(true)).await;
        let seen = Seen::default();
        let consumer = scene
            .member_with(|option| _ = option.set_persist_offset_interval(1_000))
            .listener(seen.listener())
            .start()
            .await
            .unwrap();
        let (master, slave) = ("broker-a", "broker-a-s1");
        scene.send(bodies("at-first", 20)).await;
        seen.wait_for(20).await;
        assert_eq!(served(&scene, slave), 0);
        scene.cluster.suggest_broker(master, 1).unwrap();
        scene.cluster.suggest_broker(slave, 1).unwrap();
        sleep(Duration::from_secs(20)).await;
        let by_master = served(&scene, master);
        scene.send(bodies("suggested", 20)).await;
        seen.wait_for(40).await;
        assert!(served(&scene, slave) > 0, "the slave is read");
        assert_eq!(served(&scene, master), by_master, "and the master is not");
        // The slave goes down.
        scene.cluster.crash_broker(slave).await.unwrap();
        let gone = Instant::now();
        scene.send(bodies("slave-down", 20)).await;
        until_within(Duration::from_secs(5), "reads go on at the master", || seen.distinct() == 60).await;
        let without_slave = gone.elapsed();
        // It comes back, and after the time of distrust it is read again.
        scene.cluster.start_broker(slave).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        let by_slave = served(&scene, slave);
        scene.send(bodies("slave-back", 20)).await;
        seen.wait_for(80).await;
        assert!(served(&scene, slave) > by_slave, "the slave is read again");
        // The master goes down with messages that were not pulled.
        consumer.suspend();
        sleep(Duration::from_secs(20)).await;
        scene.send(bodies("master-down", 20)).await;
        sleep(Duration::from_secs(5)).await;
        scene.cluster.stop_broker(master).await.unwrap();
        consumer.resume();
        until_within(Duration::from_secs(40), "reads go on at the slave", || seen.distinct() == 100).await;
        sleep(Duration::from_secs(30)).await;
        // Commits wait for the master.
        scene.cluster.start_broker(master).await.unwrap();
        let committed = || {
            let offsets = scene.cluster.queue_offsets(TOPIC);
            offsets.iter().all(|queue| scene.cluster.committed_offset(GROUP, &queue.queue) == Some(queue.max))
        };
        until_within(Duration::from_secs(45), "all is committed at the master", committed).await;
        scene.send(bodies("at-last", 20)).await;
        seen.wait_for(120).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        let at_slave =
            |code| scene.requests_of(code).iter().filter(|request| *request.server == *slave).count();
        assert_eq!(at_slave(RequestCode::UPDATE_CONSUMER_OFFSET), 0, "no commit went to the slave");
        assert_eq!(at_slave(RequestCode::QUERY_CONSUMER_OFFSET), 0);
        let rode = |event: &BrokerEvent| matches!(event, BrokerEvent::Committed { .. });
        let on_slave = scene.cluster.history();
        assert!(!on_slave.iter().any(|entry| &*entry.server == slave && rode(&entry.event)), "nor on a pull");
        seen.assert_once_in_order();
        scene.assert_all_committed();
        let what = "120 messages, each once and in order; no commit went to the slave; slave gone: 20 messages within";
        tell(Row::C17, format!("{what} {without_slave:?}"));
    });
}

#[test]
fn c17_a_slave_that_lags_behind_is_left_for_the_master() {
    use rocketmq_namesrv_mock::SlaveLag;
    simulate(async {
        let scene = Scene::new(|builder| builder.slaves(1).slave_read(true)).await;
        let seen = Seen::default();
        let consumer = scene.member().listener(seen.listener()).start().await.unwrap();
        scene.cluster.suggest_broker("broker-a", 1).unwrap();
        scene.cluster.suggest_broker("broker-a-s1", 1).unwrap();
        sleep(Duration::from_secs(20)).await;
        scene.cluster.set_slave_lag("broker-a-s1", SlaveLag::Messages(10)).unwrap();
        let (began, first) = (Instant::now(), scene.requests_of(RequestCode::PULL_MESSAGE).len());
        scene.send(bodies("m", 20)).await;
        until_within(Duration::from_secs(30), "all messages", || seen.distinct() == 20).await;
        println!("past a slave that lags: {:?}", began.elapsed());
        sleep(Duration::from_secs(60)).await;
        let pulls = scene.requests_of(RequestCode::PULL_MESSAGE).len() - first;
        assert!(pulls < 5 * 60, "{pulls} pulls are a busy loop");
        seen.assert_once_in_order();
        scene.ends_committed(consumer).await;
    });
}

/// What consuming from one broker looks like: the longest time from send to listener, and from there to the commit.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    latency: Duration,
    commit: Duration,
}

/// Sends one message to each of these brokers, twelve times, and measures.
async fn pace(scene: &Scene, seen: &Seen, brokers: &[&str], round: &str) -> BTreeMap<String, Pace> {
    let mut paces: BTreeMap<String, Pace> = BTreeMap::new();
    for number in 0..12 {
        for broker in brokers {
            let (body, sent) = (format!("{round}-{broker}-{number}"), Instant::now());
            let queue = MessageQueue::new(TOPIC, *broker, number % 4);
            scene.producer.send_to(Message::new(TOPIC, body.clone()), &queue).await.unwrap();
            until("the message", || seen.counts().contains_key(&body)).await;
            let pace = paces.entry((*broker).to_owned()).or_default();
            pace.latency = pace.latency.max(sent.elapsed());
        }
        let handled = Instant::now();
        for broker in brokers {
            let is_committed = || {
                let offsets = scene.cluster.queue_offsets(TOPIC).into_iter();
                let mut offsets = offsets.filter(|queue| queue.queue.broker_name() == *broker);
                offsets.all(|queue| scene.cluster.committed_offset(GROUP, &queue.queue) == Some(queue.max))
            };
            until("the commit", is_committed).await;
            let pace = paces.entry((*broker).to_owned()).or_default();
            pace.commit = pace.commit.max(handled.elapsed());
        }
        sleep(Duration::from_millis(700)).await;
    }
    paces
}

#[test]
fn c22_a_broker_that_vanished_changes_nothing_for_the_others() {
    simulate(async {
        let scene = Scene::new(|builder| builder.brokers(4)).await;
        let seen = Seen::default();
        let consumer = scene.member().listener(seen.listener()).start().await.unwrap();
        let others = ["broker-a", "broker-c", "broker-d"];
        let before = pace(&scene, &seen, &others, "before").await;
        // It has an offset to commit, and never will.
        let queue = MessageQueue::new(TOPIC, "broker-b", 0);
        scene.producer.send_to(Message::new(TOPIC, "last"), &queue).await.unwrap();
        until("the last message", || seen.counts().contains_key("last")).await;
        scene.black_hole("broker-b");
        let while_gone = pace(&scene, &seen, &others, "while").await;
        for broker in others {
            let (before, now) = (before[broker], while_gone[broker]);
            assert!(now.latency <= before.latency + Duration::from_millis(2), "{broker}: {before:?} {now:?}");
            let most = Duration::from_millis(5_050);
            assert!(before.commit <= most && now.commit <= most, "{broker}: {before:?} {now:?}");
        }
        let most = while_gone.values().copied().fold(Pace::default(), |one, other| Pace {
            latency: one.latency.max(other.latency),
            commit: one.commit.max(other.commit),
        });
        scene.end_black_hole("broker-b");
        let count = seen.distinct();
        scene.send(bodies("healed", 64)).await;
        until_within(Duration::from_secs(60), "all queues", || seen.distinct() == count + 64).await;
        seen.assert_once_in_order();
        scene.ends_committed(consumer).await;
        let what = "of the other three, at most: from send to listener";
        tell(Row::C22, format!("{what} {:?}, from there to the commit {:?}", most.latency, most.commit));
    });
}

#[test]
fn c22_failing_messages_of_a_broker_that_vanished_hold_nobody_up() {
    simulate(async {
        let scene = Scene::new(|builder| builder.brokers(2)).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_consume_concurrency(4))
            .listener(move |message, _| {
                collect.add(&message);
                let fails = message.broker_name() == "broker-b";
                async move {
                    sleep(Duration::from_millis(100)).await;
                    if fails { Err(rocketmq::consumer::ConsumeFailure::from("no")) } else { Ok(()) }
                }
            })
            .start()
            .await
            .unwrap();
        for number in 0..40 {
            let queue = MessageQueue::new(TOPIC, "broker-b", number % 4);
            scene.producer.send_to(Message::new(TOPIC, format!("b{number}")), &queue).await.unwrap();
        }
        until("they were pulled", || consumer.get_stats().unwrap().received_count == 40).await;
        scene.black_hole("broker-b");
        let mut longest = Duration::ZERO;
        for number in 0..30 {
            let (sent, body) = (Instant::now(), format!("a{number}"));
            let queue = MessageQueue::new(TOPIC, "broker-a", number % 4);
            scene.producer.send_to(Message::new(TOPIC, body.clone()), &queue).await.unwrap();
            until("a message of the other broker", || seen.counts().contains_key(&body)).await;
            longest = longest.max(sent.elapsed());
            sleep(Duration::from_millis(500)).await;
        }
        println!("longest wait of a message of the other broker: {longest:?}");
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        scene.end_black_hole("broker-b");
        consumer.shutdown().await.unwrap();
    });
}
