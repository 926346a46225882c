use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::consumer::{
    ConsumeFromWhere, ConsumerEvent, ConsumerEvents, PullConsumer, PullConsumerBuilder, PushConsumer,
    PushConsumerBuilder,
};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster, MockClusterBuilder};
use rocketmq_remoting::net::memory::seed_random;
use tokio::time::timeout;

pub(super) use crate::faults::support::until;
pub(super) use crate::simulation::simulate;

pub(super) const TOPIC: &str = "Watched";
pub(super) const GROUP: &str = "watched";

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster in memory.
pub(super) struct World {
    pub(super) network: InMemoryNetwork,
    pub(super) cluster: MockCluster,
}

impl World {
    pub(super) async fn new(change: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder) -> Self {
        seed_random(1);
        let network = InMemoryNetwork::new(1);
        let builder = MockCluster::builder().network(network.clone()).tokio_clock(true);
        let cluster = change(builder).start().await.unwrap();
        Self { network, cluster }
    }

    /// A consumer in the making that reads the topic from its beginning.
    pub(super) fn consumer(&self) -> PushConsumerBuilder {
        let transport = Arc::new(self.network.clone());
        PushConsumer::builder(GROUP)
            .name_server_addr(self.cluster.name_server_addr())
            .option(|option| {
                option.set_consume_from_where(ConsumeFromWhere::First).set_transport(transport);
            })
            .subscribe(TOPIC, "*")
    }

    /// The same consumer, which polls.
    pub(super) fn puller(&self) -> PullConsumerBuilder {
        let transport = Arc::new(self.network.clone());
        PullConsumer::builder(GROUP)
            .name_server_addr(self.cluster.name_server_addr())
            .option(|option| {
                option.set_consume_from_where(ConsumeFromWhere::First).set_transport(transport);
            })
            .subscribe(TOPIC, "*")
    }

    pub(super) async fn send(&self, body: &str) {
        let mut option = ProducerOption::default();
        option.set_name_server_addr(self.cluster.name_server_addr()).set_group_name("watched_producer");
        option.set_transport(Arc::new(self.network.clone()));
        let producer = Producer::new(option);
        producer.start().await.unwrap();
        producer.send(Message::new(TOPIC, body.to_owned())).await.unwrap();
        producer.shutdown().await.unwrap();
    }
}

/// How often each message was handled.
pub(super) type Count = Arc<AtomicUsize>;

pub(super) fn counting(count: &Count) -> impl Fn() + Clone + Send + Sync + 'static {
    let count = count.clone();
    move || _ = count.fetch_add(1, Ordering::SeqCst)
}

/// The events that came by now and that count.
pub(super) fn told(
    events: &mut ConsumerEvents,
    counts: impl Fn(&ConsumerEvent) -> bool,
) -> Vec<ConsumerEvent> {
    std::iter::from_fn(|| events.try_next()).filter(|event| counts(event)).collect()
}

/// Waits for an event.
pub(super) async fn event(
    events: &mut ConsumerEvents,
    wanted: impl Fn(&ConsumerEvent) -> bool,
) -> ConsumerEvent {
    let waiting = async {
        loop {
            let event = events.next().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(seconds(300), waiting).await.expect("the event comes")
}
