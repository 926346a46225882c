use std::collections::BTreeSet;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::time::Instant;

use crate::consumer::strategy::AllocateMessageQueueStrategy;

/// How long a live member has to release a queue before its next owner takes it: drain and commit.
pub(super) const HAND_OVER: Duration = Duration::from_millis(500);
/// When to ask again after an answer that is not believed.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Plans the queues of one topic for this member of the group. Java: `RebalanceImpl.rebalanceByTopic`.
#[derive(Debug, Default)]
pub(crate) struct TopicPlanner {
    /// The members and queues that the last plan was made of.
    settled: Option<Settled>,
    /// A shorter list of members that waits for a second answer.
    doubtful: Option<Vec<String>>,
    /// The broker has said (40) that members changed.
    announced: bool,
    /// Queues that are to be taken, and when.
    taking: FxHashMap<MessageQueue, Instant>,
}

#[derive(Debug)]
struct Settled {
    members: Vec<String>,
    queues: Vec<MessageQueue>,
    /// When members or queues changed last: until [`HAND_OVER`] later a queue may still be with the owner before.
    changed: Instant,
}

/// The facts that a plan follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanInput<'a> {
    pub(crate) group: &'a str,
    /// The client id of this member.
    pub(crate) me: &'a str,
    /// The queues of the topic, sorted.
    pub(crate) queues: &'a [MessageQueue],
    /// The members of the group (38), in any order; `None` if the broker did not say.
    pub(crate) members: Option<&'a [String]>,
    /// The queues that this member owns.
    pub(crate) owned: &'a BTreeSet<MessageQueue>,
    /// Locks keep two owners apart: queues are taken at once, and the lock decides.
    pub(crate) orderly: bool,
    pub(crate) strategy: &'a dyn AllocateMessageQueueStrategy,
}

/// The moves of queues, and the time of the next question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RebalancePlan {
    /// Queues to release now.
    pub(crate) release: Vec<MessageQueue>,
    /// Queues to take, and when. A queue comes again in each plan until it is owned.
    pub(crate) take: Vec<(MessageQueue, Instant)>,
    /// Why the plan keeps what there is, in whole or in part.
    pub(crate) keep: Option<KeepReason>,
    /// When to send a heartbeat and to ask another broker for the members.
    pub(crate) ask_again: Option<Instant>,
}

/// Why an answer did not change the assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeepReason {
    /// The topic has no queues.
    NoRoute,
    /// No broker said who the members are.
    NoAnswer,
    /// A list without members.
    NoMembers,
    /// This member is not on the list.
    WithoutMe,
    /// Members are gone though no broker announced it: a second answer has to say so before their queues are taken.
    Unannounced,
    /// The strategy failed.
    Strategy(String),
}

impl RebalancePlan {
    /// Whether this member owns what it should, and nothing is in doubt.
    pub(crate) fn is_balanced(&self) -> bool {
        self.release.is_empty() && self.take.is_empty() && self.keep.is_none()
    }

    pub(super) fn keep(reason: KeepReason, now: Instant) -> Self {
        Self { keep: Some(reason), ask_again: Some(now + ASK_AGAIN), ..Self::default() }
    }
}

/// The plan of a consumer that shares with no other: a broadcast consumer owns all queues of the topic, a pull consumer the
/// queues that its user named.
pub(crate) fn plan_alone(
    now: Instant,
    queues: &[MessageQueue],
    owned: &BTreeSet<MessageQueue>,
) -> RebalancePlan {
    if queues.is_empty() {
        return RebalancePlan::keep(KeepReason::NoRoute, now);
    }
    let all: FxHashSet<&MessageQueue> = queues.iter().collect();
    RebalancePlan {
        release: owned.iter().filter(|queue| !all.contains(queue)).cloned().collect(),
        take: queues.iter().filter(|queue| !owned.contains(queue)).map(|q| (q.clone(), now)).collect(),
        ..RebalancePlan::default()
    }
}

impl TopicPlanner {
    /// A broker announced (40) that the members changed: the next answer needs no confirmation.
    pub(crate) fn announce(&mut self) {
        self.announced = true;
    }

    /// Makes a plan from what is known now.
    pub(crate) fn plan(&mut self, now: Instant, input: &PlanInput<'_>) -> RebalancePlan {
        let members = match believable(input) {
            Ok(members) => members,
            Err(reason) => return RebalancePlan::keep(reason, now),
        };
        let wanted = match allocate(input, input.me, input.queues, &members) {
            Ok(wanted) => wanted,
            Err(reason) => return RebalancePlan::keep(reason, now),
        };
        let release = input.owned.iter().filter(|queue| !wanted.contains(queue)).cloned().collect();
        if !self.confirms(&members) {
            self.taking.retain(|queue, _| wanted.contains(queue));
            let take = self.still_taking(input.owned);
            return RebalancePlan { release, take, ..RebalancePlan::keep(KeepReason::Unannounced, now) };
        }
        let missing: Vec<&MessageQueue> =
            wanted.iter().filter(|queue| !input.owned.contains(queue)).collect();
        self.taking.retain(|queue, _| missing.contains(&queue));
        let live =
            if input.orderly { FxHashSet::default() } else { self.held_by_live(input, &members, &missing) };
        let at_once = self.settled.as_ref().map_or(now, |before| now.max(before.changed + HAND_OVER));
        for queue in missing {
            let at = if live.contains(queue) {
                now + HAND_OVER
            } else if input.orderly {
                now
            } else {
                at_once
            };
            self.taking.entry(queue.clone()).or_insert(at);
        }
        self.settle(now, members, input.queues);
        RebalancePlan { release, take: self.still_taking(input.owned), ..RebalancePlan::default() }
    }

    /// Whether the list may be acted upon. A list that lacks members needs the word of a broker, or a second answer.
    fn confirms(&mut self, members: &Vec<String>) -> bool {
        let announced = std::mem::take(&mut self.announced);
        let doubtful = self.doubtful.take();
        let Some(settled) = &self.settled else { return true };
        let shrunk = settled.members.iter().any(|member| !members.contains(member));
        if !shrunk || announced || doubtful.as_ref() == Some(members) {
            return true;
        }
        self.doubtful = Some(members.clone());
        false
    }

    /// Which of the queues a member held, by the last plan, that is still there. At the first plan this member is new, and
    /// the others share all queues.
    fn held_by_live(
        &self,
        input: &PlanInput<'_>,
        members: &[String],
        missing: &[&MessageQueue],
    ) -> FxHashSet<MessageQueue> {
        let mut held = FxHashSet::default();
        if missing.is_empty() {
            return held;
        }
        let others: Vec<String>;
        let (before, queues) = match &self.settled {
            Some(settled) => (&settled.members, &*settled.queues),
            None => {
                others = members.iter().filter(|member| *member != input.me).cloned().collect();
                (&others, input.queues)
            }
        };
        for member in before.iter().filter(|member| *member != input.me && members.contains(member)) {
            if let Ok(theirs) = allocate(input, member, queues, before) {
                held.extend(theirs);
            }
        }
        held
    }

    fn settle(&mut self, now: Instant, members: Vec<String>, queues: &[MessageQueue]) {
        let unchanged = |before: &&Settled| before.members == members && before.queues == queues;
        let changed = self.settled.as_ref().filter(unchanged).map_or(now, |before| before.changed);
        self.settled = Some(Settled { members, queues: queues.to_vec(), changed });
    }

    fn still_taking(&self, owned: &BTreeSet<MessageQueue>) -> Vec<(MessageQueue, Instant)> {
        let mut take: Vec<_> = self
            .taking
            .iter()
            .filter(|(queue, _)| !owned.contains(queue))
            .map(|(queue, at)| (queue.clone(), *at))
            .collect();
        take.sort();
        take
    }
}

/// The members, sorted as Java sorts them, if the answer can be true.
fn believable(input: &PlanInput<'_>) -> Result<Vec<String>, KeepReason> {
    let members = input.members.ok_or(KeepReason::NoAnswer)?;
    if members.is_empty() {
        return Err(KeepReason::NoMembers);
    }
    if !members.iter().any(|member| member == input.me) {
        return Err(KeepReason::WithoutMe);
    }
    if input.queues.is_empty() {
        return Err(KeepReason::NoRoute);
    }
    let mut members = members.to_vec();
    members.sort();
    members.dedup();
    Ok(members)
}

/// The share of a member. A queue that the topic does not have cannot be read.
fn allocate(
    input: &PlanInput<'_>,
    member: &str,
    queues: &[MessageQueue],
    members: &[String],
) -> Result<BTreeSet<MessageQueue>, KeepReason> {
    let share = input.strategy.allocate(input.group, member, queues, members);
    let share = share.map_err(|error| KeepReason::Strategy(error.to_string()))?;
    Ok(share.into_iter().filter(|queue| queues.binary_search(queue).is_ok()).collect())
}
