use std::time::{Duration, SystemTime};

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{AnswerChange, BrokerEvent, Fault, FaultAction};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, sleep};

use super::checker::{Rules, Verdict, each_queue_has_one_owner};
use super::support::{GROUP, Site, TOPIC, ends_cleanly, simulate, until};
use super::table::{Row, seen};

const WORK: Duration = Duration::from_millis(20);
/// A lock is renewed after 10 s, starts no handler after 25 s, and is over after 30 s.
const OVER: Duration = Duration::from_secs(31);

/// At risk, lost, regained.
fn told(events: &mut ConsumerEvents) -> [usize; 3] {
    let mut told = [0; 3];
    while let Some(event) = events.try_next() {
        if event.topic() != Some(TOPIC) {
            continue;
        }
        match event {
            ConsumerEvent::LockAtRisk { .. } => told[0] += 1,
            ConsumerEvent::LockLost { .. } => told[1] += 1,
            ConsumerEvent::LockRegained { .. } => told[2] += 1,
            _ => {}
        }
    }
    told
}

impl Site {
    fn starts_of(&self, queue: &MessageQueue, since: SystemTime) -> Vec<SystemTime> {
        let runs = self.record.runs();
        runs.iter()
            .filter(|run| run.queue == *queue && run.began.at >= since)
            .map(|run| run.began.at)
            .collect()
    }

    /// Lives with a fault of lock requests for a while. Returns how many handlers of queue 0 and queue 1 started once the
    /// locks of before were over.
    async fn locks_go_wrong(&self, fault: Fault) -> [usize; 2] {
        let load = self.send_each(Duration::from_millis(100));
        sleep(Duration::from_secs(2)).await;
        self.cluster.inject(fault);
        sleep(OVER).await;
        let over = self.cluster.now();
        sleep(OVER).await;
        let queues = [0, 1].map(|id| MessageQueue::new(TOPIC, "broker-a", id));
        let started = queues.map(|queue| self.starts_of(&queue, over).len());
        self.cluster.clear_faults();
        sleep(Duration::from_secs(5)).await;
        drop(load);
        self.all_done().await;
        started
    }

    fn in_order(&self, rules: Rules) -> Verdict {
        let verdict = self.check(&Rules { is_orderly: true, ..rules });
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
        verdict
    }
}

#[test]
fn c11_locks_that_are_late_partial_or_stolen() {
    simulate(async {
        let on = |action| Fault::on(RequestCode::LOCK_BATCH_MQ, action);
        let late = |seconds| on(FaultAction::DelayAnswer(Duration::from_secs(seconds)));
        let one = r#"{"lockOKMQSet":[{"brokerName":"broker-a","queueId":0,"topic":"Faulty"}]}"#;
        let partial = on(FaultAction::ChangeAnswer(AnswerChange::new().body(one)));
        let mut stories = Vec::new();
        for (name, fault, expected) in [
            ("2 s late", late(2), [true, true]),
            ("31 s late", late(31), [false, false]),
            ("partial", partial, [true, false]),
            ("unanswered", on(FaultAction::DropRequest), [false, false]),
        ] {
            let site = Site::new(1, 2).await;
            let consumer = site.start_orderly("a", WORK).await;
            let mut events = consumer.events();
            let started = site.locks_go_wrong(fault).await;
            assert_eq!(started.map(|count| count > 0), expected, "{name}: {started:?}");
            let [risk, lost, regained] = told(&mut events);
            let queues = expected.iter().filter(|goes_on| !**goes_on).count();
            assert!(lost == queues && regained >= queues, "{name}: {risk} {lost} {regained}");
            site.in_order(Rules::default());
            ends_cleanly(consumer).await;
            stories.push(format!("{name}: {lost} locks lost, {regained} regained"));
        }

        // Another member has the lock for a while, and consumes.
        let site = Site::new(1, 1).await;
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        let consumer = site.start_orderly("a", WORK).await;
        let mut events = consumer.events();
        site.send(20).await;
        site.all_done().await;
        let stolen = site.cluster.now();
        site.cluster.steal_lock(GROUP, &queue, "10.0.0.9@1").unwrap();
        until("the loss is noticed", || {
            let denied = |event: &BrokerEvent| matches!(event, BrokerEvent::Locked { granted: false, .. });
            site.cluster.history().iter().any(|entry| entry.at >= stolen && denied(&entry.event))
        })
        .await;
        sleep(Duration::from_millis(10)).await;
        let noticed = site.cluster.now();
        site.send(20).await;
        site.cluster.commit_offset(GROUP, &queue, 30).unwrap();
        until("the lock is back", || site.record.done() == 30).await;
        let granted = site.cluster.history().into_iter().find_map(|entry| match entry.event {
            BrokerEvent::Locked { granted: true, .. } if entry.at >= noticed => Some(entry.at),
            _ => None,
        });
        let first = site.starts_of(&queue, noticed)[0];
        assert!(first >= granted.unwrap(), "no handler starts while another member has the lock");
        let verdict = site.in_order(Rules { skipped: vec![(queue.clone(), 20..30)], ..Rules::default() });
        assert_eq!(verdict.handled, 30, "the offset is read again: {verdict:?}");
        let [_, lost, regained] = told(&mut events);
        assert_eq!((lost, regained), (1, 1));
        let noticed = noticed.duration_since(stolen).unwrap();
        ends_cleanly(consumer).await;

        // A broker restarts and forgets all locks, while members join and leave under load, and lock answers are late.
        let site = Site::new(2, 4).await;
        let first = site.start_orderly("first", WORK).await;
        let load = site.send_each(Duration::from_millis(10));
        sleep(Duration::from_secs(3)).await;
        site.cluster.inject(late(1).probability(0.3, 7));
        let mut second = site.start_orderly("second", WORK).await;
        for round in 0..8 {
            sleep(Duration::from_secs(9)).await;
            site.cluster.crash_broker("broker-b").await.unwrap();
            if round % 2 == 0 {
                second.shutdown().await.unwrap();
            }
            sleep(Duration::from_secs(1)).await;
            site.cluster.start_broker("broker-b").await.unwrap();
            if round % 2 == 0 {
                second = site.start_orderly("second", WORK).await;
            }
        }
        site.cluster.clear_faults();
        drop(load);
        site.all_done().await;
        let owned = [&first, &second].map(|member| member.assignment());
        assert!(each_queue_has_one_owner(&site.cluster, TOPIC, &owned));
        // A broker that refused a dial is dialled again within 5 s.
        sleep(Duration::from_secs(6)).await;
        let churned = site.check(&Rules { is_orderly: true, ..Rules::default() });
        ends_cleanly(first).await;
        ends_cleanly(second).await;
        seen(
            Row::C11,
            format!(
                "{}; stolen: noticed after {noticed:.1?}, no start until it was back, then on at the other's offset; forgotten under churn: no overlap, {} duplicates of {}",
                stories.join("; "),
                churned.duplicates,
                churned.handled
            ),
        );
    });
}

#[test]
fn c11_a_lock_that_is_granted_during_a_shutdown_is_given_back() {
    simulate(async {
        let site = Site::new(1, 2).await;
        let leaving = site.start_orderly("leaving", WORK).await;
        let heir = site.start_orderly("heir", WORK).await;
        let owned_by =
            |member: &PushConsumer| member.assignment().into_iter().find(|queue| queue.topic() == TOPIC);
        let owned = || [&leaving, &heir].map(|member| member.assignment());
        until("each has a queue", || {
            owned_by(&heir).is_some() && each_queue_has_one_owner(&site.cluster, TOPIC, &owned())
        })
        .await;
        let inherited = owned_by(&leaving).unwrap();
        // The broker grants at once, and the heir hears of it later.
        let late = FaultAction::DelayAnswer(Duration::from_millis(900));
        site.cluster.inject(Fault::on(RequestCode::LOCK_BATCH_MQ, late));
        let left = site.cluster.now();
        ends_cleanly(leaving).await;
        until("the heir has the lock", || {
            site.cluster.history().iter().any(|entry| match &entry.event {
                BrokerEvent::Locked { queue, granted: true, .. } => entry.at >= left && *queue == inherited,
                _ => false,
            })
        })
        .await;
        ends_cleanly(heir).await;
        site.cluster.clear_faults();
        site.send(20).await;
        let began = Instant::now();
        let next = site.start_orderly("next", WORK).await;
        site.all_done().await;
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(5), "a lock was left behind: messages waited for {waited:?}");
        ends_cleanly(next).await;
    });
}
