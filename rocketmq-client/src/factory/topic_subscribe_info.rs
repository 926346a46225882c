use std::collections::BTreeMap;
use std::sync::Arc;

use rocketmq_common::{MessageQueue, PermName};
use rocketmq_remoting::protocol::body::TopicRouteData;
use rustc_hash::FxHashMap;

use crate::conf::AddressTranslator;

/// The readable queues of one topic with their servers, masters and slaves. Java:
/// `MQClientInstance.topicRouteData2TopicSubscribeInfo`.
#[derive(Debug)]
pub(crate) struct TopicSubscribeInfo {
    /// Sorted by broker name and id.
    queues: Vec<MessageQueue>,
    /// The addresses to dial for each broker, by broker id: 0 is the master.
    brokers: FxHashMap<Arc<str>, BTreeMap<i64, Arc<str>>>,
}

impl TopicSubscribeInfo {
    /// The view of a topic's own route. A broker without a master counts: its slaves can be read.
    pub(crate) fn of_topic(
        topic: &str,
        route: &TopicRouteData,
        translator: Option<&AddressTranslator>,
    ) -> Self {
        let dial = |advertised: &String| AddressTranslator::dial_address(translator, advertised);
        let brokers = route.broker_datas.iter().map(|broker| {
            let addresses = broker.broker_addrs.iter().map(|(id, advertised)| (*id, dial(advertised)));
            (Arc::from(broker.broker_name.as_str()), addresses.collect())
        });
        Self { queues: readable_queues(topic, route), brokers: brokers.collect() }
    }

    pub(crate) fn queues(&self) -> &[MessageQueue] {
        &self.queues
    }

    /// The address from which to read queues of a broker: its master, or else the slave with the smallest id.
    pub(crate) fn reader(&self, broker: &str) -> Option<&Arc<str>> {
        self.brokers.get(broker)?.values().next()
    }

    /// A server of a broker: that with this id, else the master, else the slave with the smallest id.
    pub(crate) fn server_or_other(&self, broker: &str, id: i64) -> Option<(i64, &Arc<str>)> {
        let servers = self.brokers.get(broker)?;
        let wanted = servers.range(id..).next().or_else(|| servers.iter().next());
        wanted.map(|(id, address)| (*id, address))
    }

    /// The brokers that have queues, by name.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.brokers.keys()
    }

    /// All servers.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.brokers.values().flat_map(BTreeMap::values)
    }

    /// The address of one server of a broker.
    pub(crate) fn server(&self, broker: &str, id: i64) -> Option<&Arc<str>> {
        self.brokers.get(broker)?.get(&id)
    }
}

fn readable_queues(topic: &str, route: &TopicRouteData) -> Vec<MessageQueue> {
    let topic: Arc<str> = topic.into();
    let mut queues = Vec::new();
    for data in route.queue_datas.iter().filter(|data| PermName(data.perm).is_readable()) {
        let broker: Arc<str> = data.broker_name.as_str().into();
        queues
            .extend((0..data.read_queue_nums).map(|id| MessageQueue::new(topic.clone(), broker.clone(), id)));
    }
    queues.sort_unstable();
    queues
}

#[cfg(test)]
mod tests {
    use rocketmq_remoting::protocol::body::{BrokerData, QueueData};

    use super::*;

    fn route() -> TopicRouteData {
        let queues = |broker: &str, read: i32, perm: i32| QueueData {
            broker_name: broker.to_owned(),
            read_queue_nums: read,
            write_queue_nums: 9,
            perm,
            ..QueueData::default()
        };
        let broker = |name: &str, ids: &[i64]| BrokerData {
            broker_name: name.to_owned(),
            broker_addrs: ids.iter().map(|id| (*id, format!("{name}-{id}:10911"))).collect(),
            ..BrokerData::default()
        };
        TopicRouteData {
            queue_datas: vec![queues("b", 2, 6), queues("a", 1, 4), queues("no", 3, 2), queues("bad", -1, 6)],
            broker_datas: vec![broker("a", &[0, 1]), broker("b", &[2, 1])],
            ..TopicRouteData::default()
        }
    }

    #[test]
    fn queues_are_the_readable_ones_in_order_with_or_without_a_master() {
        let info = TopicSubscribeInfo::of_topic("T", &route(), None);
        let expected = [("a", 0), ("b", 0), ("b", 1)].map(|(broker, id)| MessageQueue::new("T", broker, id));
        assert_eq!(info.queues(), expected);
    }

    #[test]
    fn a_broker_is_read_at_its_master_or_else_at_its_first_slave() {
        let info = TopicSubscribeInfo::of_topic("T", &route(), None);
        let reader = |broker| info.reader(broker).map(|address| &**address);
        assert_eq!((reader("a"), reader("b"), reader("c")), (Some("a-0:10911"), Some("b-1:10911"), None));
        let server = |broker, id| info.server(broker, id).map(|address| &**address);
        assert_eq!((server("b", 2), server("b", 0)), (Some("b-2:10911"), None));
    }

    #[test]
    fn where_a_server_is_missing_the_next_of_its_broker_gets_its_turn() {
        let info = TopicSubscribeInfo::of_topic("T", &route(), None);
        let id = |broker, wanted| info.server_or_other(broker, wanted).map(|(id, _)| id);
        assert_eq!([0, 1, 2, 3].map(|wanted| id("b", wanted)), [Some(1), Some(1), Some(2), Some(1)]);
        assert_eq!((id("a", 1), id("a", 2), id("c", 0)), (Some(1), Some(0), None));
    }

    #[test]
    fn addresses_are_translated() {
        let translator = AddressTranslator::new(|advertised| Some(advertised.replace(":10911", ":1")));
        let info = TopicSubscribeInfo::of_topic("T", &route(), Some(&translator));
        assert_eq!(info.reader("a").map(|address| &**address), Some("a-0:1"));
    }
}
