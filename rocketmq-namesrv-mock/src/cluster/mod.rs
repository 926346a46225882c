//! A cluster to test against.

mod builder;
mod faults;
mod groups;
mod positions;
mod preload;
mod slot;
mod time;
mod wait;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use builder::MockClusterBuilder;
pub use groups::{GroupConnection, GroupMode};
use rocketmq_common::record::{RecordDecoder, RecordOptions};
use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::net::TaskOwner;
use slot::Slot;
pub(crate) use slot::{ServerChange, Servers};

use crate::MockError;
use crate::broker::{self, Broker, TopicSettings};
use crate::capture::CapturedRequest;
use crate::clock::Clock;
use crate::faults::Admission;
use crate::history::HistoryEntry;
use crate::name_server::Routes;

/// NameServers and brokers on free ports of the loopback, in memory, which answer as Apache RocketMQ 5.5.0 does.
///
/// What it does not know yet it refuses, request codes with code 3 and all else with code 1 and a remark that says so.
/// It never stores a message as something else.
///
/// A message can be pulled as soon as its send is acknowledged; Apache's broker takes a millisecond or two more.
/// Dropping the cluster stops it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rocketmq_namesrv_mock::MockError> {
/// use rocketmq_namesrv_mock::MockCluster;
///
/// let cluster = MockCluster::start().await?;
/// assert!(cluster.name_server_addr().starts_with("127.0.0.1:"));
/// cluster.create_topic("TopicTest", 4)?;
/// // A producer sends here …
/// assert!(cluster.messages("TopicTest").is_empty());
/// cluster.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MockCluster {
    name_servers: Vec<Arc<Slot>>,
    /// Masters first.
    brokers: Vec<(Arc<Broker>, Arc<Slot>)>,
    routes: Vec<Arc<Routes>>,
    clock: Arc<Clock>,
    admission: Arc<Admission>,
    wait_limit: Duration,
    started_in: Duration,
    tasks: TaskOwner,
}

/// How far a queue reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueOffsets {
    /// The queue.
    pub queue: MessageQueue,
    /// The offset of the first message.
    pub min: i64,
    /// The offset behind the last message.
    pub max: i64,
}

impl MockCluster {
    /// Starts one NameServer and one broker. Dropping the future stops what was started.
    ///
    /// # Errors
    /// When no port is free, or outside a tokio runtime.
    pub async fn start() -> Result<Self, MockError> {
        Self::builder().start().await
    }

    /// Settings for another cluster than the default one.
    pub fn builder() -> MockClusterBuilder {
        MockClusterBuilder::default()
    }

    /// The addresses of all NameServers as clients take them: `127.0.0.1:port`, with `;` between several.
    pub fn name_server_addr(&self) -> String {
        let addresses: Vec<String> =
            self.name_servers.iter().map(|server| server.address().to_string()).collect();
        addresses.join(";")
    }

    /// The names of the brokers: `broker-a`, `broker-b` …, and then those of the slaves, if there are any:
    /// `broker-a-s1` ….
    pub fn broker_names(&self) -> Vec<&str> {
        self.brokers.iter().map(|(broker, _)| &**broker.server()).collect()
    }

    /// Where a broker listens; `None` if there is no such broker.
    pub fn broker_addr(&self, name: &str) -> Option<SocketAddr> {
        self.brokers().find(|broker| **broker.server() == *name).map(|broker| broker.address())
    }

    /// What is stored in a topic, bodies inflated, in the order in which each broker stored it: first all of
    /// `broker-a`, then all of `broker-b` and so on. Messages are decoded anew for each call.
    pub fn messages(&self, topic: &str) -> Vec<MessageExt> {
        self.masters().flat_map(|broker| stored_messages(broker, topic)).collect()
    }

    /// How many messages are stored in a topic.
    pub fn message_count(&self, topic: &str) -> usize {
        let count = |broker: &Arc<Broker>| {
            let state = broker.lock();
            let queues = state.topics.get(topic).map(|topic| topic.queues()).unwrap_or_default();
            queues.iter().map(|queue| queue.entries().len()).sum::<usize>()
        };
        self.masters().map(count).sum()
    }

    /// Creates a topic with `queues` queues to read and write on each broker, or changes it.
    ///
    /// # Errors
    /// When the name is none that a topic can have, or the number is above that of 32 bits.
    pub fn create_topic(&self, name: &str, queues: u32) -> Result<(), MockError> {
        let refused = |remark| MockError::Refused { code: broker::INVALID_TOPIC, remark };
        broker::check_topic(name).map_err(refused)?;
        let queues = i32::try_from(queues).map_err(|error| refused(error.to_string()))?;
        for broker in self.masters() {
            broker.put_topic(&mut broker.lock(), TopicSettings::new(name, queues));
        }
        Ok(())
    }

    /// Drops a topic from all brokers and NameServers, with its messages and the offsets of its consumers.
    pub fn delete_topic(&self, name: &str) {
        for broker in self.masters() {
            broker.remove_topic(name);
        }
        for routes in &self.routes {
            routes.delete_topic(name, None);
        }
    }

    /// How far each queue of a topic reaches, in the order of the brokers; empty if there is no such topic.
    pub fn queue_offsets(&self, topic: &str) -> Vec<QueueOffsets> {
        self.masters().flat_map(|broker| queue_offsets(broker, topic)).collect()
    }

    /// How far a group has read a queue; `None` if it never said.
    pub fn committed_offset(&self, group: &str, queue: &MessageQueue) -> Option<i64> {
        let broker = self.masters().find(|broker| **broker.name() == *queue.broker_name())?;
        broker.lock().offsets.get(queue.topic(), group, queue.queue_id())
    }

    /// How many pulls and pops of a topic the brokers hold until a message comes. A test that wants to see a consumer woken
    /// waits for this first.
    pub fn held_pulls(&self, topic: &str) -> usize {
        let count = |broker: &Arc<Broker>| {
            let state = broker.lock();
            state.held.count(topic) + state.pops.held.count(topic)
        };
        self.brokers().map(count).sum()
    }

    /// The last requests that all servers got, oldest first; see [`MockClusterBuilder::captured_requests`].
    pub fn requests(&self) -> Vec<CapturedRequest> {
        self.admission.capture.requests()
    }

    /// What happened at the brokers, oldest first: messages stored, pulled, popped, acknowledged and sent back, offsets
    /// committed, locks, members, notices, connections. The order is that of each broker. Empty unless
    /// [`MockClusterBuilder::history`] says how many events are kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rocketmq_namesrv_mock::MockError> {
    /// use rocketmq_namesrv_mock::{BrokerEvent, MockCluster};
    ///
    /// let cluster = MockCluster::builder().history(100_000).start().await?;
    /// // Consumers work …
    /// let denied = |event: &BrokerEvent| matches!(event, BrokerEvent::Locked { granted: false, .. });
    /// assert!(!cluster.history().iter().any(|entry| denied(&entry.event)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.admission.history.entries()
    }

    /// Stops all servers and closes their connections; what is stored can still be read. Dropping the future leaves them stopping.
    pub async fn shutdown(&self) {
        const LIMIT: Duration = Duration::from_secs(3);
        let brokers = self.brokers.iter().map(|(_, server)| server);
        for server in self.name_servers.iter().chain(brokers) {
            server.stop().await;
        }
        self.tasks.shutdown(LIMIT).await;
    }

    fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.iter().map(|(broker, _)| broker)
    }

    fn masters(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers().filter(|broker| !broker.is_slave())
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // The servers stop by themselves.
        self.tasks.stop();
    }
}

fn stored_messages(broker: &Broker, topic: &str) -> Vec<MessageExt> {
    let mut records = {
        let state = broker.lock();
        let queues = state.topics.get(topic).map(|topic| topic.queues()).unwrap_or_default();
        let entries = queues.iter().flat_map(|queue| queue.entries());
        let record = |number| Some((number, state.log.record(number)?.clone()));
        entries.filter_map(|entry| record(entry.record)).collect::<Vec<_>>()
    };
    records.sort_unstable_by_key(|(number, _)| *number);
    let decoded = records.into_iter().flat_map(|(_, record)| {
        // What cannot be inflated is shown as it was stored.
        let raw = RecordOptions { decompress: false, ..RecordOptions::default() };
        let message = RecordDecoder::new(record.clone()).next().and_then(Result::ok);
        message.or_else(|| RecordDecoder::with_options(record, raw).next().and_then(Result::ok))
    });
    decoded
        .map(|mut message| {
            message.set_broker_name(broker.name().clone());
            message
        })
        .collect()
}

fn queue_offsets(broker: &Broker, topic: &str) -> Vec<QueueOffsets> {
    let state = broker.lock();
    let Some(found) = state.topics.get(topic) else { return Vec::new() };
    let queues = found.config.queue_nums().max(found.queues().len());
    let offsets = |queue_id: i32| QueueOffsets {
        queue: MessageQueue::new(topic, broker.name().clone(), queue_id),
        min: found.queue(queue_id).map_or(0, |queue| queue.min_offset()),
        max: found.queue(queue_id).map_or(0, |queue| queue.max_offset()),
    };
    // There are fewer queues than 32 bits count.
    (0..queues).map(|queue_id| offsets(queue_id as i32)).collect()
}
