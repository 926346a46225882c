use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rocketmq_common::MessageQueue;
use tokio::time::Instant;

use super::plan::KeepReason;
use super::route_watch::RouteChange;
use super::*;
use crate::consumer::strategy::{
    AllocateMessageQueueAveragely, AllocateMessageQueueByMachineRoom, AllocateMessageQueueConsistentHash,
    AllocateMessageQueueStrategy,
};

const HAND_OVER: Duration = Duration::from_millis(500);

fn queues(count: i32) -> Vec<MessageQueue> {
    (0..count).map(|id| MessageQueue::new("Orders", "broker-a", id)).collect()
}

fn names(members: &[&str]) -> Vec<String> {
    members.iter().map(|member| (*member).to_owned()).collect()
}

/// A member of a group, with the queues that it owns.
struct Member {
    name: &'static str,
    planner: TopicPlanner,
    owned: BTreeSet<MessageQueue>,
    orderly: bool,
}

impl Member {
    fn new(name: &'static str) -> Self {
        Self { name, planner: TopicPlanner::default(), owned: BTreeSet::new(), orderly: false }
    }

    fn plan(&mut self, now: Instant, queues: &[MessageQueue], members: Option<&[&str]>) -> RebalancePlan {
        self.plan_by(&AllocateMessageQueueAveragely, now, queues, members)
    }

    fn plan_by(
        &mut self,
        strategy: &dyn AllocateMessageQueueStrategy,
        now: Instant,
        queues: &[MessageQueue],
        members: Option<&[&str]>,
    ) -> RebalancePlan {
        let members = members.map(names);
        let input = PlanInput {
            group: "g",
            me: self.name,
            queues,
            members: members.as_deref(),
            owned: &self.owned,
            orderly: self.orderly,
            strategy,
        };
        self.planner.plan(now, &input)
    }

    /// Plans a second before now, and carries out all of it as if the time to take had come.
    fn settle(&mut self, now: Instant, queues: &[MessageQueue], members: &[&str]) {
        let now = now - Duration::from_secs(1);
        let plan = self.plan(now, queues, Some(members));
        self.owned.retain(|queue| !plan.release.contains(queue));
        self.owned.extend(plan.take.into_iter().map(|(queue, _)| queue));
        assert!(self.plan(now, queues, Some(members)).is_balanced());
    }
}

fn ids<'a>(queues: impl IntoIterator<Item = &'a MessageQueue>) -> Vec<i32> {
    queues.into_iter().map(MessageQueue::queue_id).collect()
}

/// The queues to take, and after how many milliseconds.
fn takes(plan: &RebalancePlan, now: Instant) -> Vec<(i32, u128)> {
    plan.take.iter().map(|(queue, at)| (queue.queue_id(), (*at - now).as_millis())).collect()
}

#[test]
fn a_member_that_is_alone_takes_everything_at_once() {
    let now = Instant::now();
    let plan = Member::new("a").plan(now, &queues(2), Some(&["a"]));
    assert_eq!(takes(&plan, now), [(0, 0), (1, 0)]);
    assert!(!plan.is_balanced());
}

#[test]
fn a_joiner_leaves_the_others_time_to_release() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a"]);
    assert_eq!(ids(&a.plan(now, &queues, Some(&["b", "a"])).release), [2, 3], "at once");
    let plan = Member::new("b").plan(now, &queues, Some(&["b", "a"]));
    assert_eq!(takes(&plan, now), [(2, 500), (3, 500)]);
}

#[test]
fn the_moment_to_take_does_not_move_with_later_plans() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut b = Member::new("b");
    b.plan(now, &queues, Some(&["a", "b"]));
    let later = now + Duration::from_millis(300);
    assert_eq!(takes(&b.plan(later, &queues, Some(&["a", "b"])), now), [(2, 500), (3, 500)]);
}

#[test]
fn the_queues_of_a_leaver_are_taken_at_once_and_those_of_others_later() {
    let (now, queues) = (Instant::now(), queues(6));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "b", "c"]);
    assert_eq!(ids(&a.owned), [0, 1]);
    a.planner.announce();
    let plan = a.plan(now, &queues, Some(&["a", "c"]));
    assert_eq!(takes(&plan, now), [(2, 0)], "it was the leaver's");

    let mut c = Member::new("c");
    c.settle(now, &queues, &["a", "b", "c"]);
    c.planner.announce();
    let plan = c.plan(now, &queues, Some(&["b", "c"]));
    assert_eq!(takes(&plan, now), [(3, 500)], "it was b's, which lives");
}

#[test]
fn the_queues_of_a_leaver_that_had_not_yet_taken_them_are_taken_later() {
    let (now, queues) = (Instant::now(), queues(6));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "c"]);
    a.plan(now, &queues, Some(&["a", "b", "c"]));
    a.planner.announce();
    let later = now + Duration::from_millis(100);
    let plan = a.plan(later, &queues, Some(&["a", "c"]));
    assert_eq!(takes(&plan, now), [], "it has not released the queue yet");
    a.owned.remove(&queues[2]);
    let plan = a.plan(later, &queues, Some(&["a", "c"]));
    assert_eq!(takes(&plan, now), [(2, 600)], "b may be reading what c has");
}

#[test]
fn new_queues_of_the_topic_are_taken_at_once() {
    let now = Instant::now();
    let mut a = Member::new("a");
    a.settle(now, &queues(4), &["a", "b"]);
    let plan = a.plan(now, &queues(8), Some(&["a", "b"]));
    assert_eq!(takes(&plan, now), [(2, 500), (3, 500)]);
    let mut b = Member::new("b");
    b.settle(now, &queues(4), &["a", "b"]);
    let plan = b.plan(now, &queues(8), Some(&["a", "b"]));
    assert_eq!((ids(&plan.release), takes(&plan, now)), (vec![2, 3], vec![(4, 0), (5, 0), (6, 0), (7, 0)]));
}

#[test]
fn a_shrink_that_nobody_announced_needs_a_second_answer() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "b"]);
    let plan = a.plan(now, &queues, Some(&["a"]));
    assert_eq!((plan.take.len(), &plan.keep), (0, &Some(KeepReason::Unannounced)));
    let again = plan.ask_again.unwrap();
    assert_eq!(again, now + Duration::from_secs(1));
    let plan = a.plan(again, &queues, Some(&["a"]));
    assert_eq!(takes(&plan, again), [(2, 0), (3, 0)]);
}

#[test]
fn a_shrink_that_the_second_answer_denies_takes_nothing() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "b"]);
    a.plan(now, &queues, Some(&["a"]));
    assert!(a.plan(now, &queues, Some(&["a", "b"])).is_balanced());
    let plan = a.plan(now, &queues, Some(&["a"]));
    assert_eq!(plan.keep, Some(KeepReason::Unannounced), "the first answer is forgotten");
}

#[test]
fn giving_up_needs_no_second_answer() {
    let (now, queues) = (Instant::now(), queues(6));
    let mut c = Member::new("c");
    c.settle(now, &queues, &["a", "b", "c"]);
    let plan = c.plan(now, &queues, Some(&["b", "c", "d"]));
    assert_eq!((ids(&plan.release), plan.take.len()), (vec![4, 5], 0));
}

#[test]
fn an_answer_that_cannot_be_true_keeps_everything() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "b"]);
    for (members, reason) in [
        (None, KeepReason::NoAnswer),
        (Some(&[][..]), KeepReason::NoMembers),
        (Some(&["b", "c"][..]), KeepReason::WithoutMe),
    ] {
        let plan = a.plan(now, &queues, members);
        assert_eq!((plan.release.len(), plan.take.len(), plan.keep.as_ref()), (0, 0, Some(&reason)));
        assert_eq!(plan.ask_again, Some(now + Duration::from_secs(1)));
        assert!(!plan.is_balanced());
    }
    assert_eq!(a.plan(now, &[], Some(&["a", "b"])).keep, Some(KeepReason::NoRoute));
}

#[test]
fn an_announcement_counts_for_the_next_answer_that_is_believed() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a", "b"]);
    a.planner.announce();
    a.plan(now, &queues, None);
    assert_eq!(a.plan(now, &queues, Some(&["a"])).take.len(), 2);
}

#[test]
fn an_orderly_member_leaves_the_delay_to_the_lock() {
    let now = Instant::now();
    let mut b = Member { orderly: true, ..Member::new("b") };
    assert_eq!(takes(&b.plan(now, &queues(4), Some(&["a", "b"])), now), [(2, 0), (3, 0)]);
}

#[test]
fn a_strategy_that_fails_keeps_everything_and_is_named() {
    let (now, queues) = (Instant::now(), queues(4));
    let mut a = Member::new("a");
    a.settle(now, &queues, &["a"]);
    let plan = a.plan_by(&AllocateMessageQueueConsistentHash::new(0), now, &queues, Some(&["a"]));
    assert_eq!(plan.release, []);
    assert!(matches!(plan.keep, Some(KeepReason::Strategy(reason)) if reason.contains("virtual node")));
    let plan = a.plan_by(&AllocateMessageQueueByMachineRoom::new(["north"]), now, &queues, Some(&["a"]));
    assert_eq!(ids(&plan.release), [0, 1, 2, 3], "a share of nothing is a share");
}

#[test]
fn broadcast_owns_all_queues() {
    let (now, all) = (Instant::now(), queues(3));
    let owned = BTreeSet::from([all[0].clone(), MessageQueue::new("Orders", "gone", 0)]);
    let plan = plan_alone(now, &all, &owned);
    assert_eq!((plan.release.len(), takes(&plan, now)), (1, vec![(1, 0), (2, 0)]));
    assert_eq!(plan_alone(now, &[], &owned).keep, Some(KeepReason::NoRoute));
}

#[test]
fn a_thousand_notices_cost_three_runs() {
    let start = Instant::now();
    let mut timing = RebalanceTiming::new(start);
    let mut begun = Vec::new();
    let mut notices = 0;
    for notice in 0..1_000 {
        let now = start + Duration::from_millis(notice);
        notices += 1;
        timing.trigger();
        if timing.begin(now) {
            begun.push((now - start).as_millis());
            timing.note_idle(std::mem::take(&mut notices));
            timing.end(now, true, None);
        }
    }
    assert_eq!(begun, [0, 200]);
    let next = timing.next().unwrap();
    assert!(timing.begin(next), "the last notice is not lost");
}

#[test]
fn notices_of_a_few_members_that_join_one_after_the_other_delay_no_run() {
    let start = Instant::now();
    let mut timing = RebalanceTiming::new(start);
    for run in 0..10 {
        let now = start + run * Duration::from_millis(200);
        assert!(timing.begin(now), "run {run}");
        timing.note_idle(12);
        timing.end(now, true, None);
        timing.trigger();
    }
}

#[test]
fn a_trigger_runs_at_once_and_during_a_run_leads_to_another() {
    let start = Instant::now();
    let mut timing = RebalanceTiming::new(start);
    assert!(timing.begin(start));
    assert_eq!((timing.trigger(), timing.begin(start)), (None, false));
    let end = start + Duration::from_millis(50);
    timing.end(end, true, None);
    assert_eq!(timing.next(), Some(start + Duration::from_millis(200)));
    let next = start + Duration::from_millis(200);
    assert!(timing.begin(next));
    timing.end(next, true, None);
    assert_eq!(timing.trigger().unwrap(), next + Duration::from_millis(200));
    let calm = start + Duration::from_secs(5);
    assert!(timing.begin(calm));
}

#[test]
fn the_next_look_is_in_twenty_seconds_or_in_one_while_unbalanced() {
    let start = Instant::now();
    let mut timing = RebalanceTiming::new(start);
    for (balanced, again, wait) in [
        (true, None, 20_000),
        (false, None, 1_000),
        (false, Some(Duration::from_millis(500)), 500),
        (true, Some(Duration::from_secs(60)), 20_000),
    ] {
        let now = timing.next().unwrap();
        assert!(timing.begin(now));
        timing.end(now, balanced, again.map(|again| now + again));
        assert_eq!((timing.next().unwrap() - now).as_millis(), wait);
        assert!(!timing.begin(now));
    }
}

fn on(brokers: &[&str]) -> Vec<MessageQueue> {
    brokers.iter().map(|broker| MessageQueue::new("Orders", *broker, 0)).collect()
}

#[test]
fn a_route_that_lacks_a_broker_is_believed_when_another_name_server_agrees() {
    let (now, mut watch) = (Instant::now(), RouteWatch::default());
    assert!(watch.answered(now, "ns1", on(&["a", "b"])).changed);
    let first = watch.answered(now, "ns1", on(&["a"]));
    assert_eq!(first, RouteChange { changed: false, doubtful: true });
    assert_eq!(watch.queues(), on(&["a", "b"]));
    let second = watch.answered(now, "ns2", on(&["a"]));
    assert_eq!(second, RouteChange { changed: true, doubtful: false });
    assert_eq!(watch.queues(), on(&["a"]));
}

#[test]
fn a_name_server_confirms_itself_only_after_brokers_had_time_to_register() {
    let (now, mut watch) = (Instant::now(), RouteWatch::default());
    watch.answered(now, "ns1", on(&["a", "b"]));
    for (after, kept) in [(0, true), (1, true), (29, true), (30, false)] {
        watch.answered(now + Duration::from_secs(after), "ns1", on(&["a"]));
        assert_eq!(watch.queues().len() == 2, kept, "after {after} s");
    }
}

#[test]
fn a_broker_that_comes_back_is_not_missing_any_more() {
    let (now, mut watch) = (Instant::now(), RouteWatch::default());
    watch.answered(now, "ns1", on(&["a", "b"]));
    watch.answered(now, "ns1", on(&["a"]));
    watch.answered(now, "ns1", on(&["a", "b"]));
    watch.answered(now, "ns2", on(&["a"]));
    assert_eq!(watch.queues(), on(&["a", "b"]), "the doubt begins anew");
}

#[test]
fn an_empty_route_drops_nothing_and_fewer_queues_of_a_broker_do_at_once() {
    let (now, mut watch) = (Instant::now(), RouteWatch::default());
    watch.answered(now, "ns1", queues(16));
    for server in ["ns1", "ns2", "ns1"] {
        assert!(watch.answered(now + Duration::from_secs(99), server, []).doubtful);
    }
    assert_eq!(watch.queues().len(), 16);
    assert!(watch.answered(now, "ns1", queues(4)).changed);
    assert_eq!(watch.queues(), queues(4));
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

proptest! {
    /// Members come and go; all that live hear of each change at the same moment, release at once, and take when their time
    /// has come.
    #[test]
    fn queues_have_one_owner_at_a_time_and_all_are_owned_in_the_end(
        changes in vec((0..NAMES.len(), 0..1_500_u64), 1..12),
        count in 1..12_i32,
        hashed in any::<bool>(),
    ) {
        let hash = AllocateMessageQueueConsistentHash::default();
        let strategy: &dyn AllocateMessageQueueStrategy =
            if hashed { &hash } else { &AllocateMessageQueueAveragely };
        let queues = queues(count);
        let mut now = Instant::now();
        let mut members = BTreeMap::<&str, Member>::new();
        let mut taking = BTreeMap::<&str, Vec<(MessageQueue, Instant)>>::new();
        for (place, pause) in changes.into_iter().chain([(0, 5_000), (0, 5_000)]) {
            let name = NAMES[place];
            // The chain at the end makes sure that someone is there.
            if members.remove(name).is_some() { taking.remove(name); } else { members.insert(name, Member::new(name)); }
            let all: Vec<&str> = members.keys().copied().collect();
            for (name, member) in &mut members {
                member.planner.announce();
                let plan = member.plan_by(strategy, now, &queues, Some(&all));
                prop_assert!(plan.keep.is_none());
                member.owned.retain(|queue| !plan.release.contains(queue));
                taking.insert(name, plan.take);
            }
            now += Duration::from_millis(pause);
            for (name, take) in &mut taking {
                let due = take.iter().filter(|(_, at)| *at <= now).map(|(queue, _)| queue.clone());
                members.get_mut(name).unwrap().owned.extend(due);
                take.retain(|(_, at)| *at > now);
            }
            let owners: Vec<&MessageQueue> = members.values().flat_map(|member| &member.owned).collect();
            let distinct: BTreeSet<_> = owners.iter().collect();
            prop_assert_eq!(owners.len(), distinct.len(), "two owners");
            if pause >= HAND_OVER.as_millis() as u64 && !members.is_empty() {
                prop_assert_eq!(owners.len(), queues.len(), "a queue without an owner");
            }
        }
    }
}
