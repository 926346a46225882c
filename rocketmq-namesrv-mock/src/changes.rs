//! Waiting for something to happen in a cluster, without looking again and again.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::clock::deadline;

/// Told after everything that a test could be waiting for.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    notify: Notify,
}

impl Changes {
    /// Something happened.
    pub(crate) fn tell(&self) {
        self.notify.notify_waiters();
    }

    /// Looks at once and after each change until there is a value or the time is up.
    pub(crate) async fn wait<T>(&self, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = deadline(limit);
        loop {
            let mut change = pin!(self.notify.notified());
            // Before looking, so that no change is missed.
            change.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            if timeout_at(deadline, change).await.is_err() {
                return look();
            }
        }
    }
}
