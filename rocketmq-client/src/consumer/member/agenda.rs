use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::OwnedQueue;
use super::timetable::Timetable;

/// Which queues need a driver, and when.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    queues: Timetable<Weak<OwnedQueue>>,
    rung: Notify,
}

impl Agenda {
    /// Asks for a look at the queue at this time.
    pub(crate) fn add(&self, at: Instant, queue: &Arc<OwnedQueue>) {
        self.queues.add(at, Arc::downgrade(queue));
    }

    /// Waits until queues are due, and takes them: none after a [`ring`](Self::ring). Cancel-safe.
    pub(crate) async fn due(&self) -> Vec<Arc<OwnedQueue>> {
        tokio::select! {
            biased;
            due = self.queues.due() => due.iter().filter_map(Weak::upgrade).collect(),
            () = self.rung.notified() => Vec::new(),
        }
    }

    /// Lets the driver come round, to show that it runs.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }
}
