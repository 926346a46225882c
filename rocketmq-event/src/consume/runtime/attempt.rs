use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::Runtime;
use crate::backend::Incoming;
use crate::consume::handler::Handler;
use crate::consume::{Context, Failure, Next, Verdict};
use crate::error::{panic_text, with_causes};
use crate::event::FailureKind;

/// Why an attempt failed, and what it asks for.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) kind: FailureKind,
    pub(super) verdict: Verdict,
    pub(super) reason: String,
}

impl Failed {
    pub(super) fn new(kind: FailureKind, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { kind, verdict, reason: reason.into() }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let kind = if failure.verdict() == Verdict::Permanent {
            FailureKind::Permanent
        } else {
            FailureKind::Failed
        };
        Self::new(kind, failure.verdict(), failure.to_string())
    }
}

impl Runtime {
    /// Makes an attempt: decodes, runs the layers and the handler. A panic and a late end are failures.
    pub(super) async fn attempt(
        &self,
        handler: &Handler,
        incoming: &Incoming,
        context: &Context,
    ) -> Result<(), Failed> {
        let decode = || handler(&incoming.envelope, &incoming.body, &self.handlers.upcasts, context.clone());
        let handling = match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(Ok(handling)) => handling,
            Ok(Err(error)) => {
                return Err(Failed::new(FailureKind::Decode, Verdict::Permanent, with_causes(&error)));
            }
            Err(panic) => return Err(panicked(&*panic)),
        };
        let handled = caught(Next::new(&self.settings.layers, handling).run(context));
        match self.settings.timeout {
            None => handled.await,
            Some(limit) => tokio::time::timeout(limit, handled).await.unwrap_or_else(|_| {
                let reason = format!("the handler took longer than {limit:?}");
                Err(Failed::new(FailureKind::Timeout, Verdict::ByPolicy, reason))
            }),
        }
    }
}

/// Runs a future; a panic within is a failure.
async fn caught(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failed> {
    let mut future = pin!(future);
    // After a panic the future is dropped and not polled again, so that nothing sees what it left half done.
    let polled = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(|result| result.map_err(Failed::from)),
        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
    });
    polled.await
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failed {
    let reason = format!("the handler panicked: {}", panic_text(panic));
    Failed::new(FailureKind::Panic, Verdict::ByPolicy, reason)
}
