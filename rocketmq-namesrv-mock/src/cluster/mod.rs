//! The cluster, as tests use it.
//!
//! * `builder`: settings and start. `slot`: a server that can stop and come back.
//! * `wait`, `time`: waiting for events, moving the clock.
//! * `faults`: rules, and servers that stop or disagree. `positions`: offsets, locks, members, snapshots.
//! * `groups`: state of consumer groups. `preload`: topics that are full from the start.

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

/// NameServers and brokers on free ports of the loopback, in memory, that answer like Apache RocketMQ 5.5.0.
///
/// A request code that the mock does not know is refused with code 3. A feature that it does not know is refused with
/// code 1 and a remark that names it; it never stores a message wrongly.
///
/// A message can be pulled as soon as its send is acknowledged; Apache's broker takes one or two milliseconds more.
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
    /// All brokers: masters first, then slaves.
    brokers: Vec<(Arc<Broker>, Arc<Slot>)>,
    routes: Vec<Arc<Routes>>,
    clock: Arc<Clock>,
    admission: Arc<Admission>,
    wait_limit: Duration,
    started_in: Duration,
    tasks: TaskOwner,
}

/// The range of offsets in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueOffsets {
    /// The queue.
    pub queue: MessageQueue,
    /// The offset of the first message.
    pub min: i64,
    /// The offset after the last message.
    pub max: i64,
}

impl MockCluster {
    /// Starts one NameServer and one broker. Dropping the future stops the servers started so far.
    ///
    /// # Errors
    /// No port is free, or the call is outside a tokio runtime.
    pub async fn start() -> Result<Self, MockError> {
        Self::builder().start().await
    }

    /// Settings for a cluster other than the default.
    pub fn builder() -> MockClusterBuilder {
        MockClusterBuilder::default()
    }

    /// The addresses of all NameServers in the form that clients take: `127.0.0.1:port`, separated by `;`.
    pub fn name_server_addr(&self) -> String {
        let addresses: Vec<String> =
            self.name_servers.iter().map(|server| server.address().to_string()).collect();
        addresses.join(";")
    }

    /// The names of the masters, `broker-a`, `broker-b` …, followed by the names of the slaves, `broker-a-s1` ….
    pub fn broker_names(&self) -> Vec<&str> {
        self.brokers.iter().map(|(broker, _)| &**broker.server()).collect()
    }

    /// The address on which a broker listens; `None` if there is no such broker.
    pub fn broker_addr(&self, name: &str) -> Option<SocketAddr> {
        self.brokers().find(|broker| **broker.server() == *name).map(|broker| broker.address())
    }

    /// All messages of a topic, with inflated bodies. They come broker by broker (`broker-a` first), in the order in
    /// which each broker stored them. Each call decodes them anew.
    pub fn messages(&self, topic: &str) -> Vec<MessageExt> {
        self.masters().flat_map(|broker| stored_messages(broker, topic)).collect()
    }

    /// The number of messages in a topic.
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
    /// The name is not valid for a topic, or the number of queues exceeds 31 bits.
    pub fn create_topic(&self, name: &str, queues: u32) -> Result<(), MockError> {
        let refused = |remark| MockError::Refused { code: broker::INVALID_TOPIC, remark };
        broker::check_topic(name).map_err(refused)?;
        let queues = i32::try_from(queues).map_err(|error| refused(error.to_string()))?;
        for broker in self.masters() {
            broker.put_topic(&mut broker.lock(), TopicSettings::new(name, queues));
        }
        Ok(())
    }

    /// Deletes a topic from all brokers and NameServers, with its messages and committed offsets.
    pub fn delete_topic(&self, name: &str) {
        for broker in self.masters() {
            broker.remove_topic(name);
        }
        for routes in &self.routes {
            routes.delete_topic(name, None);
        }
    }

    /// The offsets of each queue of a topic, in the order of the brokers; empty if there is no such topic.
    pub fn queue_offsets(&self, topic: &str) -> Vec<QueueOffsets> {
        self.masters().flat_map(|broker| queue_offsets(broker, topic)).collect()
    }

    /// The committed offset of a group in a queue; `None` if there is none.
    pub fn committed_offset(&self, group: &str, queue: &MessageQueue) -> Option<i64> {
        let broker = self.masters().find(|broker| **broker.name() == *queue.broker_name())?;
        broker.lock().offsets.get(queue.topic(), group, queue.queue_id())
    }

    /// The number of pulls and pops of a topic that the brokers hold until a message comes. Wait for it before you
    /// test that a message wakes a consumer.
    pub fn held_pulls(&self, topic: &str) -> usize {
        let count = |broker: &Arc<Broker>| {
            let state = broker.lock();
            state.held.count(topic) + state.pops.held.count(topic)
        };
        self.brokers().map(count).sum()
    }

    /// The latest requests of all servers, oldest first; see [`MockClusterBuilder::captured_requests`].
    pub fn requests(&self) -> Vec<CapturedRequest> {
        self.admission.capture.requests()
    }

    /// The events at the brokers, oldest first: messages stored, pulled, popped, acknowledged and returned, committed
    /// offsets, locks, members, notices, connections. Events of one broker are in their true order. Empty unless
    /// [`MockClusterBuilder::history`] sets how many events are kept.
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

    /// Stops all servers and closes their connections; stored messages can still be read. Dropping the future leaves
    /// the servers stopping.
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
        // Drop cannot wait: the servers end by themselves.
        self.tasks.stop();
    }
}

fn stored_messages(broker: &Broker, topic: &str) -> Vec<MessageExt> {
    let mut records = {
        let state = broker.lock();
        let queues = state.topics.get(topic).map(|topic| topic.queues()).unwrap_or_default();
        let entries = queues.iter().flat_map(|queue| queue.entries()).filter(|entry| entry.index == 0);
        let record = |number| Some((number, state.log.record(number)?.clone()));
        entries.filter_map(|entry| record(entry.record)).collect::<Vec<_>>()
    };
    records.sort_unstable_by_key(|(number, _)| *number);
    let decoded = records.into_iter().flat_map(|(_, record)| {
        // A body that cannot be inflated is returned as it was stored.
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
    // The cast fits: a topic has fewer queues than 32 bits can count.
    (0..queues).map(|queue_id| offsets(queue_id as i32)).collect()
}
