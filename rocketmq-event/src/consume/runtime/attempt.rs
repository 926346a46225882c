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
    /// Makes an attempt: decodes, runs the layers and the handler, publishes. A panic and a late end are failures.
    pub(super) async fn attempt(
        &self,
        handler: &Handler,
        incoming: &Incoming,
        context: &Context,
    ) -> Result<(), Failed> {
        // Within, so that the end of a handler's future and the text of its error may panic as well.
        caught(async {
            let decoded =
                handler(&incoming.envelope, &incoming.body, &self.handlers.upcasts, context.clone());
            let undecodable =
                |error| Failed::new(FailureKind::Decode, Verdict::Permanent, with_causes(&error));
            let handling = decoded.map_err(undecodable)?;
            // Before the layers see the success: what `Dedupe` notes as handled is published.
            let publishing = async {
                handling.await?;
                self.publish_all(context.take_published()).await
            };
            let handled = async {
                Next::new(&self.settings.layers, Box::pin(publishing)).run(context).await?;
                // What the layers published.
                self.publish_all(context.close()).await
            };
            match self.settings.timeout {
                None => handled.await.map_err(Failed::from),
                Some(limit) => tokio::time::timeout(limit, handled).await.map_or_else(
                    |_| {
                        let reason = format!("the handler took longer than {limit:?}");
                        Err(Failed::new(FailureKind::Timeout, Verdict::ByPolicy, reason))
                    },
                    |handled| handled.map_err(Failed::from),
                ),
            }
        })
        .await
    }
}

/// Runs a future; a panic within is a failure.
async fn caught(future: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let mut future = pin!(future);
    // After a panic the future is dropped and not polled again, so that nothing sees what it left half done.
    let polled = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
    });
    polled.await
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failed {
    let reason = format!("the handler panicked: {}", panic_text(panic));
    Failed::new(FailureKind::Panic, Verdict::ByPolicy, reason)
}
