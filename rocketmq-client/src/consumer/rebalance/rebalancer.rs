use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{MessageQueueAssignment, QueryAssignmentRequestBody};
use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep_until};

use super::{
    AssignedInput, AssignedPlanner, PlanInput, RebalancePlan, RebalanceTiming, RouteWatch, Share,
    TopicPlanner, plan_alone, start_release,
};
use crate::clock::now_ms;
use crate::consumer::member::{Beat, Member, Subscribed, Trouble};
use crate::consumer::offsets::remote;
use crate::consumer::pop::pop_retry_topic;
use crate::consumer::subscription::{MessageSelector, Subscription};
use crate::consumer::watch::ConsumerEvent;
use crate::error::{MQClientError, with_causes};
use crate::factory::TopicSubscribeInfo;

/// Takes and releases queues. Java: `RebalanceService`, `RebalanceImpl`.
#[derive(Debug)]
pub(crate) struct Rebalancer {
    member: Arc<Member>,
    timing: RebalanceTiming,
    topics: BTreeMap<Arc<str>, TopicState>,
    /// Grows with each run whose answer is not believed: the next run asks another broker.
    failures: usize,
}

#[derive(Debug, Default)]
struct TopicState {
    planner: TopicPlanner,
    assigned: AssignedPlanner,
    /// The queues that brokers assign to this member.
    share: Share,
    watch: RouteWatch,
    /// The queues of the first plan; others were added later.
    first: Option<BTreeSet<MessageQueue>>,
    missing: bool,
}

impl TopicState {
    /// The plan by the word of a broker. A group that pulls reads what it popped before and has not acknowledged, too.
    fn plan_assigned(
        &mut self,
        member: &Member,
        subscribed: &Subscribed,
        members: Option<&[String]>,
        assigned: Option<&[MessageQueueAssignment]>,
    ) -> RebalancePlan {
        let me = member.instance.client_id();
        let owned = member.queues.all().into_iter().filter(|owned| owned.queue.topic() == &*subscribed.topic);
        let input = AssignedInput {
            queues: self.watch.queues(),
            assigned,
            owned: &owned.map(|owned| (owned.queue.clone(), owned.is_pop)).collect(),
            orderly: member.settings.orderly,
            alone: member.settings.orderly
                || members.is_some_and(|members| members.iter().all(|id| id == me)),
        };
        let (plan, share) = self.assigned.plan(Instant::now(), &input);
        if let Some(share) = share {
            let pops = share.values().any(|is_pop| *is_pop);
            if !subscribed.is_retry && !share.is_empty() {
                read_popped(member, &subscribed.topic, !pops);
            }
            self.share = share;
        }
        plan
    }
}

/// Subscribes to the retry topic of popped messages if `reads`. Else it unsubscribes: pops bring the messages of the retry
/// topic, too.
fn read_popped(member: &Member, topic: &str, reads: bool) {
    let reads = reads && member.subscribed(topic).is_some();
    let retry_topic = pop_retry_topic(topic, member.group());
    if reads == member.subscribed(&retry_topic).is_some() {
        return;
    }
    match Subscription::new(&retry_topic, &MessageSelector::all(), now_ms()) {
        Ok(subscription) if reads => {
            let topic: Arc<str> = retry_topic.into();
            member.set_subscribed(Subscribed {
                plain: topic.clone(),
                topic,
                subscription,
                is_retry: true,
                requests: Default::default(),
            });
        }
        _ => _ = member.remove_subscribed(&retry_topic),
    }
    member.tell_subscriptions();
    member.want_rebalance();
}

/// A server of each broker.
fn readers(view: &TopicSubscribeInfo) -> Vec<Arc<str>> {
    let mut brokers: Vec<Arc<str>> =
        view.brokers().filter_map(|broker| view.reader(broker).cloned()).collect();
    brokers.sort_unstable();
    brokers
}

/// The members of the group, by the brokers that were asked.
type Members = FxHashMap<Vec<Arc<str>>, Option<Vec<String>>>;

impl Rebalancer {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        let timing = RebalanceTiming::new(Instant::now());
        Self { member, timing, topics: BTreeMap::new(), failures: 0 }
    }

    /// Rebalances whenever there is a reason to.
    pub(crate) async fn keep_balanced(mut self) {
        let member = self.member.clone();
        let mut changes = member.instance.route_changes();
        // The start had no time left for its run: without an end, no other run would begin.
        if self.timing.next().is_none() {
            self.timing.end(Instant::now(), false, None);
        }
        loop {
            member.pulse.beat(Beat::Rebalance);
            let next = self.timing.next().unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = sleep_until(next) => {}
                () = member.rebalance.notified() => {
                    self.timing.trigger();
                    continue;
                }
                changed = changes.recv() => {
                    // Changes that were missed may be of subscribed topics.
                    if changed.map_or(true, |topic| member.subscribed(&topic).is_some()) {
                        self.timing.trigger();
                    }
                    continue;
                }
            }
            self.run().await;
        }
    }

    /// Rebalances once, if it is due.
    pub(crate) async fn run(&mut self) {
        if !self.timing.begin(Instant::now()) {
            return;
        }
        self.member.recorder.rebalanced(1);
        let notices = self.member.notices.swap(0, Ordering::AcqRel);
        let (mut balanced, mut is_idle, mut again, mut members) = (true, true, None, Members::default());
        let mut is_doubtful = false;
        let subscribed = self.member.all_subscribed();
        self.drop_unsubscribed(&subscribed);
        for subscribed in subscribed {
            self.member.pulse.beat(Beat::Rebalance);
            let plan = self.plan(&subscribed, notices > 0, &mut members).await;
            balanced &= plan.is_balanced();
            is_doubtful |= plan.keep.is_some();
            again = earlier(again, plan.ask_again);
            is_idle &= plan.take.is_empty() && plan.release.is_empty();
            again = earlier(again, self.carry_out(&subscribed, plan));
        }
        if is_doubtful {
            // Once for all topics: the next broker is asked, not the one after it.
            self.failures += 1;
            self.member.instance.want_heartbeat();
        }
        if is_idle && balanced && again.is_none() {
            self.timing.note_idle(notices);
        }
        self.timing.end(Instant::now(), balanced, again);
        self.member.look_wanted.notify_one();
    }

    fn drop_unsubscribed(&mut self, subscribed: &[Arc<Subscribed>]) {
        let is_subscribed = |topic: &str| subscribed.iter().any(|subscribed| *subscribed.topic == *topic);
        for topic in self.member.queues.topics().iter().filter(|topic| !is_subscribed(topic)) {
            let queues = self.member.queues.of_topic(topic);
            start_release(&self.member, queues.into_iter().collect());
        }
        self.topics.retain(|topic, _| is_subscribed(topic));
    }

    async fn plan(
        &mut self,
        subscribed: &Subscribed,
        announced: bool,
        members: &mut Members,
    ) -> RebalancePlan {
        let member = self.member.clone();
        let view = self.view(subscribed).await;
        // The route may have come after the start.
        if self.topics.get(&subscribed.topic).is_some_and(|topic| topic.first.is_none()) {
            remote::note_history(&member, subscribed).await;
        }
        let asked = match &view {
            Some(view) if !member.settings.broadcast && member.assigned(&subscribed.topic).is_none() => {
                self.members(view, members).await
            }
            _ => None,
        };
        let by_broker = match &view {
            Some(view) if !member.settings.client_rebalance => Some(self.assigned(subscribed, view).await),
            _ => None,
        };
        if view.is_none() && subscribed.is_retry && !member.settings.client_rebalance {
            // The retry topic of popped messages is made when one of them comes again.
            return RebalancePlan::default();
        }
        let topic = self.topics.entry(subscribed.topic.clone()).or_default();
        if announced {
            topic.planner.announce();
        }
        if let Some(Ok(assigned)) = by_broker {
            return topic.plan_assigned(&member, subscribed, asked.as_deref(), assigned.as_deref());
        }
        topic.share.clear();
        let owned = member.queues.of_topic(&subscribed.topic);
        if let Some(assigned) = member.assigned(&subscribed.topic) {
            return plan_alone(Instant::now(), &assigned, &owned);
        }
        if member.settings.broadcast {
            return plan_alone(Instant::now(), topic.watch.queues(), &owned);
        }
        let input = PlanInput {
            group: member.group(),
            me: member.instance.client_id(),
            queues: topic.watch.queues(),
            members: asked.as_deref(),
            owned: &owned,
            orderly: member.settings.orderly,
            strategy: &*member.settings.strategy,
        };
        let plan = topic.planner.plan(Instant::now(), &input);
        if let Some(reason) = &plan.keep {
            tracing::debug!(topic = %subscribed.topic, group = %member.group(), ?reason, "the assignment stays");
        }
        plan
    }

    /// The route of a topic, looked up if need be.
    async fn view(&mut self, subscribed: &Subscribed) -> Option<Arc<TopicSubscribeInfo>> {
        let (member, topic) = (&self.member, &subscribed.topic);
        let limit = member.instance.api().timeout();
        let found = member.instance.find_subscribe_info(topic, limit, Instant::now() + limit).await;
        let state = self.topics.entry(topic.clone()).or_default();
        match found {
            Ok(_) => {
                if std::mem::take(&mut state.missing) {
                    member.found_topic(topic);
                }
            }
            Err(error) => {
                let was_missing = std::mem::replace(&mut state.missing, true);
                // The retry topic is made when it is needed.
                if !was_missing && !subscribed.is_retry {
                    member.lost_topic(topic, error);
                }
                return None;
            }
        }
        let view = member.view(topic)?;
        // A route that is looked at twice is one answer.
        let (source, told) = member.instance.route_source(topic)?;
        let change = state.watch.answered(told, &source, view.queues().iter().cloned());
        let doubt = Trouble::Route(topic.clone());
        if !change.doubtful {
            member.troubles.end(&doubt);
        } else if !subscribed.is_retry && member.troubles.begin(doubt, Instant::now()) {
            let (group, topic, brokers) = (member.events.group(), topic.clone(), state.watch.missing());
            member.events.emit(ConsumerEvent::RouteDoubted { group, topic, brokers, name_server: source });
        }
        Some(view)
    }

    /// Asks a broker for the queues of this member (400). The error says that the broker assigns no queues: members share them then.
    async fn assigned(
        &self,
        subscribed: &Subscribed,
        view: &TopicSubscribeInfo,
    ) -> Result<Option<Vec<MessageQueueAssignment>>, MQClientError> {
        let member = &self.member;
        let Some(broker) = self.broker(view) else { return Ok(None) };
        let request = QueryAssignmentRequestBody {
            client_id: member.instance.client_id().to_owned(),
            consumer_group: member.group().to_string(),
            message_model: member.data.message_model.clone(),
            strategy_name: member.settings.strategy.name().into_owned(),
            topic: subscribed.topic.to_string(),
        };
        let api = member.instance.api();
        let asked = match member.instance.reach(&broker, Instant::now() + api.timeout()).await {
            Ok(()) => api.asking().query_assignment(&broker, &request).await,
            Err(error) => Err(error),
        };
        match asked {
            Err(error) if error.response_code() == Some(ResponseCode::REQUEST_CODE_NOT_SUPPORTED) => {
                Err(error)
            }
            Err(error) => {
                tracing::debug!(%broker, error = with_causes(&error), "the queues of this member are not known");
                Ok(None)
            }
            Ok(assigned) => Ok(assigned),
        }
    }

    /// The broker to ask; another after each answer that is not believed.
    fn broker(&self, view: &TopicSubscribeInfo) -> Option<Arc<str>> {
        let mut brokers = readers(view);
        let place = self.failures % brokers.len().max(1);
        (place < brokers.len()).then(|| brokers.swap_remove(place))
    }

    /// The members of the group that a broker of the topic knows.
    async fn members(&self, view: &TopicSubscribeInfo, known: &mut Members) -> Option<Vec<String>> {
        let member = &self.member;
        let brokers = readers(view);
        if let Some(members) = known.get(&brokers) {
            return members.clone();
        }
        let broker = self.broker(view)?;
        let api = member.instance.api();
        let reached = member.instance.reach(&broker, Instant::now() + api.timeout()).await;
        let asked = match reached {
            Ok(()) => api.asking().consumer_ids(&broker, member.group()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &asked {
            tracing::debug!(%broker, error = with_causes(error), "the members of the group are not known");
        }
        let asked = asked.ok();
        // A broker that does not answer rules nothing out.
        let is_alone = asked.as_ref().is_some_and(|members| {
            !members.is_empty() && members.iter().all(|id| id == member.instance.client_id())
        });
        member.company().told(Instant::now(), is_alone);
        known.insert(brokers, asked.clone());
        asked
    }

    /// Returns when more is to be taken.
    fn carry_out(&mut self, subscribed: &Arc<Subscribed>, plan: RebalancePlan) -> Option<Instant> {
        let member = &self.member;
        start_release(member, plan.release);
        let topic = self.topics.entry(subscribed.topic.clone()).or_default();
        if !topic.watch.queues().is_empty() {
            topic.first.get_or_insert_with(|| topic.watch.queues().iter().cloned().collect());
        }
        let (now, mut again, mut taken) = (Instant::now(), None, Vec::new());
        for (queue, at) in plan.take {
            if at > now {
                again = earlier(again, Some(at));
                continue;
            }
            let is_pop = topic.share.get(&queue).copied().unwrap_or(false);
            // The offsets of pulled queues are committed first, or messages that they have finished are popped again. The end of
            // the release asks for a rebalance. In order, each queue is popped by itself, and waits for itself alone.
            if is_pop && !member.settings.orderly && member.queues.releases(queue.topic()) {
                continue;
            }
            let added_later =
                queue.queue_id() >= 0 && topic.first.as_ref().is_some_and(|first| !first.contains(&queue));
            if member.take(queue.clone(), subscribed.clone(), added_later, is_pop) {
                taken.push(queue);
            }
        }
        member.tell_taken(&subscribed.topic, taken);
        again
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
