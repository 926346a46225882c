use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The one place that starts tasks: they run on the runtime it was made on, and are stopped and joined together.
#[derive(Debug, Clone)]
pub struct TaskOwner {
    handle: Handle,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl TaskOwner {
    /// An owner on the current runtime.
    ///
    /// # Errors
    /// When the calling thread is outside a tokio runtime.
    pub fn new() -> Result<Self, tokio::runtime::TryCurrentError> {
        let handle = Handle::try_current()?;
        Ok(Self { handle, tracker: TaskTracker::new(), stop: CancellationToken::new() })
    }

    /// Starts a task. It is dropped at its next await point once [`shutdown`](Self::shutdown) has asked
    /// all tasks to stop; after that, or when the runtime is gone, it is dropped at once.
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Boxed: wrapped as it is, the task would be there three times over.
        let (stop, task) = (self.stop.clone(), Box::pin(task));
        self.tracker.spawn_on(
            async move {
                let _ = stop.run_until_cancelled(task).await;
            },
            &self.handle,
        );
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves when [`shutdown`](Self::shutdown) begins.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Asks all tasks to stop and waits for them, at most for `limit`. Returns whether all ended. May be
    /// called again; dropping the future leaves the tasks stopping.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }

    /// Waits for tasks that end by themselves, at most for `limit`. Returns whether all did.
    pub async fn close_and_wait(&self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }

    /// Asks all tasks to stop, without waiting: for `Drop`.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }
}
