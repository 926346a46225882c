use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::CallError;
use crate::protocol::CommandView;

/// Gets the answer of a request that no task waits for. Java: `InvokeCallback`.
///
/// One of [`answered`](Self::answered) and [`failed`](Self::failed) is called, once, on the task of the connection, and
/// then [`call`](Self::call). Dropped without a call means that the connection's tasks were stopped first, or that the first
/// one panicked.
pub trait OnAnswer: Send {
    /// Takes from an answer, which was received then, what it needs: frames wait to be read until it returns.
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant);

    /// There is no answer.
    fn failed(&mut self, error: CallError);

    /// Goes on with that, on a task that runs the callbacks of one connection in turn: it must not block.
    fn call(self: Box<Self>);
}

/// A callback of a request.
pub(super) type Callback = Box<dyn OnAnswer>;

/// What is due to be called back on one connection.
#[derive(Default)]
pub(super) struct Callbacks {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    due: Vec<Callback>,
    task: Option<Waker>,
    /// No more will come, or nobody is left to call them.
    closed: bool,
}

impl Callbacks {
    /// Has these called, in order.
    pub(super) fn add(&self, due: &mut Vec<Callback>) {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            // Dropping runs foreign code.
            due.clear();
            return;
        }
        queue.due.append(due);
        Queue::wake(queue);
    }

    /// No more will come: the task ends after those that are due.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        Queue::wake(queue);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Wakes the task that calls, outside the lock.
    fn wake(mut queue: MutexGuard<'_, Self>) {
        let task = queue.task.take();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Calls what is due. A task of its own, so that slow callbacks keep no frame from being read or written.
pub(super) struct CallbackTask {
    callbacks: Arc<Callbacks>,
    batch: Vec<Callback>,
}

impl CallbackTask {
    pub(super) fn new(callbacks: Arc<Callbacks>) -> Self {
        Self { callbacks, batch: Vec::new() }
    }

    /// Fetches what is due. Ready with false: nothing is, and nothing will be.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut queue = self.callbacks.lock();
        if queue.due.is_empty() {
            if queue.closed {
                return Poll::Ready(false);
            }
            queue.task = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut queue.due, &mut self.batch);
        Poll::Ready(true)
    }
}

impl Future for CallbackTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !std::task::ready!(this.poll_batch(cx)) {
            return Poll::Ready(());
        }
        for callback in this.batch.drain(..) {
            guard(|| callback.call());
        }
        // Others on the same thread get their turn between two batches.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Runs foreign code, whose panic is nobody else's. False: it panicked.
#[inline]
pub(super) fn guard(foreign: impl FnOnce()) -> bool {
    let done = catch_unwind(AssertUnwindSafe(foreign)).is_ok();
    if !done {
        tracing::error!("a callback panicked");
    }
    done
}

impl Drop for CallbackTask {
    fn drop(&mut self) {
        let mut queue = self.callbacks.lock();
        queue.closed = true;
        let left = std::mem::take(&mut queue.due);
        drop(queue);
        // Outside the lock: dropping runs foreign code.
        drop(left);
    }
}
