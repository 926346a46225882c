use rocketmq_common::{MessageQueue, PermName};
use rocketmq_remoting::protocol::body::TopicRouteData;
use tokio::time::Instant;

use super::MQAdmin;
use crate::error::MQClientError;

impl MQAdmin {
    /// The route of a topic: its brokers, and how many queues each has. From the first NameServer that has it, as
    /// it is now: nothing is cached. Request code 105; Java: `MQAdminExt.examineTopicRouteInfo`,
    /// `mqadmin topicRoute`. Dropping the future has no effect.
    ///
    /// # Errors
    /// `BrokerNotFound` when no NameServer has a route, with what each said; `NameServerUnreachable` when none
    /// answered.
    pub async fn route(&self, topic: &str) -> Result<TopicRouteData, MQClientError> {
        self.instance.topic_route(topic, Instant::now() + self.instance.api().timeout()).await
    }

    /// The queues of a topic that consumers may read, sorted. Request code 105; Java:
    /// `MQAdmin.fetchSubscribeMessageQueues`. Dropping the future has no effect.
    ///
    /// # Errors
    /// As [`route`](Self::route).
    pub async fn message_queues(&self, topic: &str) -> Result<Vec<MessageQueue>, MQClientError> {
        Ok(readable_queues(topic, &self.route(topic).await?))
    }
}

pub(super) fn readable_queues(topic: &str, route: &TopicRouteData) -> Vec<MessageQueue> {
    let topic: std::sync::Arc<str> = topic.into();
    let mut queues = Vec::new();
    for data in route.queue_datas.iter().filter(|data| PermName(data.perm).is_readable()) {
        let broker: std::sync::Arc<str> = data.broker_name.as_str().into();
        queues
            .extend((0..data.read_queue_nums).map(|id| MessageQueue::new(topic.clone(), broker.clone(), id)));
    }
    queues.sort_unstable();
    queues
}

#[cfg(test)]
mod tests {
    use rocketmq_remoting::protocol::body::QueueData;

    use super::*;

    #[test]
    fn queues_are_the_readable_ones_in_order() {
        let data = |broker: &str, read: i32, perm: i32| QueueData {
            broker_name: broker.to_owned(),
            read_queue_nums: read,
            write_queue_nums: 9,
            perm,
            ..QueueData::default()
        };
        let queue_datas = vec![data("b", 2, 6), data("a", 1, 4), data("no", 3, 2), data("bad", -1, 6)];
        let route = TopicRouteData { queue_datas, ..TopicRouteData::default() };
        let queues = readable_queues("T", &route);
        let expected = [("a", 0), ("b", 0), ("b", 1)].map(|(broker, id)| MessageQueue::new("T", broker, id));
        assert_eq!(queues, expected);
    }
}
