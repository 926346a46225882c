//! A request that has been sent: first without a waiter, then awaited by a task or given to a callback.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::connection::Core;
use super::{CallError, Connection, OnAnswer, later};
use crate::protocol::{CommandFlag, CommandRef, EncodeHeader, ReceivedFrame, RemotingCommand};
use crate::session::Waiter;

impl Connection {
    /// Sends a request and waits for its answer, whatever its response code. Dropping the future forgets the request:
    /// the peer may still act on it, and its answer counts as unmatched.
    ///
    /// # Errors
    /// [`CallError`]; `CallError::is_unsent` tells whether the peer cannot have seen the request.
    pub async fn call<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<RemotingCommand, CallError> {
        loop {
            let begun = poll_fn(|cx| {
                let begun = self.begin_call(request, deadline);
                Poll::Ready(begun.map(|begun| begun.map(|begun| begun.wait(cx.waker()))))
            });
            match begun.await? {
                Some(pending) => {
                    let answer = pending.await?.into_command();
                    return answer.map_err(|error| CallError::BadAnswer(Arc::new(error)));
                }
                None => self.boxed_wait_for_room(deadline).await?,
            }
        }
    }

    /// Puts a request into the write buffer without waiting. Returns `None` when the write buffer is full: nothing was
    /// sent.
    ///
    /// The returned value holds the connection's lock: say at once whether [a task](BegunCall::wait) or
    /// [a callback](BegunCall::then) gets the answer.
    ///
    /// # Errors
    /// [`CallError`], always of a kind for which nothing was sent.
    pub fn begin_call<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<Option<BegunCall<'_>>, CallError> {
        let mut core = self.shared.lock();
        self.check_open(&core)?;
        if self.is_full(&core) {
            return Ok(None);
        }
        let frame_start = core.enqueued;
        if core.session.earliest_deadline().is_some_and(|earliest| deadline.into_std() < earliest) {
            // The task's timer may be set to a later time: wake the task even if it is awake.
            core.io_awake = false;
        }
        let opaque = if request.hold.is_zero() {
            core.session.begin(deadline.into_std(), frame_start, Waiter::Nobody)
        } else {
            let held_until = later(Instant::now(), request.hold).into_std();
            core.session.park(deadline.into_std(), frame_start, held_until, Waiter::Nobody)
        };
        if let Err(error) =
            self.append(&mut core, request, self.head(request.code, opaque, CommandFlag::REQUEST))
        {
            // A frame that cannot be encoded was not appended: its request must not wait for an answer.
            core.session.cancel(opaque);
            return Err(error);
        }
        Ok(Some(BegunCall { connection: self, core: Some(core), opaque }))
    }
}

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
