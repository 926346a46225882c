//! A cluster, a producer and members of one group: in one thread on virtual time, or on sockets.

use std::collections::BTreeMap;
use std::future::{Future, Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumeContext, ConsumerEvent, ConsumerEvents, PushConsumer, PushConsumerBuilder};
use rocketmq::model::{Message, MessageExt, MessageQueue};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{CapturedRequest, InMemoryNetwork, MockCluster, MockClusterBuilder, RequestCode};
use rocketmq_remoting::net::memory::seed_random;
use tokio::time::{Instant, sleep};

use super::support::ends_cleanly;
use crate::world::{producer, pusher};

pub(super) const TOPIC: &str = "Rows";
pub(super) const GROUP: &str = "rows";

/// The cluster of one row.
pub(super) struct Scene {
    /// `None`: it has real sockets.
    pub(super) network: Option<InMemoryNetwork>,
    pub(super) cluster: MockCluster,
    pub(super) producer: Producer,
}

/// Runs a simulation on paused time.
pub(super) fn simulate<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(simulation)
}

impl Scene {
    /// A cluster on virtual time, with a topic of four queues on each broker.
    pub(super) async fn new(build: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder) -> Self {
        seed_random(1);
        let network = InMemoryNetwork::new(1);
        network.set_latency(Duration::from_millis(1)..=Duration::from_millis(1));
        let builder = MockCluster::builder().network(network.clone());
        Self::start(build(builder), Some(network)).await
    }

    /// A cluster on sockets, with the same topic.
    pub(super) async fn on_sockets(build: impl FnOnce(MockClusterBuilder) -> MockClusterBuilder) -> Self {
        Self::start(build(MockCluster::builder()), None).await
    }

    async fn start(builder: MockClusterBuilder, network: Option<InMemoryNetwork>) -> Self {
        let cluster = builder.history(1_000_000).captured_requests(100_000).start().await.unwrap();
        cluster.create_topic(TOPIC, 4).unwrap();
        let producer = producer(&cluster, network.as_ref()).await;
        Self { network, cluster, producer }
    }

    /// A producer that knows the routes as they are now.
    pub(super) async fn another_producer(&self) -> Producer {
        producer(&self.cluster, self.network.as_ref()).await
    }

    /// A member in the making, which reads a new topic from its first message.
    pub(super) fn member(&self) -> PushConsumerBuilder {
        self.member_with(|_| {})
    }

    pub(super) fn member_with(&self, change: impl FnOnce(&mut ConsumerOption)) -> PushConsumerBuilder {
        pusher(GROUP, &self.cluster, self.network.as_ref()).option(change).subscribe(TOPIC, "*")
    }

    pub(super) async fn send(&self, bodies: impl IntoIterator<Item = String>) {
        for body in bodies {
            self.producer.send(Message::new(TOPIC, body)).await.unwrap();
        }
    }

    /// Lets a broker vanish: nothing that is sent to it is answered.
    pub(super) fn black_hole(&self, broker: &str) {
        let (network, address) = (self.network.as_ref().unwrap(), self.cluster.broker_addr(broker).unwrap());
        network.stall(address);
        network.set_reachable(address, false);
    }

    pub(super) fn end_black_hole(&self, broker: &str) {
        let (network, address) = (self.network.as_ref().unwrap(), self.cluster.broker_addr(broker).unwrap());
        network.set_reachable(address, true);
    }

    pub(super) fn requests_of(&self, code: RequestCode) -> Vec<CapturedRequest> {
        self.cluster.requests().into_iter().filter(|request| request.code == code).collect()
    }

    /// The group has consumed and committed the whole topic.
    pub(super) fn assert_all_committed(&self) {
        for queue in self.cluster.queue_offsets(TOPIC) {
            let committed = self.cluster.committed_offset(GROUP, &queue.queue);
            assert_eq!(committed.unwrap_or(0), queue.max, "{}", queue.queue);
        }
    }

    /// Shuts a member down. Its end is clean, and the group has committed the whole topic.
    pub(super) async fn ends_committed(&self, member: PushConsumer) {
        ends_cleanly(member).await;
        self.assert_all_committed();
    }
}

/// What listeners have seen.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Sighting>>>);

#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) body: String,
    pub(super) queue: MessageQueue,
    pub(super) offset: i64,
}

impl Seen {
    pub(super) fn add(&self, message: &MessageExt) {
        self.0.lock().unwrap().push(Sighting {
            body: String::from_utf8_lossy(message.body()).into_owned(),
            queue: message.message_queue(),
            offset: message.queue_offset(),
        });
    }

    /// A listener that notes each message and succeeds.
    pub(super) fn listener(
        &self,
    ) -> impl Fn(Arc<MessageExt>, ConsumeContext) -> Ready<()> + Send + Sync + 'static {
        let seen = self.clone();
        move |message, _| {
            seen.add(&message);
            ready(())
        }
    }

    pub(super) fn all(&self) -> Vec<Sighting> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for sighting in self.0.lock().unwrap().iter() {
            *counts.entry(sighting.body.clone()).or_default() += 1;
        }
        counts
    }

    pub(super) fn distinct(&self) -> usize {
        self.counts().len()
    }

    pub(super) async fn wait_for(&self, distinct: usize) {
        until(&format!("{distinct} messages"), || self.distinct() >= distinct).await;
    }

    /// First deliveries came in the order of each queue, and each body of `expected` came.
    pub(super) fn assert_complete(&self, expected: impl IntoIterator<Item = String>) {
        let counts = self.counts();
        let lost: Vec<_> = expected.into_iter().filter(|body| !counts.contains_key(body)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }

    /// No message came twice.
    pub(super) fn assert_no_duplicates(&self) {
        let twice: Vec<_> = self.counts().into_iter().filter(|(_, count)| *count > 1).collect();
        assert!(twice.is_empty(), "came again: {twice:?}");
    }

    /// The messages of each queue came in their order.
    pub(super) fn assert_in_order(&self) {
        let mut last: BTreeMap<MessageQueue, i64> = BTreeMap::new();
        for Sighting { queue, offset, .. } in self.all() {
            let before = last.insert(queue.clone(), offset);
            assert!(before.is_none_or(|before| before < offset), "{queue}: {offset} came after {before:?}");
        }
    }

    /// No message came twice, and the messages of each queue came in their order.
    pub(super) fn assert_once_in_order(&self) {
        self.assert_no_duplicates();
        self.assert_in_order();
    }
}

/// `prefix0`, `prefix1` …
pub(super) fn bodies(prefix: &str, count: usize) -> impl Iterator<Item = String> + Clone {
    let prefix = prefix.to_owned();
    (0..count).map(move |number| format!("{prefix}{number}"))
}

/// Waits up to a minute of tokio's time.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    until_within(Duration::from_secs(60), what, holds).await;
}

pub(super) async fn until_within(limit: Duration, what: &str, holds: impl Fn() -> bool) {
    let (began, interval) = (Instant::now(), (limit / 20_000).max(Duration::from_millis(2)));
    while !holds() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(interval).await;
    }
}

/// The events that are there by now.
pub(super) fn drain(events: &mut ConsumerEvents) -> Vec<ConsumerEvent> {
    std::iter::from_fn(|| events.try_next()).collect()
}
