use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Context, MQClientError, SendReport};
use crate::producer::default_mq_producer_impl::{
    BoxFuture, DefaultMQProducerImpl, RunningProducer, current_runtime,
};
use crate::producer::machine::SendPlan;
use crate::producer::permits::{NoPermit, Permit, Permits};

/// Added to the deadline of a send from another runtime, so that the ordinary time-out fires first.
const ELSEWHERE_GRACE: Duration = Duration::from_millis(100);

/// The permit of a send, with a report if the send waited for it.
pub(super) type Admitted<'a> = (Permit<&'a Permits>, Option<Box<SendReport>>);

impl DefaultMQProducerImpl {
    /// Waits until one more send may be in flight.
    #[inline]
    pub(super) async fn admit(&self, body: usize, plan: &SendPlan) -> Result<Admitted<'_>, MQClientError> {
        match self.permits.try_acquire(body) {
            Some(permit) => Ok((permit.of(plan.messages), None)),
            None => self.wait_for_permit(body, plan).await,
        }
    }

    fn wait_for_permit<'a: 'b, 'b>(&'a self, body: usize, plan: &'b SendPlan) -> BoxFuture<'b, Admitted<'a>> {
        Box::pin(async move {
            let permit = self.permits.acquire(body, plan.deadline()).await;
            let now = Instant::now();
            match permit {
                Ok(permit) => Ok((permit.of(plan.messages), Some(plan.waited_for_permit(now)))),
                Err(why) => {
                    // A send that comes after the shutdown is its caller's fault and is not counted.
                    if why == NoPermit::TimedOut {
                        self.note_failure(plan, false);
                    }
                    Err(plan.no_permit(why, now))
                }
            }
        })
    }

    /// Runs a send from another runtime. Tasks of the producer's runtime keep its deadline; the caller keeps it too,
    /// because it cannot see whether that runtime still runs.
    pub(super) async fn within_deadline<T>(
        &self,
        running: &RunningProducer,
        plan: &SendPlan,
        sending: Pin<&mut impl Future<Output = Result<T, MQClientError>>>,
    ) -> Result<T, MQClientError> {
        if !running.is_elsewhere(current_runtime()?) {
            return sending.await;
        }
        let timed = timeout_at(plan.deadline() + ELSEWHERE_GRACE, sending);
        timed.await.unwrap_or_else(|_| {
            Err(MQClientError::TimedOut {
                timeout: plan.timeout,
                waited_for: "the runtime on which the producer was started: it does not run any more, or is blocked",
                context: given_up(),
            })
        })
    }
}

/// The context of a send that was stopped from outside at an unknown step.
fn given_up() -> Box<Context> {
    Context::of(SendReport { given_up: true, ..SendReport::default() })
}

/// The error of a send whose task, or whose connection's task, was stopped: by a shutdown at its limit, or with its
/// runtime.
pub(super) fn abandoned() -> MQClientError {
    MQClientError::Abandoned { context: given_up() }
}
