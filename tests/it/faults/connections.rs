use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, sleep};

use super::checker::Rules;
use super::support::{Site, TOPIC, ends_cleanly, simulate, until, until_each};
use super::table::{Row, seen};

/// Silence says nothing about a server that was dialled a shorter time ago.
const TRUST_IN_A_DIAL: Duration = Duration::from_secs(10);
/// The interval of heartbeats, and the deadline of each.
const NOTICED: Duration = Duration::from_secs(33);
/// Commits are repeated in this interval.
const COMMITS: Duration = Duration::from_secs(5);

fn stored_at(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap())
}

/// All events so far that tell of a position that moved.
fn moves(events: &mut ConsumerEvents) -> Vec<ConsumerEvent> {
    let all = std::iter::from_fn(|| events.try_next());
    all.filter(|event| {
        matches!(event, ConsumerEvent::OffsetCorrected { .. } | ConsumerEvent::OffsetReset { .. })
    })
    .collect()
}

impl Site {
    /// The longest time from storing to handling of the messages of a broker that were stored since a moment.
    fn slowest(&self, broker: &str, since: SystemTime) -> Duration {
        let stored: BTreeMap<String, SystemTime> = self
            .cluster
            .messages(TOPIC)
            .iter()
            .filter(|message| message.message_queue().broker_name() == broker)
            .map(|message| (message.msg_id().to_owned(), stored_at(message.store_timestamp())))
            .filter(|(_, at)| *at >= since)
            .collect();
        let runs = self.record.runs();
        let took = runs.iter().filter_map(|run| run.began.at.duration_since(*stored.get(&run.id)?).ok());
        took.max().unwrap_or_default()
    }

    /// Waits until the group has committed all that was sent.
    async fn all_committed(&self) {
        until("all is committed", || {
            let committed = self.committed();
            let offsets = self.cluster.queue_offsets(TOPIC);
            offsets.iter().all(|offsets| committed.get(&offsets.queue).copied().unwrap_or(0) == offsets.max)
        })
        .await;
    }
}

/// Leaves the connections of broker-a half-open while messages come. Returns when its queues went on, and how late messages of
/// the other broker were.
async fn half_open(site: &Site) -> (Duration, Duration) {
    site.send(16).await;
    site.all_done().await;
    sleep(TRUST_IN_A_DIAL).await;
    let (stalled, since, before) = (Instant::now(), site.cluster.now(), site.record.runs().len());
    site.network.stall(site.broker("broker-a"));
    let load = site.send_each(Duration::from_millis(50));
    let resumed = || site.record.runs()[before..].iter().any(|run| run.queue.broker_name() == "broker-a");
    until_each(Duration::from_millis(50), "queues of broker-a go on", resumed).await;
    let resumed = stalled.elapsed();
    sleep(Duration::from_secs(5)).await;
    drop(load);
    site.all_done().await;
    (resumed, site.slowest("broker-b", since))
}

#[test]
fn c03_a_connection_that_is_half_open() {
    simulate(async {
        let site = Site::new(2, 2).await;
        let consumer = site.start("a", Duration::from_millis(1)).await;
        let mut events = consumer.events();
        let (resumed, others) = half_open(&site).await;
        assert!(resumed <= NOTICED, "{resumed:?}");
        assert!(others <= Duration::from_millis(100), "the other broker is not concerned: {others:?}");
        let verdict = site.check(&Rules::default());
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
        assert!(moves(&mut events).is_empty());
        ends_cleanly(consumer).await;

        let ordered = Site::new(2, 2).await;
        let consumer = ordered.start_orderly("a", Duration::from_millis(1)).await;
        let (relocked, others) = half_open(&ordered).await;
        assert!(relocked <= NOTICED && others <= Duration::from_millis(100), "{relocked:?} {others:?}");
        let verdict = ordered.check(&Rules { is_orderly: true, ..Rules::default() });
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
        ends_cleanly(consumer).await;
        seen(
            Row::C3,
            format!(
                "its queues went on after {resumed:.1?}, orderly after {relocked:.1?}; messages of the other broker came within {others:?}"
            ),
        );
    });
}

/// Checks that each connection of a consumer to the broker told of the group before it pulled.
fn heartbeats_came_first(site: &Site, since: SystemTime) {
    let requests = site.cluster.requests();
    let mut told: BTreeMap<&str, bool> = BTreeMap::new();
    let mut pulls = 0;
    for request in requests.iter().filter(|request| request.at >= since && &*request.server == "broker-a") {
        match request.code {
            RequestCode::HEART_BEAT => _ = told.insert(&request.peer, request.answer.is_some()),
            RequestCode::PULL_MESSAGE => {
                pulls += 1;
                assert_eq!(told.get(&*request.peer), Some(&true), "a heartbeat first: {request:?}");
            }
            _ => {}
        }
    }
    assert!(pulls > 0, "queues of the broker are pulled again");
}

/// The broker is down for two seconds; `change` changes what it has.
async fn restart(site: &Site, change: impl FnOnce()) -> SystemTime {
    site.cluster.crash_broker("broker-a").await.unwrap();
    sleep(Duration::from_secs(2)).await;
    change();
    let at = site.cluster.now();
    site.cluster.start_broker("broker-a").await.unwrap();
    at
}

async fn restarted(site: &Site, consumer: &PushConsumer, change: impl FnOnce()) -> Duration {
    let at = restart(site, change).await;
    let began = Instant::now();
    let load = site.send_each(Duration::from_millis(20));
    let resumed =
        || site.record.runs().iter().any(|run| run.queue.broker_name() == "broker-a" && run.began.at >= at);
    until_each(Duration::from_millis(20), "queues of broker-a go on", resumed).await;
    let took = began.elapsed();
    sleep(COMMITS * 2).await;
    drop(load);
    site.all_done().await;
    heartbeats_came_first(site, at);
    assert!(consumer.health().is_ready(), "{:?}", consumer.health().problems());
    took
}

#[test]
fn c04_a_broker_that_restarts_with_its_state_or_an_older_one() {
    simulate(async {
        let mut told = Vec::new();
        for orderly in [false, true] {
            // As it was.
            let site = Site::new(2, 2).await;
            let unborn = site.cluster.snapshot("broker-a").unwrap();
            let work = Duration::from_millis(1);
            let consumer =
                if orderly { site.start_orderly("a", work).await } else { site.start("a", work).await };
            let mut events = consumer.events();
            let rules = Rules { is_orderly: orderly, ..Rules::default() };
            site.send(40).await;
            site.all_done().await;
            site.all_committed().await;
            let took = restarted(&site, &consumer, || {}).await;
            let verdict = site.check(&rules);
            assert_eq!(verdict.duplicates, 0, "{verdict:?}");

            // With the offsets of a few seconds ago, and with those of a time before the group.
            site.all_committed().await;
            let older = site.cluster.snapshot("broker-a").unwrap();
            site.send(40).await;
            site.all_done().await;
            site.all_committed().await;
            for (name, snapshot) in [("older", &older), ("none", &unborn)] {
                let restore = || site.cluster.restore_offsets("broker-a", snapshot).unwrap();
                restarted(&site, &consumer, restore).await;
                let verdict = site.check(&Rules { may_fall: true, ..rules.clone() });
                assert_eq!((verdict.duplicates, moves(&mut events).len()), (0, 0), "{name}: {verdict:?}");
                site.all_committed().await;
            }

            // The broker has lost offsets of queues that get no message now: they are committed again.
            restart(&site, || site.cluster.restore_offsets("broker-a", &unborn).unwrap()).await;
            until_each(COMMITS, "commits are repeated", || site.committed().len() == 4).await;
            site.all_committed().await;

            // It has lost messages: only then a position moves, confirmed, and an event tells.
            let lost = site.cluster.snapshot("broker-a").unwrap();
            site.send(40).await;
            site.all_done().await;
            site.all_committed().await;
            restarted(&site, &consumer, || site.cluster.restore_store("broker-a", &lost).unwrap()).await;
            let moved = moves(&mut events);
            assert!(!moved.is_empty());
            for event in &moved {
                let ConsumerEvent::OffsetCorrected { from, to, max, .. } = event else { panic!("{event}") };
                assert!(to <= max && to < from, "{event}");
            }
            ends_cleanly(consumer).await;
            told.push(took);
        }
        seen(
            Row::C4,
            format!(
                "reads on {:?} after the start of the broker, orderly {:?}, the heartbeat first; older offsets and none: no duplicate, committed again; lost messages: corrected to the new maximum, with an event",
                told[0], told[1]
            ),
        );
    });
}
