use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::CallError;
use crate::protocol::CommandView;

/// A callback: receives the answer of a request that no task waits for. Java: `InvokeCallback`.
///
/// The connection's task calls [`answered`](Self::answered) or [`failed`](Self::failed) once, and the callback task
/// then calls [`call`](Self::call). The callback is dropped without `call` if the connection's tasks are stopped
/// first, or if the first method panics.
pub trait OnAnswer: Send {
    /// Copies what it needs out of the answer, which arrived at `received`. Reading waits until it returns: keep it
    /// short.
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant);

    /// Takes the error of a request that gets no answer.
    fn failed(&mut self, error: CallError);

    /// Runs the user's code. The callbacks of one connection run in turn on one task: it must not block.
    fn call(self: Box<Self>);
}

/// The boxed callback of a request.
pub(super) type Callback = Box<dyn OnAnswer>;

/// The queue of callbacks of one connection that know their outcome and wait to run.
#[derive(Default)]
pub(super) struct Callbacks {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    due: Vec<Callback>,
    task: Option<Waker>,
    /// Set when the connection ended, or when the task that runs the callbacks is gone.
    closed: bool,
}

impl Callbacks {
    /// Appends `due` to the queue, in order.
    pub(super) fn add(&self, due: &mut Vec<Callback>) {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            // Dropping a callback runs user code: do it outside the lock.
            due.clear();
            return;
        }
        queue.due.append(due);
        Queue::wake(queue);
    }

    /// Marks the end of the queue: the task ends after the callbacks that are queued.
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
    /// Wakes the callback task after the lock is released.
    fn wake(mut queue: MutexGuard<'_, Self>) {
        let task = queue.task.take();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Runs the queued callbacks. It is a task of its own, so that slow callbacks hold up neither reading nor writing.
pub(super) struct CallbackTask {
    callbacks: Arc<Callbacks>,
    batch: Vec<Callback>,
}

impl CallbackTask {
    pub(super) fn new(callbacks: Arc<Callbacks>) -> Self {
        Self { callbacks, batch: Vec::new() }
    }

    /// Takes a batch from the queue. `Ready(false)`: the queue is empty and closed.
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
        // Yield between two batches, so that other tasks of this thread run.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Runs user code and catches its panic, so that it ends nothing but its own callback. Returns false on a panic.
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
        // Outside the lock: dropping a callback runs user code.
        drop(left);
    }
}
