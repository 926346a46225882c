//! Positions and trouble: what a test does to offsets, queues, locks, members and slaves.

use std::sync::Arc;

use rocketmq_common::MessageQueue;

use super::MockCluster;
use crate::MockError;
use crate::broker::{Broker, BrokerSnapshot, SlaveLag, drop_clients};
use crate::history::BrokerEvent;

impl MockCluster {
    /// Commits an offset for a group, as if one of its members had. [`committed_offset`](Self::committed_offset) reads
    /// it. A history calls the client `test`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rocketmq_common::MessageQueue;
    /// use rocketmq_namesrv_mock::MockCluster;
    ///
    /// let cluster = MockCluster::start().await?;
    /// cluster.preload("TopicTest", 1, 100, b"hello")?;
    /// let queue = MessageQueue::new("TopicTest", "broker-a", 0);
    /// cluster.commit_offset("group", &queue, 40)?;
    /// cluster.trim_queue(&queue, 60)?;
    /// // The group finds that 20 messages are gone …
    /// assert_eq!(cluster.committed_offset("group", &queue), Some(40));
    /// assert_eq!(cluster.queue_offsets("TopicTest")[0].min, 60);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn commit_offset(&self, group: &str, queue: &MessageQueue, offset: i64) -> Result<(), MockError> {
        let broker = self.broker_of(queue)?;
        let mut state = broker.lock();
        state.offsets.commit(queue.topic(), group, queue.queue_id(), offset);
        broker.recorder.note(|| BrokerEvent::Committed {
            group: group.into(),
            client: "test".into(),
            queue: queue.clone(),
            offset,
        });
        Ok(())
    }

    /// Drops the messages of a queue before an offset, as if old files had been deleted: the minimum offset rises, at
    /// most to the maximum. Messages that are gone can still be read by their ids.
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn trim_queue(&self, queue: &MessageQueue, min_offset: i64) -> Result<(), MockError> {
        let broker = self.broker_of(queue)?;
        let mut state = broker.lock();
        let topic = state.topics.get_mut(queue.topic());
        if let Some(queue) = topic.and_then(|topic| topic.queue_mut(queue.queue_id())) {
            queue.trim(min_offset);
        }
        drop(state);
        broker.role.tell_slaves();
        Ok(())
    }

    /// Lets pull answers of a broker or a slave tell clients to read from the broker with this id next: 0 for the
    /// master, which is what they tell at first. Java: `suggestWhichBrokerId`.
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn suggest_broker(&self, server: &str, id: i64) -> Result<(), MockError> {
        self.broker_slot(server)?.0.suggest(id);
        Ok(())
    }

    /// Lets a slave lag behind its master from now on, or no longer. What it has, it keeps. A slave that lags does not
    /// count as a copy, see [`in_sync_replicas`](super::MockClusterBuilder::in_sync_replicas).
    ///
    /// # Errors
    /// When there is no such slave.
    pub fn set_slave_lag(&self, slave: &str, lag: SlaveLag) -> Result<(), MockError> {
        let (broker, _) = self.broker_slot(slave)?;
        if !broker.role.set_lag(lag) {
            return Err(MockError::NoSlave { server: slave.to_owned() });
        }
        broker.catch_up();
        Ok(())
    }

    /// Remembers what a broker has stored: messages and committed offsets. A broker that is killed may come back
    /// without what was not written to its disk yet:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rocketmq_namesrv_mock::MockError> {
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// let before = cluster.snapshot("broker-a")?;
    /// // Messages are sent and consumed …
    /// cluster.crash_broker("broker-a").await?;
    /// cluster.restore_offsets("broker-a", &before)?; // The messages stay, and come again.
    /// cluster.start_broker("broker-a").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn snapshot(&self, broker: &str) -> Result<BrokerSnapshot, MockError> {
        Ok(self.broker_slot(broker)?.0.snapshot())
    }

    /// Lets a broker have the messages that it had then: all later ones are lost, delayed ones and halves of
    /// transactions included, and their offsets are given away again. Its topics stay. So do committed offsets, which
    /// may lie beyond the end of their queues then.
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn restore_store(&self, broker: &str, snapshot: &BrokerSnapshot) -> Result<(), MockError> {
        self.broker_slot(broker)?.0.restore_store(snapshot);
        Ok(())
    }

    /// Lets a broker have the committed offsets that it had then.
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn restore_offsets(&self, broker: &str, snapshot: &BrokerSnapshot) -> Result<(), MockError> {
        self.broker_slot(broker)?.0.restore_offsets(snapshot);
        Ok(())
    }

    /// Lets all brokers give up a client now, as if it had sent no heartbeat for 120 s: it is taken out of its groups,
    /// its connections are closed, and the other members are not told. Returns how many connections were closed.
    pub fn expire_member(&self, client_id: &str) -> usize {
        self.brokers().map(|broker| drop_clients(broker, |client| client.client_id == client_id)).sum()
    }

    /// Gives the lock of a queue to another client, whoever has it, as if the lock had expired unnoticed.
    ///
    /// # Errors
    /// When there is no such broker.
    pub fn steal_lock(&self, group: &str, queue: &MessageQueue, client_id: &str) -> Result<(), MockError> {
        let broker = self.broker_of(queue)?;
        broker.lock().locks.steal(group, queue, client_id, broker.now_ms());
        Ok(())
    }

    /// Lets all brokers forget the locks of a group, as a broker does that restarts. Returns how many there were.
    pub fn forget_locks(&self, group: &str) -> usize {
        self.brokers().map(|broker| broker.lock().locks.forget(|locked, _, _| locked == group)).sum()
    }

    /// The master that has a queue.
    fn broker_of(&self, queue: &MessageQueue) -> Result<&Arc<Broker>, MockError> {
        let found = self.masters().find(|broker| **broker.name() == *queue.broker_name());
        found.ok_or_else(|| MockError::NoServer { server: queue.broker_name().to_owned() })
    }
}
