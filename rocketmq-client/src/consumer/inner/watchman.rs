use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rocketmq_remoting::protocol::header::PullMessageRequestHeader;
use tokio::time::{Instant, sleep};

use super::mq_consumer_inner::MQConsumerInner;
use crate::consumer::dispatch::Pool;
use crate::consumer::member::{Beat, Member, OwnedQueue, Ownership, Stage, Trouble};
use crate::consumer::offsets::remote;
use crate::consumer::pull::{PullRefusal, Refusal, final_refusal};
use crate::consumer::watch::{ConsumerEvent, Glance, StallChange, StallWatch};
use crate::error::MQClientError;
use crate::waiting;

/// One look at everything, however many queues there are.
const EVERY: Duration = Duration::from_secs(1);
/// When the other masters are asked again whether they refuse this consumer, too.
const CONFIRM_AGAIN: Duration = Duration::from_secs(10);

/// Looks at a running consumer from outside, once a second: for queues that do not move, handlers that block their thread,
/// messages that nothing reads, and refusals that no broker takes back.
pub(super) struct Watchman {
    pub(super) consumer: Weak<MQConsumerInner>,
    pub(super) member: Arc<Member>,
    pub(super) pool: Option<Arc<Pool>>,
}

impl Watchman {
    pub(crate) async fn keep_watch(self) {
        let mut stalls = StallWatch::default();
        let mut confirm_at = Instant::now();
        loop {
            sleep(EVERY).await;
            let (member, now) = (&self.member, Instant::now());
            member.pulse.beat(Beat::Watch);
            member.agenda.ring();
            member.ready.nudge();
            let queues = member.queues.all();
            self.look_for_reader(&queues, now);
            if let Some(pool) = &self.pool {
                pool.look_at_handlers(now);
            }
            self.look_for_stalls(&mut stalls, &queues, now);
            member.troubles.keep_brokers(|name| queues.iter().any(|owned| owned.queue.broker_name() == name));
            let refusals = queues.iter().map(|owned| owned.lock().refusal.clone());
            if let Some(refusal) = final_refusal(refusals).filter(|_| now >= confirm_at) {
                confirm_at = now + CONFIRM_AGAIN;
                if self.all_masters_refuse(&queues).await
                    && let Some(consumer) = self.consumer.upgrade()
                {
                    return consumer.end_by_itself(reason(member, &refusal, &queues));
                }
            }
        }
    }

    /// Tells of messages that nothing reads.
    fn look_for_reader(&self, queues: &[Arc<OwnedQueue>], now: Instant) {
        let member = &self.member;
        let (mut waiting, mut in_hand) = (0, 0);
        for owned in queues {
            let state = owned.lock();
            in_hand += state.in_hand();
            // A pause is the user's own wish.
            if !state.paused && !member.ready.is_suspended() {
                waiting += state.window.as_ref().map_or(0, |window| window.count());
            }
        }
        let unread = match &self.pool {
            Some(pool) => pool.unread(),
            // The user of a pull consumer works on the messages of the last poll.
            None if in_hand > 0 => None,
            None => Some(member.polls_begun.load(Ordering::Relaxed)),
        };
        let told = member.unread().look(now, unread.filter(|_| waiting > 0));
        if let Some(waiting_for) = told {
            let group = member.events.group();
            member.events.emit(ConsumerEvent::NobodyReads { group, waiting, waiting_for });
        }
    }

    /// Restarts the queues that make no progress.
    fn look_for_stalls(&self, stalls: &mut StallWatch, queues: &[Arc<OwnedQueue>], now: Instant) {
        let member = &self.member;
        let busy: usize = queues.iter().map(|owned| owned.lock().in_hand()).sum();
        let is_free = self.pool.as_ref().is_some_and(|pool| pool.is_free(busy));
        stalls.retain(|queue| queues.binary_search_by(|owned| owned.queue.cmp(queue)).is_ok());
        for owned in queues {
            let Some((glance, broker_max)) = glance(member, owned, &owned.lock(), is_free, now) else {
                continue;
            };
            let (group, queue) = (member.events.group(), owned.queue.clone());
            match stalls.look(now, &owned.queue, glance) {
                Some(StallChange::Ask) => {
                    let (member, owned) = (member.clone(), owned.clone());
                    self.member.tasks.spawn(async move {
                        if let Some(bounds) = remote::bounds(&member, &owned.queue).await {
                            owned.lock().broker_max = Some(bounds.max);
                        }
                    });
                }
                Some(StallChange::Stalled(stalled_for)) => {
                    member.restart(owned);
                    let pulled = glance.at.0;
                    let stalled =
                        ConsumerEvent::QueueStalled { group, queue, stalled_for, pulled, broker_max };
                    member.events.emit(stalled);
                }
                Some(StallChange::Healed(after)) => {
                    member.events.emit(ConsumerEvent::QueueHealed { group, queue, after });
                }
                None => {}
            }
        }
    }

    /// Whether the masters of the subscribed topics that this consumer reads nothing from refuse it, too. A master that does not
    /// answer refuses nothing.
    async fn all_masters_refuse(&self, queues: &[Arc<OwnedQueue>]) -> bool {
        let member = &self.member;
        let mut asked = Vec::new();
        for subscribed in member.all_subscribed() {
            let Some(view) = member.view(&subscribed.topic).filter(|_| !subscribed.is_retry) else {
                continue;
            };
            for queue in view.queues() {
                let broker = queue.broker_name();
                let is_read = queues.iter().any(|owned| owned.queue.broker_name() == broker);
                if is_read
                    || asked.iter().any(|(_, header): &(_, PullMessageRequestHeader)| {
                        header.broker_name.as_deref() == Some(broker)
                    })
                {
                    continue;
                }
                let Some(master) = view.server(broker, 0).cloned() else { return false };
                // It asks for the permission, and takes what comes with it for nothing.
                let header = PullMessageRequestHeader {
                    consumer_group: (&**member.group()).into(),
                    topic: queue.topic().into(),
                    queue_id: queue.queue_id(),
                    max_msg_nums: 1,
                    sub_version: subscribed.subscription.data().sub_version,
                    broker_name: Some(broker.into()),
                    ..PullMessageRequestHeader::default()
                };
                asked.push((master, header));
            }
        }
        let asking = member.instance.api().asking();
        let answers =
            waiting::all(asked.iter().map(|(master, header)| asking.pull_message(master, header))).await;
        answers.iter().all(|answer| {
            answer.as_ref().is_err_and(|error| PullRefusal::of(error.response_code()).is_some())
        })
    }
}

/// The finding of a look at a queue, and the end of the queue; `None` while its position is unknown.
fn glance(
    member: &Member,
    owned: &OwnedQueue,
    state: &Ownership,
    is_free: bool,
    now: Instant,
) -> Option<(Glance, i64)> {
    // A broker does not say how much more it has to pop.
    let window = state.window.as_ref().filter(|_| !owned.is_pop)?;
    let at = (window.next_pull(), window.lowest_unfinished());
    let broker_max = state.broker_max.unwrap_or(at.0);
    let silent_for = now.saturating_duration_since(state.since);
    let waits = |order: &crate::consumer::lock::QueueOrder| !order.may_start(now);
    let excused = state.paused
        || member.ready.is_suspended()
        || !matches!(state.stage, Stage::Idle | Stage::Pulling)
        || state.order.as_ref().is_some_and(waits)
        || state.refusal.is_some()
        || state.lost.is_some()
        || state.in_hand() > 0
        || silent_for < member.settings.pull_interval
        || member.troubles.has(&Trouble::Topic(owned.queue.shared_topic().clone()));
    let behind = broker_max > at.0 || (is_free && window.waiting() > 0);
    Some((Glance { at, behind, excused, silent_for }, broker_max))
}

/// The error that a consumer ends with.
fn reason(member: &Member, refusal: &Refusal, queues: &[Arc<OwnedQueue>]) -> MQClientError {
    let broker = queues.last().map_or_else(|| "".into(), |owned| owned.queue.shared_broker_name().clone());
    MQClientError::refused(broker, refusal.why.code(), &refusal.remark).of_group(member.group())
}
