use std::collections::{BTreeMap, BTreeSet};

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{MessageQueueAssignment, MessageRequestMode};
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::RebalancePlan;
use super::plan::{ASK_AGAIN, HAND_OVER, KeepReason};

/// Plans the queues of one topic as a broker assigns them (400): to be pulled, each by one member, or to be popped. Java:
/// `RebalanceImpl.getRebalanceResultFromBroker`.
#[derive(Debug, Default)]
pub(crate) struct AssignedPlanner {
    /// The last answer had no queue: a broker says that to a member that it does not know, too.
    was_empty: bool,
    /// Queues that are to be taken, whether popped, and when.
    taking: FxHashMap<(MessageQueue, bool), Instant>,
}

/// The facts that a plan follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignedInput<'a> {
    /// The queues of the topic, sorted.
    pub(crate) queues: &'a [MessageQueue],
    /// The answer of the broker; `None` if no answer came.
    pub(crate) assigned: Option<&'a [MessageQueueAssignment]>,
    /// The queues that this member owns, and whether each is popped.
    pub(crate) owned: &'a BTreeMap<MessageQueue, bool>,
    /// Popped queues are read one by one, so that each keeps its order.
    pub(crate) orderly: bool,
    /// No other member can have a queue.
    pub(crate) alone: bool,
}

/// The queues that this member is to own, and whether each is popped.
pub(crate) type Share = BTreeMap<MessageQueue, bool>;

impl AssignedPlanner {
    /// Makes a plan, with the share that it leads to. Without a share, nothing is known.
    pub(crate) fn plan(&mut self, now: Instant, input: &AssignedInput<'_>) -> (RebalancePlan, Option<Share>) {
        let Some(assigned) = input.assigned else {
            return (RebalancePlan::keep(KeepReason::NoAnswer, now), None);
        };
        let share = share(assigned, input);
        let was_empty = std::mem::replace(&mut self.was_empty, share.is_empty());
        if share.is_empty() && !was_empty && !input.owned.is_empty() {
            return (RebalancePlan::keep(KeepReason::WithoutMe, now), None);
        }
        let is_owned = |(queue, is_pop): (&MessageQueue, &bool)| input.owned.get(queue) == Some(is_pop);
        let release = input.owned.iter().filter(|(queue, is_pop)| share.get(queue) != Some(is_pop));
        let release: Vec<_> = release.map(|(queue, _)| queue.clone()).collect();
        let missing =
            share.iter().filter(|one| !is_owned(*one)).map(|(queue, is_pop)| (queue.clone(), *is_pop));
        let missing: BTreeSet<_> = missing.collect();
        self.taking.retain(|one, _| missing.contains(one));
        for one in missing {
            // A pulled queue may be with another member yet.
            let at = if input.alone || one.1 { now } else { now + HAND_OVER };
            self.taking.entry(one).or_insert(at);
        }
        let mut take: Vec<_> = self.taking.iter().map(|((queue, _), at)| (queue.clone(), *at)).collect();
        take.sort();
        // A broker that knows no queue for this member learns of it by a heartbeat, or of the topic by its route.
        let ask_again = share.is_empty().then(|| now + ASK_AGAIN).filter(|_| !was_empty);
        (RebalancePlan { release, take, ask_again, ..RebalancePlan::default() }, Some(share))
    }
}

fn share(assigned: &[MessageQueueAssignment], input: &AssignedInput<'_>) -> Share {
    let mut share = Share::new();
    for one in assigned {
        let (queue, is_pop) = (&one.message_queue, one.mode == MessageRequestMode::Pop);
        let of_broker = || {
            let is_of_broker = |other: &&MessageQueue| {
                other.broker_name() == queue.broker_name() && other.topic() == queue.topic()
            };
            input.queues.iter().filter(is_of_broker)
        };
        if is_pop && input.orderly && queue.queue_id() < 0 {
            share.extend(of_broker().map(|queue| (queue.clone(), true)));
        } else if (is_pop && of_broker().next().is_some()) || input.queues.binary_search(queue).is_ok() {
            share.insert(queue.clone(), is_pop);
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(ids: &[i32]) -> Vec<MessageQueue> {
        ids.iter().map(|id| MessageQueue::new("T", "b", *id)).collect()
    }

    fn assigned(ids: &[i32], mode: &MessageRequestMode) -> Vec<MessageQueueAssignment> {
        let one =
            |message_queue| MessageQueueAssignment { attachments: None, message_queue, mode: mode.clone() };
        queues(ids).into_iter().map(one).collect()
    }

    struct Run {
        planner: AssignedPlanner,
        owned: BTreeMap<MessageQueue, bool>,
        orderly: bool,
        now: Instant,
    }

    impl Run {
        fn new(orderly: bool) -> Self {
            Self { planner: AssignedPlanner::default(), owned: BTreeMap::new(), orderly, now: Instant::now() }
        }

        /// The queues to release and to take, with the delays in milliseconds; then they are owned.
        fn plan(
            &mut self,
            answer: Option<Vec<MessageQueueAssignment>>,
        ) -> (Vec<i32>, Vec<(i32, bool, u128)>) {
            let route = queues(&[0, 1, 2, 3]);
            let input = AssignedInput {
                queues: &route,
                assigned: answer.as_deref(),
                owned: &self.owned,
                orderly: self.orderly,
                alone: false,
            };
            let (plan, share) = self.planner.plan(self.now, &input);
            let taken = plan.take.iter().map(|(queue, at)| {
                let is_pop = share.as_ref().is_some_and(|share| share[queue]);
                (queue.queue_id(), is_pop, at.saturating_duration_since(self.now).as_millis())
            });
            let told = (plan.release.iter().map(MessageQueue::queue_id).collect(), taken.collect());
            self.owned = share.unwrap_or_else(|| self.owned.clone());
            told
        }
    }

    #[test]
    fn the_mode_of_a_group_is_switched_both_ways() {
        let (mut run, pull, pop) = (Run::new(false), MessageRequestMode::Pull, MessageRequestMode::Pop);
        assert_eq!(
            run.plan(Some(assigned(&[0, 1], &pull))),
            (vec![], vec![(0, false, 500), (1, false, 500)])
        );
        assert_eq!(run.plan(Some(assigned(&[0, 1], &pull))), (vec![], vec![]));
        assert_eq!(run.plan(Some(assigned(&[-1], &pop))), (vec![0, 1], vec![(-1, true, 0)]));
        assert_eq!(run.plan(Some(assigned(&[0], &pull))), (vec![-1], vec![(0, false, 500)]));
        // With shared queues the number stays, and the mode is another.
        assert_eq!(run.plan(Some(assigned(&[0], &pop))), (vec![0], vec![(0, true, 0)]));
    }

    #[test]
    fn an_answer_that_says_nothing_changes_nothing_and_none_is_believed_at_the_second_time() {
        let (mut run, pop) = (Run::new(false), MessageRequestMode::Pop);
        run.plan(Some(assigned(&[-1], &pop)));
        assert_eq!(run.plan(None), (vec![], vec![]));
        assert_eq!(run.plan(Some(vec![])), (vec![], vec![]));
        assert_eq!(run.plan(Some(assigned(&[-1], &pop))), (vec![], vec![]));
        run.plan(Some(vec![]));
        assert_eq!(run.plan(Some(vec![])), (vec![-1], vec![]));
    }

    #[test]
    fn a_popped_queue_of_another_topic_is_not_taken() {
        let mut run = Run::new(false);
        let mut answer = assigned(&[-1], &MessageRequestMode::Pop);
        answer[0].message_queue = MessageQueue::new("Other", "b", -1);
        assert_eq!(run.plan(Some(answer)), (vec![], vec![]));
    }

    #[test]
    fn an_orderly_member_pops_each_queue_by_itself() {
        let (mut run, pop) = (Run::new(true), MessageRequestMode::Pop);
        let (_, taken) = run.plan(Some(assigned(&[-1], &pop)));
        assert_eq!(taken, [(0, true, 0), (1, true, 0), (2, true, 0), (3, true, 0)]);
    }
}
