//! Offsets, queues, locks, members and slaves: tests change their state.

use std::sync::Arc;

use rocketmq_common::MessageQueue;

use super::MockCluster;
use crate::broker::{Broker, BrokerSnapshot, SlaveLag, drop_clients};
use crate::history::BrokerEvent;
use crate::{MockError, RecordDamage};

impl MockCluster {
    /// Commits an offset for a group, like a member would. [`committed_offset`](Self::committed_offset) reads it. The
    /// history names the client `test`.
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
    /// There is no such broker.
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
    /// most to the maximum. Dropped messages can still be read by their ids.
    ///
    /// # Errors
    /// There is no such broker.
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

    /// Damages the stored record of a message, as a fault of the disk would: all later answers have it so. A slave that has copied
    /// it already keeps it whole. Returns false if the queue has no message at this offset.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn damage_record(
        &self,
        queue: &MessageQueue,
        offset: i64,
        damage: RecordDamage,
    ) -> Result<bool, MockError> {
        let mut state = self.broker_of(queue)?.lock();
        let stored = state.topics.get(queue.topic()).and_then(|topic| topic.queue(queue.queue_id()));
        let stored = stored.filter(|stored| stored.min_offset() <= offset);
        let number = stored.and_then(|stored| stored.entries_from(offset).next()).map(|entry| entry.record);
        let Some(number) = number else { return Ok(false) };
        let damaged = state.log.record(number).and_then(|record| damage.inflict(record, 0));
        let is_damaged = damaged.is_some();
        damaged.into_iter().for_each(|bytes| state.log.replace(number, bytes));
        Ok(is_damaged)
    }

    /// Sets the broker id that pull answers of a broker or slave suggest for the next pull. The default is 0, the
    /// master, or where slaves may be read, the broker in the settings of the group. Java: `suggestWhichBrokerId`.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn suggest_broker(&self, server: &str, id: i64) -> Result<(), MockError> {
        self.broker_slot(server)?.0.suggest(id);
        Ok(())
    }

    /// Sets how far a slave lags behind its master from now on. It keeps its present messages. A lagging slave does not
    /// count as a copy, see [`in_sync_replicas`](super::MockClusterBuilder::in_sync_replicas).
    ///
    /// # Errors
    /// There is no such slave.
    pub fn set_slave_lag(&self, slave: &str, lag: SlaveLag) -> Result<(), MockError> {
        let (broker, _) = self.broker_slot(slave)?;
        if !broker.role.set_lag(lag) {
            return Err(MockError::NoSlave { server: slave.to_owned() });
        }
        broker.catch_up();
        Ok(())
    }

    /// Takes a snapshot of a broker's messages and committed offsets. Restoring it imitates a broker that was killed
    /// and lost the data that were not on its disk:
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
    /// There is no such broker.
    pub fn snapshot(&self, broker: &str) -> Result<BrokerSnapshot, MockError> {
        Ok(self.broker_slot(broker)?.0.snapshot())
    }

    /// Restores a broker's messages from a snapshot. All later messages are lost, including delayed messages and half
    /// messages, and their offsets are used again. Topics stay. Committed offsets stay too, and may then lie beyond
    /// the end of their queues.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn restore_store(&self, broker: &str, snapshot: &BrokerSnapshot) -> Result<(), MockError> {
        self.broker_slot(broker)?.0.restore_store(snapshot);
        Ok(())
    }

    /// Restores a broker's committed offsets from a snapshot.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn restore_offsets(&self, broker: &str, snapshot: &BrokerSnapshot) -> Result<(), MockError> {
        self.broker_slot(broker)?.0.restore_offsets(snapshot);
        Ok(())
    }

    /// Makes all brokers give up a client now, as if it had sent no heartbeat for 120 s: it leaves its groups, its
    /// connections are closed, and the other members are not told. Returns the number of closed connections.
    pub fn expire_member(&self, client_id: &str) -> usize {
        self.brokers().map(|broker| drop_clients(broker, |client| client.client_id == client_id)).sum()
    }

    /// Gives the lock of a queue to another client, as if the lock had expired unnoticed.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn steal_lock(&self, group: &str, queue: &MessageQueue, client_id: &str) -> Result<(), MockError> {
        let broker = self.broker_of(queue)?;
        broker.lock().locks.steal(group, queue, client_id, broker.now_ms());
        Ok(())
    }

    /// Makes all brokers forget the locks of a group, like after a restart. Returns the number of forgotten locks.
    pub fn forget_locks(&self, group: &str) -> usize {
        self.brokers().map(|broker| broker.lock().locks.forget(|locked, _, _| locked == group)).sum()
    }

    /// The master that has the queue.
    fn broker_of(&self, queue: &MessageQueue) -> Result<&Arc<Broker>, MockError> {
        let found = self.masters().find(|broker| **broker.name() == *queue.broker_name());
        found.ok_or_else(|| MockError::NoServer { server: queue.broker_name().to_owned() })
    }
}
