use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use rocketmq_common::MessageQueue;
use rocketmq_remoting::net::TaskOwner;
use rocketmq_remoting::protocol::body::{ConsumerData, SubscriptionData};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::queues::Queues;
use super::troubles::Troubles;
use super::{Acks, Agenda, OwnedQueue, Ownership, Pace, Pulse, Ready, Retries, Settings, Subscribed};
use crate::clock::now_ms;
use crate::consumer::offsets::{CommitTable, LocalOffsets};
use crate::consumer::pop::pop_retry_topic;
use crate::consumer::position::GroupHistory;
use crate::consumer::retry::Company;
use crate::consumer::watch::{ConsumerRecorder, EventSender, UnreadWatch};
use crate::consumer::window::Generations;
use crate::error::MQClientError;
use crate::factory::{MQClientInstance, Membership, TopicSubscribeInfo};

/// A running consumer: what its drivers share.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) settings: Settings,
    pub(crate) instance: Arc<MQClientInstance>,
    /// The tasks that end with this consumer, while the instance may go on.
    pub(crate) tasks: TaskOwner,
    /// The group as heartbeats describe it, without its subscriptions.
    pub(crate) data: ConsumerData,
    /// When it was made, in ms since 1970.
    pub(crate) started_ms: i64,
    /// When its start returned: messages that are sent from then on are its messages, wherever a queue starts.
    pub(crate) open_since: OnceLock<i64>,
    pub(crate) queues: Queues,
    pub(crate) subscriptions: RwLock<BTreeMap<Arc<str>, Arc<Subscribed>>>,
    /// The queues that the user named, in place of a share of each topic.
    assigned: RwLock<Option<BTreeSet<MessageQueue>>>,
    pub(crate) generations: Generations,
    /// Bytes of memory that cached messages pin.
    pub(crate) cached_bytes: AtomicU64,
    /// Queues that wait for the budget of the consumer.
    pub(crate) budget_waits: AtomicUsize,
    pub(crate) agenda: Agenda,
    pub(crate) ready: Ready,
    /// For a consumer with a rate limit.
    pub(crate) pace: Option<Pace>,
    pub(crate) events: Arc<EventSender>,
    pub(crate) recorder: ConsumerRecorder,
    /// How often brokers have said (40) since the last rebalance that the members changed.
    pub(crate) notices: AtomicUsize,
    /// Asks for a rebalance.
    pub(crate) rebalance: Notify,
    /// Asks for a look at what the other members subscribe to.
    pub(crate) look_wanted: Notify,
    /// Asks for a look at the locks.
    pub(crate) lock_wanted: Notify,
    pub(crate) retries: Retries,
    pub(crate) acks: Acks,
    /// Told when messages were popped.
    pub(crate) popped: Notify,
    /// Membership of the group; its heartbeats follow the subscriptions, once it has joined.
    pub(crate) membership: OnceLock<Weak<Membership>>,
    pub(crate) troubles: Troubles,
    pub(crate) pulse: Pulse,
    /// How often the user of a pull consumer has polled.
    pub(crate) polls_begun: AtomicU64,
    unread: Mutex<UnreadWatch>,
    /// Where a broadcast consumer keeps its offsets; brokers keep them otherwise.
    pub(crate) local: Option<LocalOffsets>,
    commits: Mutex<CommitTable>,
    company: Mutex<Company>,
    /// Whether the group had consumed each topic before this member joined it.
    histories: Mutex<FxHashMap<Arc<str>, GroupHistory>>,
    /// Where queues ended when this member joined its new group: later messages are delivered, whichever member takes the queue
    /// first.
    ends: Mutex<FxHashMap<MessageQueue, i64>>,
    /// The routes of topics as they were at this version.
    views: Mutex<Views>,
}

/// Routes as consumers see them.
#[derive(Debug, Default)]
struct Views {
    version: u64,
    topics: FxHashMap<Arc<str>, Arc<TopicSubscribeInfo>>,
    /// The last known address of the master of each broker.
    masters: FxHashMap<Arc<str>, Arc<str>>,
}

impl Member {
    pub(crate) fn new(
        settings: Settings,
        instance: Arc<MQClientInstance>,
        data: ConsumerData,
        events: Arc<EventSender>,
        local: Option<LocalOffsets>,
    ) -> Self {
        let recorder = ConsumerRecorder::new(&settings.group);
        Self {
            tasks: instance.more_tasks(),
            pace: settings.rate_limit.map(|limit| Pace::new(limit, Instant::now())),
            settings,
            instance,
            data,
            started_ms: now_ms(),
            open_since: OnceLock::new(),
            queues: Queues::default(),
            subscriptions: RwLock::default(),
            assigned: RwLock::default(),
            generations: Generations::default(),
            cached_bytes: AtomicU64::new(0),
            budget_waits: AtomicUsize::new(0),
            agenda: Agenda::default(),
            ready: Ready::default(),
            events,
            recorder,
            notices: AtomicUsize::new(0),
            rebalance: Notify::new(),
            look_wanted: Notify::new(),
            lock_wanted: Notify::new(),
            retries: Retries::default(),
            acks: Acks::default(),
            popped: Notify::new(),
            membership: OnceLock::new(),
            troubles: Troubles::default(),
            pulse: Pulse::default(),
            polls_begun: AtomicU64::new(0),
            unread: Mutex::default(),
            local,
            commits: Mutex::default(),
            company: Mutex::default(),
            histories: Mutex::default(),
            ends: Mutex::default(),
            views: Mutex::default(),
        }
    }

    pub(crate) fn group(&self) -> &Arc<str> {
        &self.settings.group
    }

    /// The commits. No other lock is taken while this one is held.
    pub(crate) fn commits(&self) -> MutexGuard<'_, CommitTable> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether messages wait and nothing reads them.
    pub(crate) fn unread(&self) -> MutexGuard<'_, UnreadWatch> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The company of this member in its group.
    pub(crate) fn company(&self) -> MutexGuard<'_, Company> {
        self.company.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribed(&self, topic: &str) -> Option<Arc<Subscribed>> {
        self.subscriptions.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    pub(crate) fn all_subscribed(&self) -> Vec<Arc<Subscribed>> {
        self.subscriptions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes a subscription in place of an earlier subscription to the topic, with a higher version. Brokers keep the subscription with
    /// the highest version, and a version that came from the clock alone may be equal or lower: within a millisecond, or after a
    /// correction of the clock.
    pub(crate) fn set_subscribed(&self, mut subscribed: Subscribed) {
        let mut subscriptions = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = subscriptions.get(&subscribed.topic) {
            subscribed.subscription.come_after(&before.subscription);
        }
        subscriptions.insert(subscribed.topic.clone(), Arc::new(subscribed));
    }

    pub(crate) fn remove_subscribed(&self, topic: &str) -> bool {
        self.histories().remove(topic);
        self.ends().retain(|queue, _| queue.topic() != topic);
        self.subscriptions.write().unwrap_or_else(PoisonError::into_inner).remove(topic).is_some()
    }

    /// Takes the queues that the user named.
    pub(crate) fn assign(&self, queues: BTreeSet<MessageQueue>) {
        *self.assigned.write().unwrap_or_else(PoisonError::into_inner) = Some(queues);
    }

    /// The queues of a topic that the user named; `None` if the group shares the topic.
    pub(crate) fn assigned(&self, topic: &str) -> Option<Vec<MessageQueue>> {
        let assigned = self.assigned.read().unwrap_or_else(PoisonError::into_inner);
        Some(assigned.as_ref()?.iter().filter(|queue| queue.topic() == topic).cloned().collect())
    }

    /// Whether the group had consumed a topic before; `None` while that is unknown.
    pub(crate) fn history(&self, topic: &str) -> Option<GroupHistory> {
        self.histories().get(topic).copied()
    }

    /// Keeps the first history of a topic that is known. Returns the history that counts.
    pub(crate) fn keep_history(&self, topic: &Arc<str>, history: GroupHistory) -> GroupHistory {
        if history == GroupHistory::Unknown {
            return history;
        }
        *self.histories().entry(topic.clone()).or_insert(history)
    }

    /// Where queues ended when this member joined its new group.
    pub(crate) fn ends(&self) -> MutexGuard<'_, FxHashMap<MessageQueue, i64>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn histories(&self) -> MutexGuard<'_, FxHashMap<Arc<str>, GroupHistory>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group as heartbeats describe it.
    pub(crate) fn consumer_data(&self) -> ConsumerData {
        let subscriptions: Vec<SubscriptionData> =
            self.all_subscribed().iter().map(|subscribed| subscribed.subscription.data().clone()).collect();
        ConsumerData { subscription_data_set: subscriptions, ..self.data.clone() }
    }

    /// Tells the metrics how much is cached, and how many messages the brokers have beyond the finished ones.
    pub(crate) fn note_gauges(&self) {
        let (mut count, mut lag) = (0, 0_i64);
        for owned in self.queues.all() {
            let state = owned.lock();
            let Some(window) = &state.window else { continue };
            count += window.count() as u64;
            let behind = |max: i64| max.saturating_sub(window.lowest_unfinished()).max(0);
            lag = state.broker_max.map_or(0, behind).saturating_add(lag);
        }
        self.recorder.looked(count, self.cached_bytes.load(Ordering::Relaxed), lag);
    }

    /// The queues of a topic and the servers that have them, if the route is known.
    pub(crate) fn view(&self, topic: &str) -> Option<Arc<TopicSubscribeInfo>> {
        let version = self.instance.routes_version();
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.version != version {
            views.version = version;
            views.topics.clear();
        }
        if let Some(view) = views.topics.get(topic) {
            return Some(view.clone());
        }
        let view = Arc::new(self.instance.known_subscribe_info(topic)?);
        let masters =
            view.brokers().filter_map(|broker| Some((broker.clone(), view.server(broker, 0)?.clone())));
        views.masters.extend(masters);
        views.topics.insert(topic.into(), view.clone());
        Some(view)
    }

    /// Where to dial the master of a queue. A broker that the route lacks keeps its last address while its queues are kept.
    pub(crate) fn master(&self, queue: &MessageQueue) -> Option<Arc<str>> {
        let (view, broker) = (self.view(queue.topic())?, queue.broker_name());
        if view.reader(broker).is_some() {
            return view.server(broker, 0).cloned();
        }
        self.views.lock().unwrap_or_else(PoisonError::into_inner).masters.get(broker).cloned()
    }

    /// Whether the master has another connection than the last pull went out on: while this member was away, another may have
    /// taken the queue and committed more.
    pub(crate) fn was_away(&self, owned: &OwnedQueue, state: &Ownership) -> bool {
        let last = state.last_connection.filter(|_| state.read_from == 0 && !state.commit_first);
        last.is_some_and(|last| {
            let master = self.master(&owned.queue);
            let now = master.and_then(|master| self.instance.api().remoting().connection(&master));
            now.is_some_and(|now| now.id() != last)
        })
    }

    /// Where to dial the master of a queue.
    ///
    /// # Errors
    /// `NoMaster`.
    pub(crate) fn known_master(&self, queue: &MessageQueue) -> Result<Arc<str>, MQClientError> {
        self.master(queue)
            .ok_or_else(|| MQClientError::NoMaster { broker: queue.shared_broker_name().clone() })
    }

    /// Has popped messages ended whose time was over before a handler took them.
    pub(crate) fn note_lapsed(&self, state: &Ownership) {
        if !state.lapsed.is_empty() {
            self.popped.notify_one();
        }
    }

    /// Asks for a rebalance soon.
    pub(crate) fn want_rebalance(&self) {
        self.rebalance.notify_one();
    }

    /// The topic of messages that this group popped and did not acknowledge in time.
    pub(crate) fn popped_topic<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(&*pop_retry_topic("", self.group()))
    }

    /// Tells the brokers, with the next heartbeat, what this member subscribes to now.
    pub(crate) fn tell_subscriptions(&self) {
        if let Some(membership) = self.membership.get().and_then(Weak::upgrade) {
            membership.subscribe(self.consumer_data());
        }
    }

    /// The topic as the user names it.
    pub(crate) fn plain_topic<'a>(&self, topic: &'a str) -> std::borrow::Cow<'a, str> {
        match &self.settings.namespace {
            Some(namespace) => rocketmq_common::namespace::without_namespace(topic, namespace),
            None => topic.into(),
        }
    }
}
