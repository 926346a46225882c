use std::time::{Duration, SystemTime};

use rocketmq::consumer::PushConsumer;
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::BrokerEvent;
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, sleep};

use super::checker::{Rules, each_queue_has_one_owner};
use super::support::{Site, TOPIC, ends_cleanly, simulate, until, until_each};
use super::table::{Row, seen};

/// A queue is taken over within this time after its owner has left.
const TAKEN_OVER: Duration = Duration::from_millis(300);
/// What a live member has to finish its handlers in.
const DRAIN: Duration = Duration::from_millis(400);
/// How often a test looks into the history; what it finds there has its own time.
const LOOK_BACK: Duration = Duration::from_millis(500);

impl Site {
    /// How many runs of a member no commit covers.
    fn unfinished_window(&self, member: &str) -> usize {
        let committed = self.committed();
        let is_open = |queue: &MessageQueue, offset| committed.get(queue).is_none_or(|to| offset >= *to);
        let runs = self.record.runs();
        runs.iter().filter(|run| &*run.member == member && is_open(&run.queue, run.offset)).count()
    }

    fn balanced(&self, members: &[&PushConsumer]) -> bool {
        let owned: Vec<_> = members.iter().map(|member| member.assignment()).collect();
        each_queue_has_one_owner(&self.cluster, TOPIC, &owned)
    }

    /// When another client has pulled the last of these queues for the first time since a moment.
    fn taken_over(&self, queues: &[MessageQueue], since: SystemTime) -> Option<SystemTime> {
        let history = self.cluster.history();
        let first = |queue: &MessageQueue| {
            let mut pulled = history.iter().filter(|entry| entry.at > since);
            pulled.find_map(|entry| match &entry.event {
                BrokerEvent::Pulled { queue: pulled, .. } if pulled == queue => Some(entry.at),
                _ => None,
            })
        };
        let all: Option<Vec<_>> = queues.iter().map(first).collect();
        all?.into_iter().max()
    }

    fn queues_of(&self, member: &PushConsumer) -> Vec<MessageQueue> {
        member.assignment().into_iter().filter(|queue| queue.topic() == TOPIC).collect()
    }
}

/// Kills one of two members under load. Returns the duplicates, what they may be, and when the last queue was taken over.
async fn kill(site: &Site, killed: PushConsumer, survivor: &PushConsumer) -> (usize, Duration) {
    until("both have their queues", || site.balanced(&[&killed, survivor])).await;
    let load = site.send_each(Duration::from_millis(5));
    sleep(Duration::from_secs(7)).await;
    let queues = site.queues_of(&killed);
    assert_eq!(queues.len(), 4);
    let (window, at) = (site.unfinished_window("killed"), site.cluster.now());
    drop(killed);
    until("all queues are taken over", || site.balanced(&[survivor])).await;
    until_each(LOOK_BACK, "all queues are pulled", || site.taken_over(&queues, at).is_some()).await;
    let taken = site.taken_over(&queues, at).unwrap().duration_since(at).unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(load);
    site.all_done().await;
    (window, taken)
}

#[test]
fn c01_a_member_that_is_killed() {
    simulate(async {
        let site = Site::new(2, 4).await;
        let killed = site.start("killed", Duration::from_millis(30)).await;
        let survivor = site.start("survivor", Duration::from_millis(30)).await;
        let (window, taken) = kill(&site, killed, &survivor).await;
        assert!(taken <= TAKEN_OVER, "{taken:?}");
        let verdict = site.check(&Rules::default());
        assert!((1..=window).contains(&verdict.duplicates), "{verdict:?}, {window} unfinished");
        ends_cleanly(survivor).await;

        let ordered = Site::new(2, 4).await;
        let killed = ordered.start_orderly("killed", Duration::from_millis(5)).await;
        let survivor = ordered.start_orderly("survivor", Duration::from_millis(5)).await;
        let (most, locks) = kill(&ordered, killed, &survivor).await;
        assert!(locks > Duration::from_secs(30) && locks <= Duration::from_secs(61), "{locks:?}");
        let in_order = ordered.check(&Rules { is_orderly: true, ..Rules::default() });
        assert!(in_order.duplicates <= most, "{in_order:?}, {most} unfinished");
        ends_cleanly(survivor).await;
        seen(
            Row::C1,
            format!(
                "its 4 queues read on after {taken:?}, {} of {window} unfinished messages again; orderly: after {locks:.1?}, when the broker gave up its locks, {} of {most} again",
                verdict.duplicates, in_order.duplicates,
            ),
        );
    });
}

#[test]
fn c02_a_member_that_leaves_and_one_that_joins_under_load() {
    simulate(async {
        let site = Site::new(2, 4).await;
        let first = site.start("first", Duration::from_millis(20)).await;
        let second = site.start("second", Duration::from_millis(20)).await;
        until("both have their queues", || site.balanced(&[&first, &second])).await;
        let load = site.send_each(Duration::from_millis(3));
        sleep(Duration::from_secs(7)).await;
        let before = site.check(&Rules { is_under_way: true, ..Rules::default() });
        assert_eq!(before.duplicates, 0, "{before:?}");

        // The leave.
        let queues = site.queues_of(&first);
        ends_cleanly(first).await;
        let left = |cluster: &rocketmq_namesrv_mock::MockCluster| {
            let requests = cluster.requests();
            requests.iter().rev().find(|request| request.code == RequestCode::UNREGISTER_CLIENT).unwrap().at
        };
        let left = left(&site.cluster);
        until_each(LOOK_BACK, "the queues are pulled", || site.taken_over(&queues, left).is_some()).await;
        let leave = site.taken_over(&queues, left).unwrap().duration_since(left).unwrap();
        assert!(leave <= TAKEN_OVER, "{leave:?}");
        let after_leave = site.check(&Rules { is_under_way: true, ..Rules::default() });
        assert_eq!(after_leave.duplicates, 0, "{after_leave:?}");

        // A join, whose handlers are done within the drain.
        let joined = Instant::now();
        let third = site.start("third", Duration::from_millis(20)).await;
        until("the queues are shared", || site.balanced(&[&second, &third])).await;
        let join = joined.elapsed();
        sleep(Duration::from_secs(2)).await;
        let after_join = site.check(&Rules { is_under_way: true, ..Rules::default() });
        assert_eq!((after_join.duplicates, after_join.falls_between_owners), (0, 0), "{after_join:?}");
        drop(load);
        site.all_done().await;
        site.check(&Rules::default());
        ends_cleanly(second).await;
        ends_cleanly(third).await;

        // A join, while handlers take longer than the drain.
        let slow = Site::new(2, 4).await;
        let first = slow.start("first", DRAIN * 5).await;
        slow.send(200).await;
        until("handlers run", || slow.record.running() == 20).await;
        let second = slow.start("second", DRAIN * 5).await;
        let still_running = slow.record.running();
        slow.all_done().await;
        let verdict = slow.check(&Rules::default());
        assert!(verdict.duplicates <= still_running, "{verdict:?}, {still_running} ran on");
        assert!(slow.balanced(&[&first, &second]));
        seen(
            Row::C2,
            format!(
                "leave: no duplicate, {leave:?} after its 35; join: no duplicate where handlers end within the drain, shared after {join:?}; {} duplicates where {still_running} handlers ran on",
                verdict.duplicates,
            ),
        );
    });
}
