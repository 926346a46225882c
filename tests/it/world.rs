//! A cluster on a network in memory, in one thread with its clients; and how tests make producers and consumers.

use std::sync::Arc;
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{
    ConsumeFromWhere, PullConsumer, PullConsumerBuilder, PushConsumer, PushConsumerBuilder,
};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster, MockClusterBuilder};
use rocketmq_remoting::net::memory::seed_random;

pub(crate) struct World {
    pub(crate) network: InMemoryNetwork,
    pub(crate) cluster: MockCluster,
}

impl World {
    /// A cluster without topics. It goes by tokio's time unless `change` sets another clock.
    pub(crate) async fn new(change: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder) -> Self {
        seed_random(1);
        let network = InMemoryNetwork::new(1);
        let builder = MockCluster::builder().network(network.clone());
        let cluster = change(builder).start().await.unwrap();
        Self { network, cluster }
    }

    /// A cluster with these topics, of one queue each.
    pub(crate) async fn with_topics(topics: &[&str]) -> Self {
        let world = Self::new(|builder| builder).await;
        topics.iter().for_each(|topic| world.cluster.create_topic(topic, 1).unwrap());
        world
    }

    /// A push consumer in the making, see [`pusher`].
    pub(crate) fn pusher(&self, group: &str) -> PushConsumerBuilder {
        pusher(group, &self.cluster, Some(&self.network))
    }

    /// A pull consumer in the making, which reads new topics from their first messages.
    pub(crate) fn puller(&self, group: &str) -> PullConsumerBuilder {
        PullConsumer::builder(group)
            .name_server_addr(self.cluster.name_server_addr())
            .option(|option| reads_all(option, Some(&self.network)))
    }

    /// A started producer.
    pub(crate) async fn producer(&self) -> Producer {
        producer(&self.cluster, Some(&self.network)).await
    }

    /// Sends messages with a producer that is shut down afterwards.
    pub(crate) async fn send(&self, messages: impl IntoIterator<Item = Message>) {
        let producer = self.producer().await;
        for message in messages {
            producer.send(message).await.unwrap();
        }
        producer.shutdown().await.unwrap();
    }
}

/// A push consumer in the making, which reads new topics from their first messages. Without a network it uses sockets.
pub(crate) fn pusher(
    group: &str,
    cluster: &MockCluster,
    network: Option<&InMemoryNetwork>,
) -> PushConsumerBuilder {
    PushConsumer::builder(group)
        .name_server_addr(cluster.name_server_addr())
        .option(|option| reads_all(option, network))
}

fn reads_all(option: &mut ConsumerOption, network: Option<&InMemoryNetwork>) {
    option.set_consume_from_where(ConsumeFromWhere::First);
    if let Some(network) = network {
        option.set_transport(Arc::new(network.clone()));
    }
}

/// A started producer. Without a network it uses sockets.
pub(crate) async fn producer(cluster: &MockCluster, network: Option<&InMemoryNetwork>) -> Producer {
    let producer = Producer::builder("senders").name_server_addr(cluster.name_server_addr());
    let producer = match network {
        Some(network) => producer.option(|option| _ = option.set_transport(Arc::new(network.clone()))),
        None => producer,
    };
    producer.start().await.unwrap()
}

/// `count` messages of a topic: `0`, `1` …
pub(crate) fn numbered(topic: &str, count: usize) -> impl Iterator<Item = Message> {
    (0..count).map(move |number| Message::new(topic, number.to_string()))
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
