use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{BrokerEvent, Fault, FaultAction};
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::{CommandRef, NoHeader, RequestCode, ResponseCode};
use tokio::time::{Instant, sleep};

use super::checker::{Rules, Verdict};
use super::support::{GROUP, Site, TOPIC, ends_cleanly, simulate, until};
use super::table::{Row, seen};

const QUEUES: usize = 4;
/// Messages before the target of the reset, and after it.
const BEFORE: usize = 20;
const AFTER: usize = 20;
/// How long an idle consumer may take: its pulls are held for 15 s. Under load a pull ends at once.
const IDLE: Duration = Duration::from_secs(20);
const LOADED: Duration = Duration::from_secs(6);

/// Where a reset moves a group.
struct Target {
    time: SystemTime,
    offsets: BTreeMap<MessageQueue, i64>,
}

/// What the histories tell of a reset.
struct Reset {
    /// The number of the first event after it.
    since: u64,
    began: Instant,
}

impl Site {
    /// A member of which a group has read messages before and after a target.
    async fn read(&self, orderly: bool, work: Duration) -> (PushConsumer, Target) {
        let consumer = self.again(orderly, work).await;
        self.send(BEFORE).await;
        sleep(Duration::from_secs(1)).await;
        let ends = self.cluster.queue_offsets(TOPIC).into_iter().map(|end| (end.queue, end.max));
        let target = Target { time: self.cluster.now(), offsets: ends.collect() };
        self.send(AFTER).await;
        self.all_done().await;
        until("all is committed", || self.committed().values().sum::<i64>() as usize == BEFORE + AFTER).await;
        (consumer, target)
    }

    async fn again(&self, orderly: bool, work: Duration) -> PushConsumer {
        if orderly { self.start_orderly("a", work).await } else { self.start("a", work).await }
    }

    /// Moves the group as `mqadmin resetOffsetByTime` does.
    async fn reset(&self, target: &Target) -> Reset {
        let options = ConnectionOptions::default();
        let network = Arc::new(self.network.clone());
        let client = RemotingClient::with_transport(network, options, Arc::new(NoRequests)).unwrap();
        let time = target.time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().to_string();
        let fields = [("group", GROUP), ("topic", TOPIC), ("timestamp", &time), ("isForce", "true")];
        let fields = fields.into_iter().collect();
        let request = CommandRef::request(RequestCode(222), &NoHeader).with_fields(&fields);
        let since = self.cluster.history().last().unwrap().number + 1;
        let began = Instant::now();
        let broker = self.broker("broker-a").to_string();
        let answer = client.invoke(&broker, &request, began + Duration::from_secs(3)).await.unwrap();
        assert_eq!(answer.code, 0, "{answer:?}");
        Reset { since, began }
    }

    /// Checks that each queue got messages from its target on once, and that its commits fell once, to the target.
    fn reached_once(&self, reset: &Reset, target: &Target) {
        let (mut reached, mut falls) = (BTreeMap::new(), Vec::new());
        let mut last: BTreeMap<MessageQueue, i64> = BTreeMap::new();
        for entry in self.cluster.history() {
            match entry.event {
                BrokerEvent::Pulled { queue, from, count, .. }
                    if entry.number >= reset.since
                        && count > 0
                        && target.offsets.get(&queue) == Some(&from) =>
                {
                    *reached.entry(queue).or_insert(0) += 1;
                }
                BrokerEvent::Committed { queue, offset, .. } if queue.topic() == TOPIC => {
                    let before = last.insert(queue.clone(), offset);
                    if before.is_some_and(|before| before > offset) {
                        falls.push((queue, offset));
                    }
                }
                _ => {}
            }
        }
        let once = target.offsets.keys().map(|queue| (queue.clone(), 1)).collect::<BTreeMap<_, _>>();
        assert_eq!(reached, once, "the messages of each target came once");
        for (queue, offset) in &falls {
            assert_eq!(target.offsets.get(queue), Some(offset), "a commit fell in {queue}");
        }
        assert_eq!(falls.len(), QUEUES, "{falls:?}");
    }

    /// What was handled again: nothing before the target, and nothing more than once.
    fn handled_again(&self, target: &Target, orderly: bool) -> Verdict {
        let mut runs: BTreeMap<(MessageQueue, i64), usize> = BTreeMap::new();
        for run in self.record.runs() {
            *runs.entry((run.queue, run.offset)).or_default() += 1;
        }
        for ((queue, offset), runs) in runs {
            let most = if offset < target.offsets[&queue] { 1 } else { 2 };
            assert!(runs <= most, "{offset} of {queue} ran {runs} times");
        }
        self.check(&Rules { is_orderly: orderly, may_fall: true, ..Rules::default() })
    }

    /// Waits until as many messages were handled again as lie after the target.
    async fn all_again(&self) {
        until("all again", || self.record.runs().len() == BEFORE + 2 * AFTER).await;
    }

    /// Waits until all messages after the target were handled again, and checks that each came once more, after one reset.
    async fn comes_again_once(
        &self,
        reset: &Reset,
        target: &Target,
        orderly: bool,
        events: &mut ConsumerEvents,
    ) {
        self.all_again().await;
        no_reset_follows(events).await;
        self.reached_once(reset, target);
        assert_eq!(self.handled_again(target, orderly).duplicates, AFTER);
    }
}

/// Waits until each queue has told of its reset. Returns how long the last of them took.
async fn told(events: &mut ConsumerEvents, reset: &Reset, target: &Target) -> Duration {
    let mut told = BTreeMap::new();
    while told.len() < target.offsets.len() {
        match events.next().await.unwrap() {
            ConsumerEvent::OffsetReset { queue, to, .. } => {
                assert_eq!(told.insert(queue, to), None, "each queue tells once");
            }
            ConsumerEvent::OffsetCorrected { .. } => panic!("a reset is no correction"),
            _ => {}
        }
    }
    assert_eq!(told, target.offsets);
    reset.began.elapsed()
}

/// Checks for a minute that no event tells of another reset.
async fn no_reset_follows(events: &mut ConsumerEvents) {
    sleep(Duration::from_secs(60)).await;
    let more: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter(|event| {
            matches!(event, ConsumerEvent::OffsetReset { .. } | ConsumerEvent::OffsetCorrected { .. })
        })
        .collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn c16_a_reset_while_pulls_are_held() {
    simulate(async {
        for orderly in [false, true] {
            let site = Site::new(1, QUEUES as u32).await;
            let (consumer, target) = site.read(orderly, Duration::from_millis(1)).await;
            let mut events = consumer.events();
            until("all pulls are held", || site.cluster.held_pulls(TOPIC) == QUEUES).await;
            let reset = site.reset(&target).await;
            let took = told(&mut events, &reset, &target).await;
            assert!(took <= IDLE, "{took:?}");
            site.comes_again_once(&reset, &target, orderly, &mut events).await;
            ends_cleanly(consumer).await;
        }
    });
}

#[test]
fn c16_a_reset_while_no_member_is_online() {
    simulate(async {
        for orderly in [false, true] {
            let site = Site::new(1, QUEUES as u32).await;
            let (consumer, target) = site.read(orderly, Duration::from_millis(1)).await;
            ends_cleanly(consumer).await;
            let reset = site.reset(&target).await;
            let consumer = site.again(orderly, Duration::from_millis(1)).await;
            let mut events = consumer.events();
            site.comes_again_once(&reset, &target, orderly, &mut events).await;
            ends_cleanly(consumer).await;
        }
    });
}

#[test]
fn c16_a_reset_whose_commits_are_refused_is_not_undone_by_the_offsets_that_it_replaced() {
    simulate(async {
        for orderly in [false, true] {
            let site = Site::new(1, QUEUES as u32).await;
            let (consumer, target) = site.read(orderly, Duration::from_millis(1)).await;
            let mut events = consumer.events();
            let refuse = FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "full".to_owned() };
            site.cluster.inject(Fault::on(RequestCode::UPDATE_CONSUMER_OFFSET, refuse));
            let before = site.committed();
            // The pull that follows the first refused commit.
            let close = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::Close);
            site.cluster.inject(close.topic(TOPIC).times(1));
            let reset = site.reset(&target).await;
            // The broker saves offsets each 5 s, and comes back with those of before the reset.
            before
                .iter()
                .for_each(|(queue, offset)| site.cluster.commit_offset(GROUP, queue, *offset).unwrap());
            told(&mut events, &reset, &target).await;
            sleep(Duration::from_secs(5)).await;
            site.cluster.clear_faults();
            site.all_again().await;
            no_reset_follows(&mut events).await;
            site.handled_again(&target, orderly);
            until("all is committed", || site.committed().values().sum::<i64>() as usize == BEFORE + AFTER)
                .await;
            ends_cleanly(consumer).await;
        }
    });
}

#[test]
fn c16_a_reset_while_listeners_run() {
    simulate(async {
        let mut took_longest = Duration::ZERO;
        for orderly in [false, true] {
            let site = Site::new(1, QUEUES as u32).await;
            let work = Duration::from_millis(if orderly { 300 } else { 2000 });
            let (consumer, target) = site.read(orderly, work).await;
            let mut events = consumer.events();
            let load = site.send_each(Duration::from_millis(100));
            until("handlers run", || site.record.running() >= 2).await;
            let before = site.record.runs().len();
            let reset = site.reset(&target).await;
            let took = told(&mut events, &reset, &target).await;
            assert!(took <= LOADED, "{took:?}");
            took_longest = took_longest.max(took);
            sleep(Duration::from_secs(10)).await;
            drop(load);
            site.all_done().await;
            until("all again", || site.record.runs().len() >= before + AFTER && site.record.running() == 0)
                .await;
            no_reset_follows(&mut events).await;
            site.reached_once(&reset, &target);
            let again = site.handled_again(&target, orderly).duplicates;
            assert!(again >= AFTER, "{again}");
            ends_cleanly(consumer).await;
        }
        seen(
            Row::C16,
            format!(
                "with concurrent and with orderly listeners: each of {QUEUES} queues went to its target once, no message before the target came again, each message after the target came again at most once; under load, a reset took at most {took_longest:.1?}"
            ),
        );
    });
}
