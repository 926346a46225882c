use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::consumer::{PushConsumer, PushConsumerBuilder};
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster, MockClusterBuilder};
use tokio::time::Instant;

use super::checker::{Rules, Verdict, check};
use super::record::Record;
pub(crate) use crate::simulation::simulate;
use crate::world::{World, numbered, pusher};

pub(crate) const TOPIC: &str = "Faulty";
pub(crate) const GROUP: &str = "faulty";
/// How long a test waits for something, by tokio's time.
const WITHIN: Duration = Duration::from_secs(300);

/// A cluster on a network in memory, a producer for it, and the record of the group's listeners.
pub(crate) struct Site {
    pub(crate) network: InMemoryNetwork,
    pub(crate) cluster: Arc<MockCluster>,
    pub(crate) producer: Producer,
    pub(crate) record: Record,
}

impl Site {
    /// `queues` of the topic on each of the brokers.
    pub(crate) async fn new(brokers: usize, queues: u32) -> Self {
        Self::with(queues, |builder| builder.brokers(brokers)).await
    }

    pub(crate) async fn with(
        queues: u32,
        change: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder,
    ) -> Self {
        let world =
            World::new(|builder| change(builder.history(1_000_000).captured_requests(1_000_000))).await;
        world.cluster.create_topic(TOPIC, queues).unwrap();
        let producer = world.producer().await;
        let (network, cluster) = (world.network, Arc::new(world.cluster));
        let record = Record::new(&cluster);
        Self { network, cluster, producer, record }
    }

    pub(crate) fn broker(&self, name: &str) -> SocketAddr {
        self.cluster.broker_addr(name).unwrap()
    }

    /// A member in the making: it reads the topic from its first message, and has no listener yet.
    pub(crate) fn member(&self) -> PushConsumerBuilder {
        pusher(GROUP, &self.cluster, Some(&self.network)).subscribe(TOPIC, "*")
    }

    /// A started member whose handlers take this long.
    pub(crate) async fn start(&self, name: &str, work: Duration) -> PushConsumer {
        self.starting(self.member(), name, work).await
    }

    /// Starts a member whose concurrent handlers take this long.
    pub(crate) async fn starting(
        &self,
        member: PushConsumerBuilder,
        name: &str,
        work: Duration,
    ) -> PushConsumer {
        let work = move |_, _| async move {
            tokio::time::sleep(work).await;
            Ok(())
        };
        member.listener(self.record.listener(name, work)).start().await.unwrap()
    }

    /// Starts an orderly member whose handlers take this long.
    pub(crate) async fn start_orderly(&self, name: &str, work: Duration) -> PushConsumer {
        let work = move |_, _| async move {
            tokio::time::sleep(work).await;
            Ok(())
        };
        self.member().orderly_listener(self.record.listener(name, work)).start().await.unwrap()
    }

    /// Sends `count` messages, spread over the queues.
    pub(crate) async fn send(&self, count: usize) {
        for message in numbered(TOPIC, count) {
            self.producer.send(message).await.unwrap();
        }
    }

    /// Sends a message each time this long is over, until the task is aborted.
    pub(crate) fn send_each(&self, pause: Duration) -> Load {
        let producer = self.producer.clone();
        Load(tokio::spawn(async move {
            loop {
                let _ = producer.send(Message::new(TOPIC, "load")).await;
                tokio::time::sleep(pause).await;
            }
        }))
    }

    /// How many messages the topic has.
    pub(crate) fn sent(&self) -> usize {
        self.cluster.message_count(TOPIC)
    }

    /// Waits until every message of the topic is done.
    pub(crate) async fn all_done(&self) {
        until("all messages are done", || self.record.done() >= self.sent() && self.record.running() == 0)
            .await;
    }

    pub(crate) fn committed(&self) -> BTreeMap<MessageQueue, i64> {
        self.cluster.group_offsets(GROUP, TOPIC)
    }

    /// Checks the histories, see [`check`].
    pub(crate) fn check(&self, rules: &Rules) -> Verdict {
        check(&self.record, &self.cluster, GROUP, &[TOPIC], rules)
    }
}

/// Shuts a consumer down that nothing keeps from a clean end.
pub(crate) async fn ends_cleanly(consumer: PushConsumer) {
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// Sends until it is dropped.
pub(crate) struct Load(tokio::task::JoinHandle<()>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until something holds, by tokio's time.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    until_each(Duration::from_millis(5), what, holds).await;
}

/// Waits until something holds that is looked at once in each interval: for what takes long to find out.
pub(crate) async fn until_each(interval: Duration, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(interval).await;
    }
}
