use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::time::Instant;

use super::TopicPublishInfo;
use super::route_table::{Missing, RouteTable};
use crate::error::MQClientError;

/// One producer's view of the routes: for each topic the queues to which it can send, each with its connection and its
/// send template.
#[derive(Debug)]
pub(crate) struct PublishRoutes {
    routes: Arc<RouteTable>,
    /// The number of queues of a topic that does not exist yet.
    default_topic_queue_nums: u32,
    /// Distinguishes this producer's views from another's in a thread's memory.
    id: u64,
    views: RwLock<FxHashMap<Arc<str>, Arc<TopicPublishInfo>>>,
}

/// A view that this thread has used. It is cached per thread, because even a read lock would be shared by all threads.
struct Seen {
    id: u64,
    version: u64,
    topic: Arc<str>,
    view: Weak<TopicPublishInfo>,
}

/// Cached views per thread: most threads send to few topics.
const SEEN: usize = 8;

thread_local! {
    /// Each view at a place that its topic determines.
    static VIEWS: RefCell<[Option<Seen>; SEEN]> = const { RefCell::new([const { None }; SEEN]) };
}

impl PublishRoutes {
    pub(super) fn new(routes: Arc<RouteTable>, default_topic_queue_nums: u32) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { routes, default_topic_queue_nums, id, views: RwLock::default() }
    }

    /// The queues for messages of a topic, if its route is known and has any.
    pub(crate) fn known(&self, topic: &str) -> Option<Arc<TopicPublishInfo>> {
        self.get(topic).filter(|info| !info.is_empty())
    }

    /// The queues for messages of a topic, at least one; looks the route up if need be. Dropping the future gives up
    /// the look-up.
    pub(crate) async fn find(
        &self,
        topic: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        match self.known(topic) {
            Some(info) => Ok(info),
            None => {
                let known = || self.known(topic);
                self.routes.find(topic, Missing::TakeTemplate, timeout, deadline, known).await
            }
        }
    }

    fn get(&self, topic: &str) -> Option<Arc<TopicPublishInfo>> {
        // Read the version before the route: a change in between then makes the cached view stale.
        let version = self.routes.version();
        let find = |seen: Option<&mut Option<Seen>>| {
            let (topic, view) = self.view(topic)?;
            if let Some(seen) = seen {
                *seen = Some(Seen { id: self.id, version, topic, view: Arc::downgrade(&view) });
            }
            Some(view)
        };
        let found = VIEWS.try_with(|views| {
            // A fixed place per topic: two topics may evict each other, but no search is needed.
            let place = FxBuildHasher.hash_one(topic) as usize % SEEN;
            match &mut views.borrow_mut()[place] {
                Some(seen) if seen.version == version && seen.id == self.id && *seen.topic == *topic => {
                    seen.view.upgrade()
                }
                seen => find(Some(seen)),
            }
        });
        // A thread that is ending has no cache: find the view without it.
        found.unwrap_or_else(|_| find(None))
    }

    /// The view of the present route; made anew if the route has changed.
    fn view(&self, topic: &str) -> Option<(Arc<str>, Arc<TopicPublishInfo>)> {
        let (topic, route) = self.routes.get(topic)?;
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        // A read lock first: the view is nearly always there, and readers do not exclude each other.
        let known = views.get(&topic).filter(|view| view.is_of(&route)).cloned();
        drop(views);
        let view = known.unwrap_or_else(|| {
            let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
            // Look again under the write lock: another thread may have made it meanwhile.
            if let Some(view) = views.get(&topic).filter(|view| view.is_of(&route)) {
                return view.clone();
            }
            let (queues, translator) = (self.default_topic_queue_nums, self.routes.translator());
            let view = Arc::new(TopicPublishInfo::new(&topic, route, queues, translator));
            views.insert(topic.clone(), view.clone());
            view
        });
        Some((topic, view))
    }
}

#[cfg(test)]
mod tests {
    use rocketmq_common::mix_all;
    use rocketmq_remoting::client::RemotingClient;
    use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
    use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData};

    use super::*;
    use crate::factory::TopicRoute;
    use crate::mq_client_api::MQClientApi;
    use crate::name_servers::NameServers;

    /// A table that learns routes only from the test.
    fn table() -> Arc<RouteTable> {
        let remoting = RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests)).unwrap();
        let api = MQClientApi::new(remoting, NameServers::new(Vec::new()), Duration::ZERO);
        Arc::new(RouteTable::new(Arc::new(api), None))
    }

    fn route(queues: i32, is_template: bool) -> TopicRoute {
        let queue_data = QueueData {
            broker_name: "a".to_owned(),
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm: 6,
            ..QueueData::default()
        };
        let servers = [(mix_all::MASTER_ID, "master:1".to_owned()), (1, "slave:1".to_owned())];
        let broker_data =
            BrokerData { broker_name: "a".to_owned(), broker_addrs: servers.into(), ..BrokerData::default() };
        let data = TopicRouteData {
            queue_datas: vec![queue_data],
            broker_datas: vec![broker_data],
            ..TopicRouteData::default()
        };
        TopicRoute::new("ns".into(), data, is_template)
    }

    #[tokio::test]
    async fn two_producers_have_views_of_their_own_which_stay_until_the_route_changes() {
        let table = table();
        let (one, two) = (PublishRoutes::new(table.clone(), 4), PublishRoutes::new(table.clone(), 2));
        assert!(one.known("T").is_none());
        table.learn("T", route(8, true));
        let view = one.known("T").unwrap();
        assert_eq!((view.queues().len(), two.known("T").unwrap().queues().len()), (4, 2), "of the template");
        table.learn("T", route(8, true));
        assert!(Arc::ptr_eq(&view, &one.known("T").unwrap()), "nothing changed");
        table.learn("T", route(3, false));
        table.learn("T", route(8, true));
        assert_eq!(one.known("T").unwrap().queues().len(), 3, "the topic exists now, whatever else is told");
        assert_eq!(two.known("T").unwrap().queues().len(), 3);
    }

    #[tokio::test]
    async fn a_changed_route_is_told_to_those_who_listen() {
        let table = table();
        let mut changes = table.changes();
        table.learn("T", route(1, false));
        table.learn("T", route(1, false));
        table.learn("U", route(1, false));
        assert_eq!(&*changes.try_recv().unwrap(), "T");
        assert_eq!(&*changes.try_recv().unwrap(), "U", "what stays as it is changes nothing");
        assert!(changes.try_recv().is_err());
    }

    #[tokio::test]
    async fn slaves_count_as_servers_if_they_are_wanted() {
        let table = table();
        table.learn("T", route(1, false));
        table.learn("U", route(1, true));
        let servers = |with_slaves| table.servers(with_slaves).join(" ");
        assert_eq!((servers(false).as_str(), servers(true).as_str()), ("master:1", "master:1 slave:1"));
        let (queue, address) = table.a_queue_of("a").unwrap();
        assert_eq!((queue.topic(), &*address), ("T", "master:1"), "a template's queues do not exist");
    }
}
