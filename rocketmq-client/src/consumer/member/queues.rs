use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rocketmq_common::MessageQueue;
use tokio::sync::Notify;

use super::OwnedQueue;

/// The queues that a consumer owns, and the queues that it releases.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    table: RwLock<Table>,
    /// Told when a release is over.
    released: Notify,
}

#[derive(Debug, Default)]
struct Table {
    owned: BTreeMap<MessageQueue, Arc<OwnedQueue>>,
    /// Pulled queues under release. They are taken again when their release is over.
    releasing: BTreeMap<MessageQueue, Arc<OwnedQueue>>,
    /// Queues whose messages were popped. No other member waits for such a queue, and it may be taken again meanwhile unless its
    /// messages have an order.
    lingering: Vec<Arc<OwnedQueue>>,
    /// No queue is taken any more.
    closed: bool,
}

impl Queues {
    pub(crate) fn get(&self, queue: &MessageQueue) -> Option<Arc<OwnedQueue>> {
        self.read().owned.get(queue).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<OwnedQueue>> {
        self.read().owned.values().cloned().collect()
    }

    /// The owned queues, and the queues that are being released: their handlers may run.
    pub(crate) fn all_and_releasing(&self) -> Vec<Arc<OwnedQueue>> {
        let table = self.read();
        table.owned.values().chain(table.releasing.values()).chain(&table.lingering).cloned().collect()
    }

    /// Whether queues of a topic are being released that were pulled.
    pub(crate) fn releases(&self, topic: &str) -> bool {
        self.read().releasing.keys().any(|queue| queue.topic() == topic)
    }

    /// The queues of a topic that are owned.
    pub(crate) fn of_topic(&self, topic: &str) -> BTreeSet<MessageQueue> {
        self.read().owned.keys().filter(|queue| queue.topic() == topic).cloned().collect()
    }

    /// The topics of which queues are owned.
    pub(crate) fn topics(&self) -> BTreeSet<Arc<str>> {
        self.read().owned.keys().map(|queue| queue.shared_topic().clone()).collect()
    }

    /// Adds a queue, unless it is there or is being released. To keep the order, popped messages end before the queue is taken again.
    pub(crate) fn add(&self, owned: Arc<OwnedQueue>) -> bool {
        let is_ordered = owned.lock().order.is_some();
        let mut table = self.write();
        if table.closed
            || table.owned.contains_key(&owned.queue)
            || table.releasing.contains_key(&owned.queue)
            || is_ordered && table.lingering.iter().any(|other| other.queue == owned.queue)
        {
            return false;
        }
        table.owned.insert(owned.queue.clone(), owned);
        true
    }

    /// Replaces an ownership, unless the queue has another ownership by now. True: `new` is in its place.
    pub(crate) fn replace(&self, old: &Arc<OwnedQueue>, new: Arc<OwnedQueue>) -> bool {
        let mut table = self.write();
        match table.owned.get_mut(&old.queue) {
            Some(place) if Arc::ptr_eq(place, old) => {
                *place = new;
                true
            }
            _ => false,
        }
    }

    /// Begins the release of a queue, which [`released`](Self::released) ends.
    pub(crate) fn begin_release(&self, queue: &MessageQueue) -> Option<Arc<OwnedQueue>> {
        let mut table = self.write();
        let owned = table.owned.remove(queue)?;
        match owned.is_pop {
            true => table.lingering.push(owned.clone()),
            false => _ = table.releasing.insert(queue.clone(), owned.clone()),
        }
        Some(owned)
    }

    pub(crate) fn released(&self, owned: &Arc<OwnedQueue>) {
        {
            let mut table = self.write();
            table.lingering.retain(|other| !Arc::ptr_eq(other, owned));
            if table.releasing.get(&owned.queue).is_some_and(|other| Arc::ptr_eq(other, owned)) {
                table.releasing.remove(&owned.queue);
            }
        }
        self.released.notify_waiters();
    }

    /// Waits until no queue is being released.
    pub(crate) async fn all_released(&self) {
        loop {
            let released = self.released.notified();
            if self.read().is_idle() {
                return;
            }
            released.await;
        }
    }

    /// Refuses further queues. Returns the owned queues.
    pub(crate) fn close(&self) -> Vec<Arc<OwnedQueue>> {
        let mut table = self.write();
        table.closed = true;
        table.owned.values().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn is_idle(&self) -> bool {
        self.releasing.is_empty() && self.lingering.is_empty()
    }
}
