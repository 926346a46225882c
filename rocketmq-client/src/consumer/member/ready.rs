use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::OwnedQueue;

/// The queues that have messages for workers, each once, in turn.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    line: Mutex<Line>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Line {
    queues: VecDeque<Arc<OwnedQueue>>,
    suspended: bool,
}

impl Ready {
    /// Adds a queue behind the others and wakes a worker.
    pub(crate) fn push(&self, queue: Arc<OwnedQueue>) {
        self.lock().queues.push_back(queue);
        self.wake.notify_one();
    }

    /// Waits for the next queue. Cancel-safe.
    pub(crate) async fn next(&self) -> Arc<OwnedQueue> {
        loop {
            if let Some(queue) = self.pop() {
                return queue;
            }
            self.wake.notified().await;
        }
    }

    /// Stops handing out queues, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.lock().suspended = suspended;
        self.wake.notify_one();
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.lock().suspended
    }

    fn pop(&self) -> Option<Arc<OwnedQueue>> {
        let mut line = self.lock();
        if line.suspended {
            return None;
        }
        let queue = line.queues.pop_front();
        let more = !line.queues.is_empty();
        drop(line);
        // Workers wake each other, as long as there is work.
        if more {
            self.wake.notify_one();
        }
        queue
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
