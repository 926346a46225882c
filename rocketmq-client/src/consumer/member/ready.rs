use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use super::OwnedQueue;

/// The queues that have messages for workers, each once, in turn.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    line: Mutex<Line>,
    wake: Notify,
    suspended: AtomicBool,
}

#[derive(Debug, Default)]
struct Line {
    queues: VecDeque<Arc<OwnedQueue>>,
    /// The reader of a stream, and whether it waits for more messages than there are.
    reader: Option<(Waker, bool)>,
}

impl Ready {
    /// Adds a queue behind the others and wakes a worker.
    pub(crate) fn push(&self, queue: Arc<OwnedQueue>) {
        let reader = {
            let mut line = self.lock();
            line.queues.push_back(queue);
            line.reader.take()
        };
        wake(reader);
        self.wake.notify_one();
    }

    /// Wakes a worker if there is work: the worker that was woken before may sit on a thread that a handler blocks.
    pub(crate) fn nudge(&self) {
        if !self.lock().queues.is_empty() {
            self.wake.notify_one();
        }
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

    /// Waits until a queue may be in line. Cancel-safe.
    pub(crate) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Stops handing out queues, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        let reader = {
            let mut line = self.lock();
            self.suspended.store(suspended, Ordering::Release);
            line.reader.take()
        };
        wake(reader);
        self.wake.notify_one();
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    /// Has the reader of a stream woken when a queue gets in line, and with `for_more` also when a queue in line has more.
    pub(crate) fn register(&self, reader: &Waker, for_more: bool) {
        self.lock().reader = Some((reader.clone(), for_more));
    }

    /// A queue in line has more messages.
    pub(crate) fn more(&self) {
        let reader = self.lock().reader.take_if(|(_, for_more)| *for_more);
        wake(reader);
    }

    /// The queues in line, if they are handed out.
    pub(crate) fn in_line(&self) -> Vec<Arc<OwnedQueue>> {
        let line = self.lock();
        if self.is_suspended() { Vec::new() } else { line.queues.iter().cloned().collect() }
    }

    /// The next queue.
    pub(crate) fn pop(&self) -> Option<Arc<OwnedQueue>> {
        let mut line = self.lock();
        if self.is_suspended() {
            return None;
        }
        let queue = line.queues.pop_front();
        let more = !line.queues.is_empty();
        drop(line);
        // Workers wake each other while there is work.
        if more {
            self.wake.notify_one();
        }
        queue
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs foreign code: no lock is held here.
fn wake(reader: Option<(Waker, bool)>) {
    if let Some((reader, _)) = reader {
        reader.wake();
    }
}
