use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Starts tasks, and is the only place that does: they run on the runtime on which the owner was made, and are stopped
/// and joined together.
#[derive(Debug, Clone)]
pub struct TaskOwner {
    handle: Handle,
    /// Counts tasks that have not ended.
    live: watch::Sender<usize>,
    /// Wakes the tasks when they are to stop.
    stop: CancellationToken,
    /// Set before `stop` wakes them. A task looks here each time it is polled, which costs a fraction of asking `stop`.
    is_stopped: Arc<AtomicBool>,
}

impl TaskOwner {
    /// An owner on the current runtime.
    ///
    /// # Errors
    /// Called outside a tokio runtime.
    pub fn new() -> Result<Self, tokio::runtime::TryCurrentError> {
        Ok(Self::on(Handle::try_current()?))
    }

    /// Makes another owner on the same runtime, whose tasks are stopped and joined separately.
    pub fn sibling(&self) -> Self {
        Self::on(self.handle.clone())
    }

    fn on(handle: Handle) -> Self {
        Self {
            handle,
            live: watch::Sender::new(0),
            stop: CancellationToken::new(),
            is_stopped: Arc::default(),
        }
    }

    /// The runtime on which the tasks run.
    pub fn runtime(&self) -> tokio::runtime::Id {
        self.handle.id()
    }

    /// Starts a task. Once [`shutdown`](Self::shutdown) has begun, running tasks are dropped at their next await point
    /// and new tasks at once. A task is also dropped at once when the runtime is gone.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Boxed: the wrappers below would copy an unboxed task three times and be compiled for each task type.
        self.spawn_boxed(Box::pin(task));
    }

    #[allow(clippy::disallowed_methods)] // the one place
    fn spawn_boxed(&self, mut task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let counted = Counted::new(self.live.clone());
        let (stop, is_stopped) = (self.stop.clone(), self.is_stopped.clone());
        self.handle.spawn(async move {
            let mut stopped = pin!(stop.cancelled());
            // Once is enough: a task has the same waker for life.
            let mut waits = false;
            poll_fn(|cx| {
                if is_stopped.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                if !waits && stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                waits = true;
                task.as_mut().poll(cx)
            })
            .await;
            drop((task, counted));
        });
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// Resolves when [`shutdown`](Self::shutdown) begins.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Asks all tasks to stop and waits for them, at most `limit`. Returns whether all ended. May be called again.
    /// Dropping the future leaves the tasks stopping.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.stop();
        self.wait(limit).await
    }

    /// Waits at most `limit` for tasks that end by themselves. Returns whether all ended. Dropping the future changes
    /// nothing.
    pub async fn wait(&self, limit: Duration) -> bool {
        let mut live = self.live.subscribe();
        tokio::time::timeout(limit, live.wait_for(|live| *live == 0)).await.is_ok()
    }

    /// Asks all tasks to stop, without waiting: for `Drop`.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.stop.cancel();
    }
}

/// Counts one task until it ends. It is part of the task, so a task that never runs is counted down when dropped.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(live: watch::Sender<usize>) -> Self {
        live.send_modify(|live| *live += 1);
        Self(live)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|live| *live -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shutdown_returns_after_the_last_task_is_gone() {
        let (owner, held) = (TaskOwner::new().unwrap(), Arc::new(()));
        for _ in 0..3 {
            let held = held.clone();
            owner.spawn(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        }
        assert!(owner.shutdown(Duration::from_secs(1)).await);
        assert_eq!(Arc::strong_count(&held), 1);
        // A task started after shutdown is dropped at once.
        let late = held.clone();
        owner.spawn(async move { drop(late) });
        assert!(owner.wait(Duration::from_secs(1)).await);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_tasks_or_at_its_limit() {
        let owner = TaskOwner::new().unwrap();
        owner.spawn(tokio::time::sleep(Duration::from_secs(5)));
        assert!(!owner.wait(Duration::from_secs(4)).await);
        assert!(owner.wait(Duration::from_secs(4)).await);
    }
}
