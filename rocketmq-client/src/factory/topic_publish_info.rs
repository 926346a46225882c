use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rocketmq_common::{MessageQueue, PermName, mix_all};
use rocketmq_remoting::net::{ConnectionCell, random};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData};
use rocketmq_remoting::protocol::header::{SendMessageRequestHeaderV2, SendTemplate};

use super::route_table::TopicRoute;
use crate::conf::AddressTranslator;

/// One producer's view of a topic: the queues to which its messages can go. A snapshot: a changed route makes a new
/// one. Java: `TopicPublishInfo`.
#[derive(Debug)]
pub(crate) struct TopicPublishInfo {
    queues: Vec<MessageQueue>,
    /// The brokers, in the order of their queues.
    brokers: Vec<RouteBroker>,
    /// The index of each queue's broker.
    broker_of: Vec<usize>,
    /// The route from which it was made.
    route: Arc<TopicRoute>,
    cursor: AtomicUsize,
    /// The template of each queue, made at the first send to it: fields that all plain messages to the queue share.
    templates: Box<[OnceLock<Option<SendTemplate>>]>,
    /// The queues under the topic's name without namespace, made when first used.
    without_namespace: OnceLock<Vec<MessageQueue>>,
}

/// The master of a broker.
#[derive(Debug)]
struct RouteBroker {
    /// The address to dial, and the advertised one. Empty if there is no master now.
    address: Arc<str>,
    advertised: Arc<str>,
    connection: ConnectionCell,
}

/// A chosen queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) queue: &'a MessageQueue,
    pub(crate) address: &'a Arc<str>,
    /// The address before translation.
    pub(crate) advertised: &'a Arc<str>,
    /// The last connection to the broker.
    pub(crate) connection: &'a ConnectionCell,
    /// The index of the queue in the route.
    pub(crate) place: usize,
}

impl TopicPublishInfo {
    /// The view of an existing topic: the queues of writable brokers with a master, sorted by broker name. With an
    /// order configuration it has exactly the listed queues, even without a master: keys must keep their queues. For a
    /// topic that does not exist yet, the route is the template topic's, and the queues are those that a first send
    /// will create: up to
    /// `template_queues` on each broker.
    pub(crate) fn new(
        topic: &str,
        route: Arc<TopicRoute>,
        template_queues: u32,
        translator: Option<&AddressTranslator>,
    ) -> Self {
        let topic: Arc<str> = topic.into();
        let (mut queues, mut brokers, mut broker_of) = (Vec::new(), Vec::new(), Vec::new());
        let is_ordered = order_config(&route.data).is_some();
        for (broker, count) in queue_counts(&route.data, route.is_template.then_some(template_queues)) {
            let advertised = match master_address(&route.data.broker_datas, broker) {
                Some(advertised) => advertised,
                None if is_ordered => Arc::default(),
                None => continue,
            };
            let address = match advertised.is_empty() {
                true => advertised.clone(),
                false => AddressTranslator::dial_address(translator, &advertised),
            };
            let first = MessageQueue::new(topic.clone(), broker, 0);
            for queue_id in 0..count {
                queues.push(first.with_queue_id(queue_id));
                broker_of.push(brokers.len());
            }
            if count > 0 {
                brokers.push(RouteBroker { address, advertised, connection: ConnectionCell::default() });
            }
        }
        let cursor = AtomicUsize::new(random() as usize);
        Self {
            templates: queues.iter().map(|_| OnceLock::new()).collect(),
            queues,
            brokers,
            broker_of,
            route,
            cursor,
            without_namespace: OnceLock::new(),
        }
    }

    /// The NameServer that gave the route.
    pub(crate) fn name_server(&self) -> &Arc<str> {
        &self.route.name_server
    }

    pub(crate) fn route(&self) -> &TopicRouteData {
        &self.route.data
    }

    /// Whether the view was made from this snapshot.
    pub(super) fn is_of(&self, route: &Arc<TopicRoute>) -> bool {
        Arc::ptr_eq(&self.route, route)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The next queue in turn whose broker is preferred; without a preferred broker just the next queue.
    pub(crate) fn select(&self, prefer: impl Fn(&str) -> bool) -> Option<Choice<'_>> {
        let start = self.cursor.fetch_add(1, Ordering::Relaxed);
        self.search(start, prefer).or_else(|| self.search(start, |_| true))
    }

    /// The next queue in turn whose broker passes.
    pub(crate) fn select_if(&self, passes: impl Fn(&str) -> bool) -> Option<Choice<'_>> {
        self.search(self.cursor.fetch_add(1, Ordering::Relaxed), passes)
    }

    /// One queue by its broker and id, if the broker has a master.
    pub(crate) fn find(&self, broker: &str, queue_id: i32) -> Option<Choice<'_>> {
        let place = self
            .queues
            .iter()
            .position(|queue| queue.broker_name() == broker && queue.queue_id() == queue_id)?;
        Some(self.at(place)).filter(Choice::has_master)
    }

    /// All queues, sorted by broker name and id, unless an order configuration lists them.
    pub(crate) fn queues(&self) -> &[MessageQueue] {
        &self.queues
    }

    /// All queues under `topic`, the name without namespace.
    pub(crate) fn queues_without_namespace(&self, topic: &str) -> &[MessageQueue] {
        self.without_namespace.get_or_init(|| {
            let topic: Arc<str> = topic.into();
            let plain = |queue: &MessageQueue| {
                MessageQueue::new(topic.clone(), queue.shared_broker_name().clone(), queue.queue_id())
            };
            self.queues.iter().map(plain).collect()
        })
    }

    /// Whether a message can go to another broker: one with a master.
    pub(crate) fn has_other_broker(&self, broker: &str) -> bool {
        let mut choices = (0..self.queues.len()).map(|place| self.at(place)).filter(Choice::has_master);
        choices.any(|choice| choice.queue.broker_name() != broker)
    }

    fn search(&self, start: usize, passes: impl Fn(&str) -> bool) -> Option<Choice<'_>> {
        let count = self.queues.len();
        let mut place = start.checked_rem(count)?;
        for _ in 0..count {
            let choice = self.at(place);
            if choice.has_master() && passes(choice.queue.broker_name()) {
                return Some(choice);
            }
            place = if place + 1 == count { 0 } else { place + 1 };
        }
        None
    }

    /// The choice with the index of an earlier one.
    pub(crate) fn at(&self, place: usize) -> Choice<'_> {
        let RouteBroker { address, advertised, connection } = &self.brokers[self.broker_of[place]];
        Choice { place, queue: &self.queues[place], address, advertised, connection }
    }

    /// The template of the queue at this index, made from the header of any message to it: this view belongs to one
    /// producer, so only time, properties and flags differ between headers. `None` if the header is not plain.
    pub(crate) fn template<'h>(
        &self,
        place: usize,
        header: impl FnOnce() -> SendMessageRequestHeaderV2<'h>,
    ) -> Option<&SendTemplate> {
        let template = self.templates.get(place)?;
        // A header that is too long gives no template: sending it in full reports the error.
        template.get_or_init(|| SendTemplate::new(&header()).ok().flatten()).as_ref()
    }

    /// The addresses of the masters, without duplicates.
    pub(crate) fn masters(&self) -> impl Iterator<Item = &Arc<str>> {
        self.brokers.iter().map(|broker| &broker.address).filter(|address| !address.is_empty())
    }
}

impl Choice<'_> {
    fn has_master(&self) -> bool {
        !self.address.is_empty()
    }
}

/// The brokers and queues of an ordered topic: `broker-a:4;broker-b:4`.
fn order_config(route: &TopicRouteData) -> Option<&str> {
    route.order_topic_conf.as_deref().filter(|conf| !conf.is_empty())
}

/// Broker names in order, each with its number of writable queues.
fn queue_counts(route: &TopicRouteData, template_queues: Option<u32>) -> Vec<(&str, i32)> {
    if let Some(order) = order_config(route) {
        return order
            .split(';')
            .filter_map(|part| part.split_once(':'))
            .filter_map(|(broker, count)| Some((broker, count.trim().parse().ok()?)))
            .collect();
    }
    let mut writable: Vec<&QueueData> =
        route.queue_datas.iter().filter(|data| PermName(data.perm).is_writable()).collect();
    writable.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
    let count = |data: &QueueData| match template_queues {
        Some(limit) => data.read_queue_nums.min(i32::try_from(limit).unwrap_or(i32::MAX)),
        None => data.write_queue_nums,
    };
    writable.into_iter().map(|data| (data.broker_name.as_str(), count(data))).collect()
}

/// The advertised address of a broker's master.
fn master_address(brokers: &[BrokerData], name: &str) -> Option<Arc<str>> {
    let broker = brokers.iter().find(|broker| broker.broker_name == name)?;
    Some(Arc::from(broker.broker_addrs.get(&mix_all::MASTER_ID)?.as_str()))
}

#[cfg(test)]
impl TopicPublishInfo {
    /// The view of a topic `T` with `queues` writable queues on each of these brokers, which listen at `NAME:1`.
    pub(crate) fn on_brokers(brokers: &[&str], queues: i32) -> Self {
        let queues = |name: &&str| QueueData {
            broker_name: (*name).to_owned(),
            write_queue_nums: queues,
            perm: 6,
            ..QueueData::default()
        };
        let broker = |name: &&str| BrokerData {
            broker_name: (*name).to_owned(),
            broker_addrs: [(0, format!("{name}:1"))].into(),
            ..BrokerData::default()
        };
        let route = TopicRouteData {
            queue_datas: brokers.iter().map(queues).collect(),
            broker_datas: brokers.iter().map(broker).collect(),
            ..TopicRouteData::default()
        };
        Self::new("T", Arc::new(TopicRoute::new("ns".into(), route, false)), 4, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(broker: &str, write: i32, perm: i32) -> QueueData {
        QueueData {
            broker_name: broker.to_owned(),
            read_queue_nums: write,
            write_queue_nums: write,
            perm,
            ..QueueData::default()
        }
    }

    fn broker(name: &str, ids: &[i64]) -> BrokerData {
        BrokerData {
            broker_name: name.to_owned(),
            broker_addrs: ids.iter().map(|id| (*id, format!("{name}-{id}:10911"))).collect(),
            ..BrokerData::default()
        }
    }

    fn route(queue_datas: Vec<QueueData>, broker_datas: Vec<BrokerData>) -> TopicRouteData {
        TopicRouteData { queue_datas, broker_datas, ..TopicRouteData::default() }
    }

    fn of_topic(data: TopicRouteData, translator: Option<&AddressTranslator>) -> TopicPublishInfo {
        TopicPublishInfo::new("T", Arc::new(TopicRoute::new("ns".into(), data, false)), 4, translator)
    }

    fn of_template(data: TopicRouteData, queues: u32) -> TopicPublishInfo {
        TopicPublishInfo::new("T", Arc::new(TopicRoute::new("ns".into(), data, true)), queues, None)
    }

    fn names(info: &TopicPublishInfo) -> Vec<String> {
        let name = |queue: &MessageQueue| format!("{}:{}", queue.broker_name(), queue.queue_id());
        info.queues.iter().map(name).collect()
    }

    #[test]
    fn queues_are_those_of_writable_brokers_with_a_master_sorted_by_name() {
        let route = route(
            vec![queues("b", 2, 6), queues("a", 1, 6), queues("read-only", 4, 4), queues("slave", 4, 6)],
            vec![broker("a", &[0, 1]), broker("b", &[0]), broker("read-only", &[0]), broker("slave", &[1])],
        );
        let info = of_topic(route, None);
        assert_eq!(names(&info), ["a:0", "b:0", "b:1"]);
        assert_eq!(info.masters().map(|address| &**address).collect::<Vec<_>>(), ["a-0:10911", "b-0:10911"]);
    }

    #[test]
    fn a_template_gives_no_more_queues_than_asked_for() {
        let route = route(vec![queues("a", 8, 7)], vec![broker("a", &[0])]);
        assert_eq!(of_template(route.clone(), 4).queues.len(), 4);
        assert_eq!(of_template(route, 16).queues.len(), 8);
    }

    #[test]
    fn an_order_configuration_lists_exactly_its_queues() {
        let mut route =
            route(vec![queues("a", 8, 6), queues("b", 8, 6)], vec![broker("a", &[0]), broker("b", &[0])]);
        route.order_topic_conf = Some("b:1;a:2".to_owned());
        assert_eq!(names(&of_topic(route, None)), ["b:0", "a:0", "a:1"]);
    }

    #[test]
    fn an_ordered_topic_keeps_the_queues_of_a_broker_without_master_but_sends_go_elsewhere() {
        let mut route =
            route(vec![queues("a", 1, 6), queues("b", 1, 6)], vec![broker("a", &[1]), broker("b", &[0])]);
        route.order_topic_conf = Some("a:1;b:1".to_owned());
        let info = of_topic(route, None);
        assert_eq!(names(&info), ["a:0", "b:0"]);
        assert!((0..4).all(|_| info.select(|_| true).unwrap().queue.broker_name() == "b"));
        assert!(info.find("a", 0).is_none() && info.find("b", 0).is_some());
        assert_eq!(info.masters().map(|address| &**address).collect::<Vec<_>>(), ["b-0:10911"]);
    }

    #[test]
    fn a_broker_without_master_is_no_other_broker() {
        let mut route = route(
            ["a", "b", "c"].map(|name| queues(name, 1, 6)).into(),
            vec![broker("a", &[1]), broker("b", &[0]), broker("c", &[0])],
        );
        route.order_topic_conf = Some("a:1;b:1".to_owned());
        assert!(!of_topic(route.clone(), None).has_other_broker("b"));
        route.order_topic_conf = Some("a:1;b:1;c:1".to_owned());
        let info = of_topic(route, None);
        assert!(info.has_other_broker("a") && info.has_other_broker("b"));
    }

    #[test]
    fn queues_take_turns_and_a_failed_broker_is_avoided() {
        let route =
            route(vec![queues("a", 2, 6), queues("b", 2, 6)], vec![broker("a", &[0]), broker("b", &[0])]);
        let info = of_topic(route, None);
        let mut turns: Vec<String> =
            (0..4).map(|_| info.select(|_| true).unwrap().queue.to_string()).collect();
        turns.sort();
        turns.dedup();
        assert_eq!(turns.len(), 4);
        assert!((0..8).all(|_| info.select(|broker| broker != "a").unwrap().queue.broker_name() == "b"));
        assert!(info.select(|broker| broker == "neither").is_some());
    }

    #[test]
    fn the_only_broker_is_used_even_if_it_failed_before() {
        let route = route(vec![queues("a", 2, 6)], vec![broker("a", &[0])]);
        let info = of_topic(route, None);
        assert_eq!(info.select(|broker| broker != "a").unwrap().queue.broker_name(), "a");
    }

    #[test]
    fn addresses_are_translated() {
        let route = route(vec![queues("a", 1, 6)], vec![broker("a", &[0])]);
        let translator = AddressTranslator::new(|advertised| {
            advertised.strip_suffix(":10911").map(|host| format!("{host}:1"))
        });
        let info = of_topic(route, Some(&translator));
        let choice = info.select(|_| true).unwrap();
        assert_eq!((&**choice.address, &**choice.advertised), ("a-0:1", "a-0:10911"));
    }
}
