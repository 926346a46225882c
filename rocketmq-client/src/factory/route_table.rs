use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rocketmq_common::{MessageQueue, PermName, mix_all};
use rocketmq_remoting::protocol::body::TopicRouteData;
use rustc_hash::FxHashMap;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};

use crate::conf::AddressTranslator;
use crate::error::MQClientError;
use crate::mq_client_api::MQClientApi;
use crate::name_servers::NoAnswer;

/// Unread changes per reader; a slower reader loses the oldest, and is told how many.
const UNREAD_CHANGES: usize = 64;

/// The routes of the topics that this client uses, unchanged from the NameServers. Producers and consumers use views of
/// them: [`PublishRoutes`](super::PublishRoutes), [`TopicSubscribeInfo`](super::TopicSubscribeInfo).
///
/// One look-up of a topic serves all callers that need it. A known route stays until another one is found: a NameServer
/// that is down, or has just restarted and knows nothing yet, stops no send.
#[derive(Debug)]
pub(crate) struct RouteTable {
    api: Arc<MQClientApi>,
    translator: Option<AddressTranslator>,
    topics: RwLock<FxHashMap<Arc<str>, Arc<TopicRoute>>>,
    /// Grows whenever a route changes.
    version: AtomicU64,
    changes: broadcast::Sender<Arc<str>>,
    lookups: Mutex<Lookups>,
}

/// The look-ups in progress.
type Lookups = HashMap<(Arc<str>, Missing), Arc<Lookup>>;

/// The route of one topic. A snapshot: a change makes a new one.
#[derive(Debug)]
pub(crate) struct TopicRoute {
    /// The NameServer that gave it.
    pub(crate) name_server: Arc<str>,
    /// The NameServer whose equal answer came last, and when.
    confirmed: Mutex<(Arc<str>, Instant)>,
    pub(crate) data: TopicRouteData,
    /// The topic does not exist yet, and this is the route of the template topic. Only producers use it.
    pub(crate) is_template: bool,
}

/// How to treat a topic without a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Missing {
    /// Use the route of the template topic: a first send creates the topic from it.
    TakeTemplate,
    /// Fail: consumers cannot create topics.
    IsError,
}

/// The look-up of one topic: the caller with the lock asks, and its result serves the callers that waited for the lock.
type Lookup = tokio::sync::Mutex<Looked>;

#[derive(Debug, Default)]
struct Looked {
    /// Why no route was found.
    no_route: Option<Arc<NoAnswer>>,
    /// When the last look-up of a known route began.
    at: Option<Instant>,
}

impl TopicRoute {
    pub(crate) fn new(name_server: Arc<str>, data: TopicRouteData, is_template: bool) -> Self {
        let confirmed = Mutex::new((name_server.clone(), Instant::now()));
        Self { name_server, confirmed, data, is_template }
    }

    /// The NameServer that gave this route last, and when.
    pub(crate) fn confirmed(&self) -> (Arc<str>, Instant) {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RouteTable {
    pub(crate) fn new(api: Arc<MQClientApi>, translator: Option<AddressTranslator>) -> Self {
        let (changes, _) = broadcast::channel(UNREAD_CHANGES);
        let (topics, lookups, version) = (RwLock::default(), Mutex::default(), AtomicU64::new(0));
        Self { api, translator, topics, version, changes, lookups }
    }

    pub(crate) fn translator(&self) -> Option<&AddressTranslator> {
        self.translator.as_ref()
    }

    /// Changes whenever any route changes. Read it before a route: a change in between is then noticed.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The topics whose routes change from now on. A slow reader loses the oldest and is told how many.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.subscribe()
    }

    /// The topic's shared name and its route, if the route is known.
    pub(super) fn get(&self, topic: &str) -> Option<(Arc<str>, Arc<TopicRoute>)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get_key_value(topic).map(|(topic, route)| (topic.clone(), route.clone()))
    }

    /// Looks a route up until `usable` returns a value for it. Dropping the future gives up the look-up; the next
    /// caller starts a new one.
    pub(super) async fn find<T>(
        &self,
        topic: &str,
        missing: Missing,
        timeout: Duration,
        deadline: Instant,
        usable: impl Fn() -> Option<T>,
    ) -> Result<T, MQClientError> {
        let lookup = self.lookup(topic, missing);
        let timed_out = |_| MQClientError::TimedOut {
            timeout,
            waited_for: "the route of the topic",
            context: Box::default(),
        };
        // A caller that waits for the lock shares the result of the look-up before it, even a failure.
        let (mut outcome, waited) = match lookup.try_lock() {
            Ok(outcome) => (outcome, false),
            Err(_) => (timeout_at(deadline, lookup.lock()).await.map_err(timed_out)?, true),
        };
        // Another caller may have found the route while this one waited for the lock.
        if let Some(found) = usable() {
            return Ok(found);
        }
        if let Some(no_route) = outcome.no_route.as_ref().filter(|_| waited) {
            return Err(not_found(topic, no_route));
        }
        outcome.no_route = None;
        let result = match self.look_up(topic, missing, deadline).await {
            Ok(route) => {
                self.learn(topic, route);
                usable().ok_or_else(|| no_usable_queue(topic))
            }
            Err(no_route) => {
                let error = not_found(topic, &no_route);
                outcome.no_route = Some(Arc::new(no_route));
                Err(error)
            }
        };
        self.forget_lookup(topic, missing);
        result
    }

    /// Looks every known topic up again.
    pub(crate) async fn refresh(&self, timeout: Duration) {
        let topics: Vec<Arc<str>> =
            self.topics.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for topic in topics {
            self.look_again(&topic, Instant::now() + timeout).await;
        }
    }

    /// Looks a known topic up again, unless a look-up began after `since`. Returns at the deadline at the latest.
    pub(crate) async fn refresh_since(&self, topic: &str, since: Instant, deadline: Instant) {
        let lookup = self.lookup(topic, Missing::TakeTemplate);
        let Ok(mut looked) = timeout_at(deadline, lookup.lock()).await else { return };
        if looked.at.is_none_or(|at| at < since) {
            let began = Instant::now();
            if timeout_at(deadline, self.look_again(topic, deadline)).await.is_ok() {
                looked.at = Some(began);
            }
            self.forget_lookup(topic, Missing::TakeTemplate);
        }
    }

    async fn look_again(&self, topic: &str, deadline: Instant) {
        match self.api.topic_route_and_source(topic, deadline).await {
            Ok((name_server, data)) => self.learn(topic, TopicRoute::new(name_server, data, false)),
            Err(no_route) => {
                tracing::debug!(%topic, answers = ?no_route.answers, "route not refreshed, the old one stays");
            }
        }
    }

    /// Any writable queue of a broker, with the address of the broker's master.
    pub(crate) fn a_queue_of(&self, broker: &str) -> Option<(MessageQueue, Arc<str>)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().filter(|(_, route)| !route.is_template).find_map(|(topic, route)| {
            let data = &route.data;
            let mut queues = data.queue_datas.iter().filter(|queues| queues.broker_name == broker);
            queues.find(|queues| PermName(queues.perm).is_writable() && queues.write_queue_nums > 0)?;
            let servers = data.broker_datas.iter().find(|data| data.broker_name == broker)?;
            let master = servers.broker_addrs.get(&mix_all::MASTER_ID)?;
            Some((MessageQueue::new(topic.clone(), broker, 0), self.dial_address(master)))
        })
    }

    /// The addresses to dial for the masters of all known routes, and for their slaves if wanted; without duplicates.
    pub(crate) fn servers(&self, with_slaves: bool) -> Vec<Arc<str>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let brokers = topics.values().flat_map(|route| &route.data.broker_datas);
        let addresses = brokers.flat_map(|broker| &broker.broker_addrs);
        let wanted = addresses.filter(|(id, _)| with_slaves || **id == mix_all::MASTER_ID);
        let mut advertised: Vec<&str> = wanted.map(|(_, address)| address.as_str()).collect();
        advertised.sort_unstable();
        advertised.dedup();
        let mut servers: Vec<_> = advertised.into_iter().map(|address| self.dial_address(address)).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// The address to dial for an advertised address.
    pub(crate) fn dial_address(&self, advertised: &str) -> Arc<str> {
        AddressTranslator::dial_address(self.translator(), advertised)
    }

    /// Stores a route, and announces it if it differs from the known one. A template replaces no existing route.
    pub(super) fn learn(&self, topic: &str, route: TopicRoute) {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let known = topics.get_key_value(topic);
        let unchanged = |known: &TopicRoute| {
            // An equal route keeps its snapshot, and with it the views, templates and connections of all producers.
            let same = known.is_template == route.is_template && known.data == route.data;
            same || (route.is_template && !known.is_template)
        };
        if let Some((_, known)) = known
            && unchanged(known)
        {
            if known.data == route.data {
                *known.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = route.confirmed();
            }
            return;
        }
        if known.is_some() {
            tracing::info!(topic, "route changed");
        }
        let topic: Arc<str> = known.map_or_else(|| topic.into(), |(topic, _)| topic.clone());
        topics.insert(topic.clone(), Arc::new(route));
        // After the insert: a reader that sees the new version finds the new route.
        self.version.fetch_add(1, Ordering::Release);
        drop(topics);
        // An error only means that there is no listener.
        let _ = self.changes.send(topic);
    }

    fn lookup(&self, topic: &str, missing: Missing) -> Arc<Lookup> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.entry((topic.into(), missing)).or_default().clone()
    }

    fn forget_lookup(&self, topic: &str, missing: Missing) {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.remove(&(Arc::from(topic), missing));
    }

    /// The topic's own route; without it, the template topic's.
    async fn look_up(
        &self,
        topic: &str,
        missing: Missing,
        deadline: Instant,
    ) -> Result<TopicRoute, NoAnswer> {
        let mut no_route = match self.api.topic_route_and_source(topic, deadline).await {
            Ok((name_server, data)) => return Ok(TopicRoute::new(name_server, data, false)),
            Err(no_route) => no_route,
        };
        // Without a clear "no" the topic may exist: a template route would then be wrong.
        if !no_route.is_no || missing == Missing::IsError {
            return Err(no_route);
        }
        let template = mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC;
        match self.api.topic_route_and_source(template, deadline).await {
            Ok((name_server, data)) => Ok(TopicRoute::new(name_server, data, true)),
            Err(no_template) => {
                // A clear "no" only says that brokers create no topics, which the hint of the error covers.
                if !no_template.is_no {
                    no_route.answers.extend(no_template.answers);
                }
                Err(no_route)
            }
        }
    }
}

fn not_found(topic: &str, no_route: &NoAnswer) -> MQClientError {
    let (answers, context) = (no_route.answers.clone().into_boxed_slice(), Box::default());
    if !no_route.is_no {
        return MQClientError::NameServerUnreachable { answers, context };
    }
    MQClientError::BrokerNotFound {
        topic: topic.into(),
        answers,
        hint: "create it with mqadmin updateTopic, or let the brokers create topics on the first send \
               (autoCreateTopicEnable)",
        context,
    }
}

fn no_usable_queue(topic: &str) -> MQClientError {
    MQClientError::BrokerNotFound {
        topic: topic.into(),
        answers: Box::default(),
        hint: "it has a route, but no writable queue on a broker with a master: check its permissions \
               and that its brokers are up",
        context: Box::default(),
    }
}
