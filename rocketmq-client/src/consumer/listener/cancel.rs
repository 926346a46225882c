use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells a handler to stop: its time is over, its queue goes to another consumer, or the consumer is shutting down.
///
/// A handler that goes on when its time is over is dropped `timeout_grace` later, at an await point. A handler whose queue goes
/// away may still succeed while the release waits for it; if it fails instead, the failure does not count, and the next owner
/// of the queue gets the message.
///
/// `Clone` copies a pointer.
///
/// ```
/// use rocketmq_client::consumer::{ConsumeContext, ConsumeFailure};
///
/// async fn import(rows: Vec<u64>, context: ConsumeContext) -> Result<(), ConsumeFailure> {
///     for row in rows {
///         if context.cancelled.is_cancelled() {
///             return Err(format!("stopped before row {row}").into());
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct CancelToken(Arc<State>);

#[derive(Default)]
struct State {
    cancelled: AtomicBool,
    notify: Notify,
}

impl CancelToken {
    /// A token that is not cancelled, for tests of a listener.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Whether the handler should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Returns when the handler should stop, at once if it should already. Nothing is lost when the future is dropped.
    ///
    /// ```
    /// # use rocketmq_client::consumer::CancelToken;
    /// async fn fetch(cancelled: &CancelToken) -> Option<String> {
    ///     tokio::select! {
    ///         page = async { "a page".to_owned() } => Some(page),
    ///         () = cancelled.cancelled() => None,
    ///     }
    /// }
    /// ```
    pub async fn cancelled(&self) {
        let mut notified = std::pin::pin!(self.0.notify.notified());
        // Registers before the look at the flag: a cancellation in between wakes it.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Cancels the token and wakes what waits for it. The consumer calls it; a test of a listener may, too.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.is_cancelled()).finish()
    }
}

/// Gives each handler a token, and reuses it for the next handler while nothing else holds it: most handlers cost no
/// allocation for theirs.
#[derive(Debug, Default)]
pub(crate) struct CancelSource(CancelToken);

impl CancelSource {
    /// A token that is not cancelled and that no earlier handler holds.
    pub(crate) fn renew(&mut self) -> CancelToken {
        if self.0.is_cancelled() || Arc::strong_count(&self.0.0) > 1 {
            self.0 = CancelToken::new();
        }
        self.0.clone()
    }

    /// Tells the handler that has the last token to stop.
    pub(crate) fn cancel(&self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    #[tokio::test]
    async fn a_cancellation_wakes_waiters_and_later_callers_return_at_once() {
        let token = CancelToken::new();
        {
            let mut waiting = std::pin::pin!(token.cancelled());
            let mut cx = Context::from_waker(Waker::noop());
            assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
            token.clone().cancel();
            waiting.await;
        }
        token.cancelled().await;
    }

    #[test]
    fn a_token_is_used_again_only_by_itself() {
        let mut source = CancelSource::default();
        let first = source.renew();
        let address = Arc::as_ptr(&first.0);
        drop(first);
        let second = source.renew();
        assert_eq!(Arc::as_ptr(&second.0), address, "no allocation");
        let third = source.renew();
        assert_ne!(Arc::as_ptr(&third.0), address, "an earlier handler still holds its token");
        source.cancel();
        assert!(third.is_cancelled() && !second.is_cancelled());
        drop(third);
        assert!(!source.renew().is_cancelled());
    }
}
