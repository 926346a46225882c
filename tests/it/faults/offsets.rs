use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rocketmq::consumer::{ConsumeFromWhere, ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{AnswerChange, BrokerEvent, Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::{Instant, sleep};

use super::checker::Rules;
use super::record::End;
use super::support::{GROUP, Site, TOPIC, ends_cleanly, simulate, until};
use super::table::{Row, seen};

/// Commits are sent in this interval.
const COMMITS: Duration = Duration::from_secs(5);
const WORK: Duration = Duration::from_millis(1);

fn refuse(code: ResponseCode) -> FaultAction {
    FaultAction::Refuse { code, remark: "out of order".to_owned() }
}

fn moves(events: &mut ConsumerEvents) -> Vec<ConsumerEvent> {
    let all = std::iter::from_fn(|| events.try_next());
    all.filter(|event| {
        matches!(event, ConsumerEvent::OffsetCorrected { .. } | ConsumerEvent::OffsetReset { .. })
    })
    .collect()
}

impl Site {
    /// How many pulls of the topic were answered, and how many offsets of it were committed.
    fn moved(&self) -> (usize, usize) {
        let history = self.cluster.history();
        let count = |is: fn(&BrokerEvent) -> bool| history.iter().filter(|entry| is(&entry.event)).count();
        let pulls = |event: &BrokerEvent| matches!(event, BrokerEvent::Pulled { queue, .. } if queue.topic() == TOPIC);
        let commits = |event: &BrokerEvent| matches!(event, BrokerEvent::Committed { queue, .. } if queue.topic() == TOPIC);
        (count(pulls), count(commits))
    }

    fn is_committed(&self) -> bool {
        let committed = self.committed();
        let offsets = self.cluster.queue_offsets(TOPIC);
        offsets.iter().all(|offsets| committed.get(&offsets.queue).copied().unwrap_or(0) == offsets.max)
    }

    /// A consumer that begins at the end if its group is new.
    async fn start_last(&self, name: &str) -> PushConsumer {
        let member =
            self.member().option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::LastExactly));
        self.starting(member, name, WORK).await
    }

    /// How long after the end of its handler each message of a broker was covered by a commit; the longest.
    fn latest_commit(&self, broker: &str, since: SystemTime) -> Duration {
        let mut commits: BTreeMap<MessageQueue, Vec<(i64, SystemTime)>> = BTreeMap::new();
        for entry in self.cluster.history() {
            if let BrokerEvent::Committed { queue, offset, .. } = entry.event {
                commits.entry(queue).or_default().push((offset, entry.at));
            }
        }
        let runs = self.record.runs();
        let took = runs.iter().filter(|run| run.queue.broker_name() == broker).filter_map(|run| {
            let (ended, _) = run.ended.filter(|(ended, end)| *end == End::Done && ended.at >= since)?;
            let covers = |commit: &&(i64, SystemTime)| commit.0 > run.offset && commit.1 >= ended.at;
            let covered = commits.get(&run.queue).and_then(|commits| commits.iter().find(covers));
            Some(covered.map_or(Duration::MAX, |(_, at)| at.duration_since(ended.at).unwrap()))
        });
        took.max().unwrap_or_default()
    }
}

#[test]
fn c07_an_offset_that_cannot_be_read() {
    simulate(async {
        let query = |action| Fault::on(RequestCode::QUERY_CONSUMER_OFFSET, action);
        let mut told = Vec::new();
        for (name, faults) in [
            ("code 1", vec![query(refuse(ResponseCode::SYSTEM_ERROR))]),
            ("time-out", vec![query(FaultAction::DropRequest)]),
            (
                "an offset of -1",
                vec![query(FaultAction::ChangeAnswer(AnswerChange::new().field("offset", "-1")))],
            ),
            (
                "22 without a minimum",
                vec![
                    query(refuse(ResponseCode::QUERY_NOT_FOUND)),
                    Fault::on(RequestCode::GET_MIN_OFFSET, refuse(ResponseCode::SYSTEM_ERROR)),
                ],
            ),
            (
                "22 without a maximum",
                vec![
                    query(refuse(ResponseCode::QUERY_NOT_FOUND)),
                    Fault::on(RequestCode::GET_MAX_OFFSET, FaultAction::DropRequest),
                ],
            ),
        ] {
            let site = Site::new(2, 2).await;
            let first = site.start("first", WORK).await;
            site.send(40).await;
            site.all_done().await;
            ends_cleanly(first).await;
            assert!(site.is_committed());
            site.send(40).await;
            let before = site.moved();
            for fault in faults {
                site.cluster.inject(fault);
            }
            let began = Instant::now();
            let second = tokio::spawn({
                let member = site.member().option(|option| {
                    _ = option.set_consume_from_where(ConsumeFromWhere::Last).set_start_timeout(60_000)
                });
                let listener = site.record.listener("second", |_, _| async { Ok(()) });
                member.listener(listener).start()
            });
            sleep(Duration::from_secs(20)).await;
            assert_eq!(site.moved(), before, "{name}: neither pulled nor committed");
            site.cluster.clear_faults();
            let healed = Instant::now();
            let second = second.await.unwrap().unwrap();
            site.all_done().await;
            assert!(healed.elapsed() < Duration::from_secs(5), "{name}: {:?}", healed.elapsed());
            let verdict = site.check(&Rules::default());
            assert_eq!((verdict.handled, verdict.duplicates), (80, 0), "{name}: {verdict:?}");
            ends_cleanly(second).await;
            told.push(format!("{name}: {:.1?} without a position, then 40 of 40", began.elapsed()));
        }

        // One queue without an offset, of a group that others know: from its minimum, nothing is passed over.
        let site = Site::new(1, 2).await;
        let first = site.start_last("first").await;
        site.send(40).await;
        site.all_done().await;
        ends_cleanly(first).await;
        site.cluster.inject(query(refuse(ResponseCode::QUERY_NOT_FOUND)).topic(TOPIC).after(1).times(1));
        let second = site.start_last("second").await;
        site.send(2).await;
        site.all_done().await;
        let known = site.check(&Rules { may_fall: true, ..Rules::default() });
        assert!(known.duplicates <= 20, "{known:?}");
        ends_cleanly(second).await;

        // A group that is new: its end, and the choice is committed.
        let site = Site::new(1, 2).await;
        site.send(40).await;
        let ends =
            site.cluster.queue_offsets(TOPIC).into_iter().map(|offsets| (offsets.queue, 0..offsets.max));
        let skipped = ends.collect();
        let new = site.start_last("new").await;
        site.send(2).await;
        site.all_done_of(2).await;
        let verdict = site.check(&Rules { skipped, ..Rules::default() });
        assert_eq!((verdict.handled, verdict.duplicates), (2, 0), "{verdict:?}");
        ends_cleanly(new).await;
        told.push("a true 22: the end of the queue".to_owned());
        seen(Row::C7, told.join("; "));
    });
}

impl Site {
    async fn all_done_of(&self, count: usize) {
        until("messages are done", || self.record.done() >= count && self.record.running() == 0).await;
    }
}

#[test]
fn c08_a_commit_that_is_refused_lost_or_late() {
    simulate(async {
        let mut told = Vec::new();
        let on = |action| Fault::on(RequestCode::UPDATE_CONSUMER_OFFSET, action).server("broker-a");
        for (name, fault) in [
            ("refused", on(refuse(ResponseCode::SYSTEM_ERROR))),
            ("lost", on(FaultAction::DropRequest)),
            ("answer lost", on(FaultAction::DropAnswer)),
            ("late", on(FaultAction::Delay(Duration::from_secs(4)))),
        ] {
            let site = Site::new(4, 1).await;
            let consumer = site.start("a", WORK).await;
            let since = site.cluster.now();
            site.cluster.inject(fault.clone());
            let load = site.send_each(Duration::from_millis(700));
            sleep(Duration::from_secs(60)).await;
            drop(load);
            // The commit of the last message of a queue cannot ride on a pull.
            sleep(COMMITS * 2).await;
            let hits: u32 = site.cluster.fault_hits().iter().map(|(_, hits)| hits).sum();
            assert!(hits > 5, "{name}: {hits}");
            site.cluster.clear_faults();
            let healed = Instant::now();
            until("the commit is repeated", || site.is_committed()).await;
            let committed_after = healed.elapsed();
            assert!(committed_after <= COMMITS * 2, "{name}: {committed_after:?}");
            sleep(COMMITS).await;
            assert!(site.is_committed(), "{name}: it stays");
            let others = ["broker-b", "broker-c", "broker-d"].map(|broker| site.latest_commit(broker, since));
            let slowest = others.into_iter().max().unwrap();
            assert!(slowest <= COMMITS + Duration::from_millis(50), "{name}: others are late: {slowest:?}");
            let verdict = site.check(&Rules { may_fall: name == "late", ..Rules::default() });
            assert_eq!(verdict.duplicates, 0, "{name}: {verdict:?}");
            ends_cleanly(consumer).await;
            told.push(format!(
                "{name} {hits} times: committed {:.1?} after the heal, others within {slowest:.1?}",
                committed_after
            ));
        }

        // A shutdown while commits are refused says so, and the next member sees those messages again.
        let site = Site::new(2, 1).await;
        let consumer = site.start("a", WORK).await;
        site.cluster.inject(on(refuse(ResponseCode::SYSTEM_ERROR)));
        site.send(20).await;
        site.all_done().await;
        let report = consumer.shutdown().await.unwrap();
        let uncommitted: Vec<_> =
            report.uncommitted.iter().map(|(queue, offset)| (queue.broker_name(), *offset)).collect();
        assert_eq!(uncommitted, [("broker-a", 10)], "{report:?}");
        site.cluster.clear_faults();
        let next = site.start("next", WORK).await;
        site.send(2).await;
        site.all_done().await;
        let verdict = site.check(&Rules::default());
        assert!(verdict.duplicates <= 10, "{verdict:?}");
        ends_cleanly(next).await;
        seen(Row::C8, told.join("; "));
    });
}

/// A pull that commits is carried out late: a higher offset that was committed meanwhile stays.
#[test]
fn c08_a_commit_on_a_pull_that_comes_late_takes_nothing_back() {
    simulate(async {
        let site = Site::new(1, 1).await;
        let consumer = site.start("a", WORK).await;
        site.send(5).await;
        site.all_done().await;
        until("committed", || site.is_committed()).await;
        let late = FaultAction::Delay(Duration::from_secs(3));
        site.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, late).topic(TOPIC));
        // The second message comes once the pull is held; the next pull carries the offset of the first one, and is carried
        // out after the commit of both.
        let mut falls = 0;
        for _ in 0..4 {
            site.send(1).await;
            sleep(Duration::from_secs(4)).await;
            site.send(1).await;
            site.all_done().await;
            sleep(Duration::from_secs(29)).await;
            assert!(site.is_committed(), "{:?}", site.committed());
            sleep(Duration::from_millis(1_300)).await;
        }
        let mut highest = 0;
        for entry in site.cluster.history() {
            if let BrokerEvent::Committed { offset, queue, .. } = entry.event
                && queue.topic() == TOPIC
            {
                falls += usize::from(offset < highest);
                highest = offset;
            }
        }
        assert!(falls > 0, "a pull came late");
        site.cluster.clear_faults();
        assert!(site.is_committed(), "{:?}", site.committed());
        ends_cleanly(consumer).await;
        assert!(site.is_committed(), "{:?}", site.committed());
        site.check(&Rules { may_fall: true, ..Rules::default() });
    });
}

#[test]
fn c09_answers_that_move_the_position() {
    simulate(async {
        let moved = |to: i64, remark: &str| {
            let change = AnswerChange::new().code(ResponseCode::PULL_OFFSET_MOVED).remark(remark);
            let change = change.field("nextBeginOffset", to.to_string());
            Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)).topic(TOPIC)
        };
        let site = Site::new(1, 1).await;
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        let consumer = site.start("a", WORK).await;
        let mut events = consumer.events();
        site.send(40).await;
        site.all_done().await;
        // Claims that minimum and maximum do not bear out.
        for (name, to) in [("forward", 45), ("backward", 3), ("absurd", i64::MAX), ("negative", -7)] {
            site.cluster.inject(moved(to, "out of order").times(5));
            site.send(20).await;
            site.all_done().await;
            assert!(site.cluster.fault_hits().iter().any(|(_, hits)| *hits > 0), "{name}");
            sleep(COMMITS).await;
            site.cluster.clear_faults();
            assert!(moves(&mut events).is_empty(), "{name}");
        }
        let verdict = site.check(&Rules::default());
        assert_eq!((verdict.handled, verdict.duplicates), (120, 0), "{verdict:?}");

        // Messages that are gone: the position moves to the minimum, and an event tells.
        consumer.pause_queues(std::slice::from_ref(&queue));
        sleep(Duration::from_secs(30)).await;
        site.send(50).await;
        sleep(Duration::from_secs(1)).await;
        let pulled = site.record.runs().len();
        assert_eq!(pulled, 120, "the queue is paused");
        site.cluster.trim_queue(&queue, 160).unwrap();
        consumer.resume_queues(std::slice::from_ref(&queue));
        until("the rest", || site.record.running() == 0 && site.record.runs().len() >= 130).await;
        let corrected = moves(&mut events);
        let rules = Rules { skipped: vec![(queue.clone(), 120..160)], ..Rules::default() };
        let verdict = site.check(&rules);
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
        let corrections = corrected.len();

        // A reset is obeyed, and its target is committed before the next pull.
        until("committed", || site.is_committed()).await;
        let before = site.cluster.history().last().unwrap().number;
        site.cluster.inject(moved(165, "OFFSET_RESET").times(1));
        site.send(1).await;
        until("messages again", || site.record.runs().iter().filter(|run| run.offset == 165).count() == 2)
            .await;
        let after: Vec<_> =
            site.cluster.history().into_iter().filter(|entry| entry.number > before).collect();
        let mut target = after.iter().filter_map(|entry| match &entry.event {
            BrokerEvent::Committed { queue: of, offset, .. } if *of == queue => Some(*offset),
            BrokerEvent::Pulled { queue: of, from: 165, .. } if *of == queue => Some(-1),
            _ => None,
        });
        let first = target.find(|offset| *offset == 165 || *offset == -1);
        assert_eq!(first, Some(165), "the commit comes before the pull: {after:?}");
        let reset = moves(&mut events);
        assert!(matches!(&reset[..], [ConsumerEvent::OffsetReset { to: 165, .. }]), "{reset:?}");
        site.send(1).await;
        until("all are done", || site.record.running() == 0 && site.is_committed()).await;
        let verdict = site.check(&Rules { may_fall: true, ..rules });
        ends_cleanly(consumer).await;
        let _ = GROUP;
        seen(
            Row::C9,
            format!(
                "unconfirmed claims forward, backward, absurd, negative: no move, no duplicate; 40 messages gone: {corrections} correction; OFFSET_RESET: target committed before the next pull, {} messages again",
                verdict.duplicates
            ),
        );
    });
}
