use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use rocketmq_common::{MessageQueue, mix_all};
use rocketmq_remoting::protocol::body::TopicRouteData;
use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::time::{Instant, timeout_at};

use super::TopicPublishInfo;
use crate::conf::AddressTranslator;
use crate::error::MQClientError;
use crate::mq_client_api::MQClientApi;
use crate::name_servers::NoAnswer;

/// The routes of the topics that this client sends to.
///
/// A lookup runs once for all callers that need the same topic. A route that was found stays until a better
/// one is found: a NameServer that is down, or has just restarted and knows nothing yet, stops no send.
#[derive(Debug)]
pub(crate) struct RouteTable {
    api: Arc<MQClientApi>,
    translator: Option<AddressTranslator>,
    default_topic_queue_nums: u32,
    topics: RwLock<FxHashMap<Arc<str>, Arc<TopicPublishInfo>>>,
    /// Another number whenever the topics change, which no other table has.
    version: AtomicU64,
    lookups: Mutex<HashMap<Arc<str>, Arc<Lookup>>>,
}

/// A route that this thread asked for: a lock, if only for reading, is one for all threads.
struct Seen {
    version: u64,
    topic: Arc<str>,
    route: Weak<TopicPublishInfo>,
}

/// Most threads send to few topics.
const SEEN: usize = 8;

thread_local! {
    /// Each at a place that follows from its topic.
    static ROUTES: RefCell<[Option<Seen>; SEEN]> = const { RefCell::new([const { None }; SEEN]) };
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The lookup of one topic: whoever holds the lock asks; what it learned is there for those who waited.
type Lookup = tokio::sync::Mutex<Looked>;

#[derive(Debug, Default)]
struct Looked {
    /// Why nothing was found.
    no_route: Option<Arc<NoAnswer>>,
    /// When the last look at a known route began.
    at: Option<Instant>,
}

impl RouteTable {
    pub(crate) fn new(
        api: Arc<MQClientApi>,
        translator: Option<AddressTranslator>,
        default_topic_queue_nums: u32,
    ) -> Self {
        let (topics, lookups) = (RwLock::default(), Mutex::default());
        let version = AtomicU64::new(next_version());
        Self { api, translator, default_topic_queue_nums, topics, version, lookups }
    }

    /// The route of a topic, if it is known and has a queue.
    pub(crate) fn known(&self, topic: &str) -> Option<Arc<TopicPublishInfo>> {
        self.get(topic).filter(|info| !info.is_empty())
    }

    /// The route of a topic, looked up if need be. It has at least one queue. Dropping the future gives the
    /// lookup up, and the next caller begins anew.
    pub(crate) async fn find(
        &self,
        topic: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        if let Some(info) = self.known(topic) {
            return Ok(info);
        }
        let lookup = self.lookup(topic);
        let timed_out = |_| MQClientError::TimedOut {
            timeout,
            waited_for: "the route of the topic",
            context: Box::default(),
        };
        // Whoever has to wait here shares the outcome of the lookup that it waited for, a failure too.
        let (mut outcome, waited) = match lookup.try_lock() {
            Ok(outcome) => (outcome, false),
            Err(_) => (timeout_at(deadline, lookup.lock()).await.map_err(timed_out)?, true),
        };
        if let Some(info) = self.known(topic) {
            return Ok(info);
        }
        if let Some(no_route) = outcome.no_route.as_ref().filter(|_| waited) {
            return Err(not_found(topic, no_route));
        }
        outcome.no_route = None;
        let found = self.look_up(topic, deadline).await;
        let result = match found {
            Ok(info) => self.put(topic, info),
            Err(no_route) => {
                let error = not_found(topic, &no_route);
                outcome.no_route = Some(Arc::new(no_route));
                Err(error)
            }
        };
        self.forget_lookup(topic);
        result
    }

    /// Fetches the route of every known topic again.
    pub(crate) async fn refresh(&self, timeout: Duration) {
        let topics: Vec<Arc<str>> =
            self.topics.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for topic in topics {
            self.look_again(&topic, Instant::now() + timeout).await;
        }
    }

    /// Fetches a known route again, unless somebody did who began after `since`. Returns at the deadline at the latest.
    pub(crate) async fn refresh_since(&self, topic: &str, since: Instant, deadline: Instant) {
        let lookup = self.lookup(topic);
        let Ok(mut looked) = timeout_at(deadline, lookup.lock()).await else { return };
        if looked.at.is_none_or(|at| at < since) {
            let began = Instant::now();
            if timeout_at(deadline, self.look_again(topic, deadline)).await.is_ok() {
                looked.at = Some(began);
            }
            self.forget_lookup(topic);
        }
    }

    async fn look_again(&self, topic: &str, deadline: Instant) {
        match self.api.topic_route_and_source(topic, deadline).await {
            Ok((name_server, route)) => self.update(topic, name_server, route),
            Err(no_route) => {
                tracing::debug!(%topic, answers = ?no_route.answers, "route not refreshed, the old one stays");
            }
        }
    }

    /// Any queue of a broker, and the broker's address.
    pub(crate) fn a_queue_of(&self, broker: &str) -> Option<(MessageQueue, Arc<str>)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let choice = topics.values().filter(|info| !info.is_template()).find_map(|info| info.find(broker, 0));
        choice.map(|choice| (choice.queue.clone(), choice.address.clone()))
    }

    /// The addresses of the masters of all known routes, each once.
    pub(crate) fn masters(&self) -> Vec<Arc<str>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let mut masters: Vec<Arc<str>> = topics.values().flat_map(|info| info.masters().cloned()).collect();
        masters.sort_unstable();
        masters.dedup();
        masters
    }

    /// Where to dial a broker that advertises this address.
    pub(crate) fn dial_address(&self, advertised: &str) -> Arc<str> {
        let translated = self.translator.as_ref().and_then(|translator| translator.translate(advertised));
        translated.map_or_else(|| Arc::from(advertised), Arc::from)
    }

    fn get(&self, topic: &str) -> Option<Arc<TopicPublishInfo>> {
        // Looked at before the topics: what changes in between has another version.
        let version = self.version.load(Ordering::Acquire);
        let find = |seen: Option<&mut Option<Seen>>| {
            let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
            let (topic, route) = topics.get_key_value(topic)?;
            if let Some(seen) = seen {
                *seen = Some(Seen { version, topic: topic.clone(), route: Arc::downgrade(route) });
            }
            Some(route.clone())
        };
        let found = ROUTES.try_with(|routes| {
            let place = FxBuildHasher.hash_one(topic) as usize % SEEN;
            match &mut routes.borrow_mut()[place] {
                Some(seen) if seen.version == version && *seen.topic == *topic => seen.route.upgrade(),
                seen => find(Some(seen)),
            }
        });
        // A thread that is about to end remembers nothing.
        found.unwrap_or_else(|_| find(None))
    }

    fn insert(&self, topic: &str, info: Arc<TopicPublishInfo>) {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.insert(topic.into(), info);
        self.version.store(next_version(), Ordering::Release);
    }

    fn lookup(&self, topic: &str) -> Arc<Lookup> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.entry(topic.into()).or_default().clone()
    }

    fn forget_lookup(&self, topic: &str) {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// The topic's own route, or that of the template topic if it does not exist yet.
    async fn look_up(&self, topic: &str, deadline: Instant) -> Result<TopicPublishInfo, NoAnswer> {
        let translator = self.translator.as_ref();
        let mut no_route = match self.api.topic_route_and_source(topic, deadline).await {
            Ok((name_server, route)) => {
                return Ok(TopicPublishInfo::of_topic(topic, route, translator).told_by(name_server));
            }
            Err(no_route) => no_route,
        };
        if !no_route.is_no {
            return Err(no_route);
        }
        let template = mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC;
        match self.api.topic_route_and_source(template, deadline).await {
            Ok((name_server, route)) => {
                let queues = self.default_topic_queue_nums;
                let info = TopicPublishInfo::of_template(topic, route, queues, translator);
                Ok(info.told_by(name_server))
            }
            Err(no_template) => {
                no_route.answers.extend(no_template.answers);
                Err(no_route)
            }
        }
    }

    fn put(&self, topic: &str, info: TopicPublishInfo) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        let info = Arc::new(info);
        if info.is_empty() {
            return Err(MQClientError::BrokerNotFound {
                topic: topic.into(),
                answers: Box::default(),
                hint: "it has a route, but no writable queue on a broker with a master: check its permissions \
                       and that its brokers are up",
                context: Box::default(),
            });
        }
        self.insert(topic, info.clone());
        Ok(info)
    }

    fn update(&self, topic: &str, name_server: Arc<str>, route: TopicRouteData) {
        let unchanged = |info: &Arc<TopicPublishInfo>| !info.is_template() && *info.route() == route;
        if self.get(topic).as_ref().is_some_and(unchanged) {
            return;
        }
        let info = TopicPublishInfo::of_topic(topic, route, self.translator.as_ref()).told_by(name_server);
        tracing::info!(topic, empty = info.is_empty(), "route changed");
        self.insert(topic, Arc::new(info));
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
