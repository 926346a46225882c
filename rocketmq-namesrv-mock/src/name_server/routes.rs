//! Brokers and the topics that they announced. Java: `RouteInfoManager`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::PermName;

/// The routes of one NameServer.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    tables: Mutex<Tables>,
    /// Whether announcements of brokers are dropped.
    cut_off: AtomicBool,
}

#[derive(Debug, Default)]
struct Tables {
    /// Brokers by name.
    brokers: BTreeMap<Arc<str>, Broker>,
    /// Queues by topic, then by broker name.
    topics: HashMap<String, BTreeMap<Arc<str>, QueueData>>,
}

/// The brokers of one name that announced themselves: a master, its slaves, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) cluster: Arc<str>,
    /// `host:port` by broker id; 0 is the master.
    pub(crate) addresses: BTreeMap<i64, String>,
}

/// The queues of a topic on one broker. Java: `QueueData`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueData {
    pub(crate) read_queue_nums: i32,
    pub(crate) write_queue_nums: i32,
    pub(crate) perm: PermName,
    pub(crate) topic_sys_flag: i32,
}

/// The route of a topic: each broker with queues of it, by name.
pub(crate) type Route = Vec<(Arc<str>, Broker, QueueData)>;

impl Routes {
    /// Cuts the NameServer off from all brokers, or reconnects it.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Ordering::Relaxed);
    }

    fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Registers a broker under its name and id.
    pub(crate) fn register_broker(&self, name: &Arc<str>, cluster: &Arc<str>, id: i64, address: String) {
        if self.is_cut_off() {
            return;
        }
        let mut tables = self.lock();
        let new = || Broker { cluster: cluster.clone(), addresses: BTreeMap::new() };
        tables.brokers.entry(name.clone()).or_insert_with(new).addresses.insert(id, address);
    }

    /// Removes a broker; others of its name stay. Its topics stay known and count again when it comes back.
    pub(crate) fn unregister_broker(&self, name: &str, id: i64) {
        if self.is_cut_off() {
            return;
        }
        let mut tables = self.lock();
        if let Some(broker) = tables.brokers.get_mut(name) {
            broker.addresses.remove(&id);
            if broker.addresses.is_empty() {
                tables.brokers.remove(name);
            }
        }
    }

    /// Registers a topic of a broker.
    pub(crate) fn register_topic(&self, broker: &Arc<str>, topic: &str, queues: QueueData) {
        if self.is_cut_off() {
            return;
        }
        let mut tables = self.lock();
        match tables.topics.get_mut(topic) {
            Some(brokers) => {
                brokers.insert(broker.clone(), queues);
            }
            None => {
                tables.topics.insert(topic.to_owned(), BTreeMap::from([(broker.clone(), queues)]));
            }
        }
    }

    /// Deletes a topic, on all brokers or on the brokers of one cluster.
    pub(crate) fn delete_topic(&self, topic: &str, cluster: Option<&str>) {
        let mut tables = self.lock();
        let Tables { brokers, topics } = &mut *tables;
        let Some(cluster) = cluster else {
            topics.remove(topic);
            return;
        };
        if let Some(entries) = topics.get_mut(topic) {
            entries.retain(|name, _| brokers.get(name).is_none_or(|broker| *broker.cluster != *cluster));
            if entries.is_empty() {
                topics.remove(topic);
            }
        }
    }

    /// The route of a topic, if there is one.
    pub(crate) fn route(&self, topic: &str) -> Option<Route> {
        let tables = self.lock();
        let with_broker = |(name, queues): (&Arc<str>, &QueueData)| {
            Some((name.clone(), tables.brokers.get(name)?.clone(), *queues))
        };
        let route: Route = tables.topics.get(topic)?.iter().filter_map(with_broker).collect();
        (!route.is_empty()).then_some(route)
    }

    /// The names of all topics, sorted.
    pub(crate) fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.lock().topics.keys().cloned().collect();
        topics.sort_unstable();
        topics
    }

    /// The names of the topics whose flags match, sorted. Of several brokers the first counts.
    pub(crate) fn topics_with(&self, is_wanted: impl Fn(i32) -> bool) -> Vec<String> {
        let tables = self.lock();
        let first =
            |brokers: &BTreeMap<_, QueueData>| brokers.values().next().map(|first| first.topic_sys_flag);
        let wanted = tables.topics.iter().filter(|(_, brokers)| first(brokers).is_some_and(&is_wanted));
        let mut topics: Vec<String> = wanted.map(|(topic, _)| topic.clone()).collect();
        topics.sort_unstable();
        topics
    }

    /// The names of the topics on the brokers of a cluster, sorted.
    pub(crate) fn topics_of_cluster(&self, cluster: &str) -> Vec<String> {
        let tables = self.lock();
        let is_member = |name: &Arc<str>| tables.brokers.get(name).is_some_and(|b| *b.cluster == *cluster);
        let found = tables.topics.iter().filter(|(_, brokers)| brokers.keys().any(is_member));
        let mut topics: Vec<String> = found.map(|(topic, _)| topic.clone()).collect();
        topics.sort_unstable();
        topics
    }

    /// Changes the permissions of all topics on a broker. Returns the number of topics.
    pub(crate) fn change_perm(&self, broker: &str, change: impl Fn(PermName) -> PermName) -> usize {
        let mut tables = self.lock();
        let queues = tables.topics.values_mut().filter_map(|brokers| brokers.get_mut(broker));
        queues.map(|queues| queues.perm = change(queues.perm)).count()
    }

    /// All brokers by name.
    pub(crate) fn brokers(&self) -> BTreeMap<Arc<str>, Broker> {
        self.lock().brokers.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUES: QueueData =
        QueueData { read_queue_nums: 4, write_queue_nums: 4, perm: PermName::READ_WRITE, topic_sys_flag: 0 };

    fn register(routes: &Routes, name: &str, cluster: &str, id: i64) {
        routes.register_broker(&name.into(), &cluster.into(), id, format!("127.0.0.1:{id}"));
    }

    #[test]
    fn a_route_needs_a_topic_and_a_broker() {
        let (routes, name) = (Routes::default(), Arc::from("broker-a"));
        routes.register_topic(&name, "T", QUEUES);
        assert_eq!(routes.route("T"), None);
        register(&routes, &name, "c", 0);
        assert_eq!(routes.route("T").unwrap().len(), 1);
        assert_eq!(routes.route("S"), None);
    }

    #[test]
    fn a_route_stays_as_long_as_one_of_master_and_slaves() {
        let (routes, name) = (Routes::default(), Arc::from("broker-a"));
        routes.register_topic(&name, "T", QUEUES);
        register(&routes, &name, "c", 0);
        register(&routes, &name, "c", 1);
        routes.unregister_broker(&name, 0);
        let left = routes.route("T").unwrap().remove(0).1;
        assert_eq!(left.addresses, BTreeMap::from([(1, "127.0.0.1:1".to_owned())]));
        routes.unregister_broker(&name, 1);
        assert_eq!(routes.route("T"), None);
    }

    #[test]
    fn a_topic_is_forgotten_in_one_cluster_or_everywhere() {
        let routes = Routes::default();
        for (name, cluster) in [("a", "one"), ("b", "two")] {
            register(&routes, name, cluster, 0);
            routes.register_topic(&name.into(), "T", QUEUES);
        }
        routes.delete_topic("T", Some("one"));
        assert_eq!(routes.route("T").unwrap()[0].0, "b".into());
        assert_eq!(routes.topics(), ["T"]);
        routes.delete_topic("T", None);
        assert_eq!(routes.route("T"), None);
        assert!(routes.topics().is_empty());
    }
}
