//! A request that has been sent: first without a waiter, then awaited by a task or given to a callback.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::connection::Core;
use super::{CallError, Connection, OnAnswer};
use crate::protocol::ReceivedFrame;
use crate::session::Waiter;

/// A request whose frame is in the write buffer and whose answer has no receiver yet. Dropping it does not take the
/// request back: the peer acts on it, and its answer counts as unmatched.
#[must_use = "without a callback nobody gets the answer"]
pub struct BegunCall<'a> {
    pub(super) connection: &'a Connection,
    /// The connection's lock, held until the answer has a receiver: no answer can arrive before.
    pub(super) core: Option<MutexGuard<'a, Core>>,
    pub(super) opaque: i32,
}

impl<'a> BegunCall<'a> {
    /// Returns a future that resolves to the answer or to the error. `waker` is the waker of the task that will poll
    /// it.
    pub fn wait(mut self, waker: &Waker) -> PendingCall<'a> {
        if let Some(mut core) = self.core.take() {
            core.session.wait(self.opaque, Waiter::Task(waker.clone()));
            self.connection.notify(core);
        }
        PendingCall { connection: self.connection, opaque: Some(self.opaque) }
    }

    /// Passes the answer or the error to a callback.
    pub fn then(mut self, callback: Box<dyn OnAnswer>) {
        if let Some(mut core) = self.core.take() {
            core.session.wait(self.opaque, Waiter::Callback(callback));
            self.connection.notify(core);
        }
    }
}

impl Drop for BegunCall<'_> {
    fn drop(&mut self) {
        if let Some(mut core) = self.core.take() {
            core.session.cancel(self.opaque);
            self.connection.notify(core);
        }
    }
}

impl fmt::Debug for BegunCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BegunCall").field("opaque", &self.opaque).finish_non_exhaustive()
    }
}

/// Resolves to the answer of a sent request, whatever its response code, or to the error. Dropping it forgets the
/// request: the peer may still act on it, and its answer counts as unmatched.
#[must_use = "futures do nothing unless polled"]
pub struct PendingCall<'a> {
    connection: &'a Connection,
    /// The request's id; `None` once the outcome was taken.
    opaque: Option<i32>,
}

impl Future for PendingCall<'_> {
    type Output = Result<ReceivedFrame, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(opaque) = self.opaque else { return Poll::Pending };
        let mut core = self.connection.shared.lock();
        let ended = std::task::ready!(core.session.poll(opaque, cx.waker()));
        if core.session.is_over() {
            // This may have been the last request of a retired connection, which its task then closes.
            self.connection.notify(core);
        } else {
            drop(core);
        }
        self.opaque = None;
        Poll::Ready(ended.map_err(|end| CallError::new(end, || self.connection.end_reason())))
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        let Some(opaque) = self.opaque else { return };
        let shared = &self.connection.shared;
        let now = Instant::now();
        let (progress, mut core) = (shared.progress(now), shared.lock());
        // A caller with its own deadline often drops the request at that very instant, before the connection's task
        // sweeps the table. Report the time-out here, or a silent peer would never be noticed.
        core.session.abandon(opaque, now.into_std(), progress);
        if core.session.is_retired() {
            shared.retire();
            self.connection.notify(core);
        }
    }
}

impl fmt::Debug for PendingCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall").field("opaque", &self.opaque).finish_non_exhaustive()
    }
}
