use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rocketmq_remoting::net::TaskOwner;
use tokio::runtime::{self, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::error::{MQClientError, invalid};

/// A thread with a runtime for a core: blocked threads of the user's runtime delay nothing here. Dropping it stops the
/// thread without waiting for it.
#[derive(Debug)]
pub(super) struct OwnThread {
    handle: Handle,
    stop: Arc<Notify>,
    /// The thread and a signal of its end; `None` after the join.
    thread: Mutex<Option<(oneshot::Receiver<()>, JoinHandle<()>)>>,
}

impl OwnThread {
    pub(super) fn start() -> Result<Self, MQClientError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| no_thread(&error))?;
        let handle = runtime.handle().clone();
        let (stop, (end, ended)) = (Arc::new(Notify::new()), oneshot::channel());
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("rocketmq-client".to_owned()).spawn(move || {
            runtime.block_on(stopped.notified());
            // Drop all tasks without waiting for blocking ones.
            runtime.shutdown_background();
            let _ = end.send(());
        });
        let thread = thread.map_err(|error| no_thread(&error))?;
        Ok(Self { handle, stop, thread: Mutex::new(Some((ended, thread))) })
    }

    /// An owner of tasks on this thread.
    pub(super) fn tasks(&self) -> Result<TaskOwner, MQClientError> {
        let _inside = self.handle.enter();
        TaskOwner::new().map_err(|_| MQClientError::NoRuntime)
    }

    /// Stops the thread and joins it within `limit`.
    pub(super) async fn join(&self, limit: Duration) -> bool {
        self.stop.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((ended, thread)) = thread else { return true };
        // `ended` resolves just before the thread ends: the blocking join takes no time. On this thread itself the wait
        // never resumes, because its runtime is gone.
        timeout(limit, ended).await.is_ok() && thread.join().is_ok()
    }
}

fn no_thread(error: &std::io::Error) -> MQClientError {
    invalid("own_thread", format!("the system gives no thread for it: {error}"))
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_run_while_the_caller_blocks_and_the_thread_is_joined() {
        let own = OwnThread::start().unwrap();
        let (done, blocked) = std::sync::mpsc::channel();
        own.tasks().unwrap().spawn(async move {
            done.send(thread::current().name().map(str::to_owned)).unwrap();
        });
        // Blocks the test's only runtime thread.
        let name = blocked.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(name.as_deref(), Some("rocketmq-client"));
        assert!(own.join(Duration::from_secs(10)).await);
        assert!(own.join(Duration::from_secs(10)).await, "a second time there is nothing to do");
    }

    #[tokio::test]
    async fn dropping_it_ends_its_tasks() {
        let own = OwnThread::start().unwrap();
        let (held, ended) = oneshot::channel::<()>();
        own.tasks().unwrap().spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(own);
        assert!(timeout(Duration::from_secs(10), ended).await.unwrap().is_err());
    }
}
