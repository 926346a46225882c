//! Waiting for something to happen in a cluster, without polling.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::clock::deadline;

/// Notified after every change that a test may wait for.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    notify: Notify,
}

impl Changes {
    /// Notifies the waiting tests of a change.
    pub(crate) fn tell(&self) {
        self.notify.notify_waiters();
    }

    /// Calls `look` at once and after each change, until it returns a value or the time is up.
    pub(crate) async fn wait<T>(&self, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = deadline(limit);
        loop {
            let mut change = pin!(self.notify.notified());
            // Register before looking, so that no change is missed.
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
