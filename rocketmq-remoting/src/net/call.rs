//! A request under way: begun, and awaited.

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

/// A request whose frame is in the write buffer, and whose answer nobody waits for yet. Dropped, it stays so: the peer
/// acts on the request, and its answer is counted as unmatched.
#[must_use = "without a callback nobody gets the answer"]
pub struct BegunCall<'a> {
    pub(super) connection: &'a Connection,
    /// Until it is known who gets the answer.
    pub(super) core: Option<MutexGuard<'a, Core>>,
    pub(super) opaque: i32,
}

impl<'a> BegunCall<'a> {
    /// Has the answer, or why there is none, come to whoever awaits what is returned: the task of this waker.
    pub fn wait(mut self, waker: &Waker) -> PendingCall<'a> {
        if let Some(mut core) = self.core.take() {
            core.session.wait(self.opaque, Waiter::Task(waker.clone()));
            self.connection.notify(core);
        }
        PendingCall { connection: self.connection, opaque: Some(self.opaque) }
    }

    /// Has the answer, or why there is none, go to a callback.
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

/// The answer to a request that was sent, whatever response code it has, or why there is none. Dropping it forgets the
/// request: the peer may still act on it, and its answer is counted as unmatched.
#[must_use = "futures do nothing unless polled"]
pub struct PendingCall<'a> {
    connection: &'a Connection,
    /// Until there is an outcome.
    opaque: Option<i32>,
}

impl Future for PendingCall<'_> {
    type Output = Result<ReceivedFrame, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(opaque) = self.opaque else { return Poll::Pending };
        let mut core = self.connection.shared.lock();
        let ended = std::task::ready!(core.session.poll(opaque, cx.waker()));
        if core.session.is_over() {
            // The last one of a retired connection: let the task close it.
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
        // A caller with a deadline of its own often drops the request at that instant, before the connection's task
        // sees that it is overdue. It is the same time-out.
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
