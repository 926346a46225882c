use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Context, MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::metrics::Messages;
use crate::model::MessageQueue;
use crate::otel::SendSpan;
use crate::producer::permits::NoPermit;

/// The settings of one send.
#[derive(Debug, Clone)]
pub(in crate::producer) struct SendPlan {
    pub(in crate::producer) mode: CommunicationMode,
    pub(in crate::producer) began: Instant,
    /// The budget for the whole send.
    pub(in crate::producer) timeout: Duration,
    /// The limit of one attempt, if there is one. The last attempt may use all the time that is left.
    pub(in crate::producer) attempt_limit: Option<Duration>,
    /// Attempts after the first one.
    pub(in crate::producer) retries: u32,
    /// Whether a weakly stored message is also sent to another broker.
    pub(in crate::producer) retry_weakly_stored: bool,
    /// The only allowed queue.
    pub(in crate::producer) queue: Option<MessageQueue>,
    /// Whether the broker must be able to push to this client: the message is a request.
    pub(in crate::producer) wants_reply: bool,
    /// Whether it is a batch of single sends, each of which is counted by itself.
    pub(in crate::producer) is_gathered: bool,
    /// How many messages it is, for the metrics.
    pub(in crate::producer) messages: Messages,
    /// The span of the send.
    pub(in crate::producer) span: SendSpan,
    /// Makes random numbers for jitter.
    pub(in crate::producer) random: fn() -> u64,
}

impl SendPlan {
    pub(in crate::producer) fn deadline(&self) -> Instant {
        self.began + self.timeout
    }

    /// The report of a send that waited for its permit until `now`.
    pub(in crate::producer) fn waited_for_permit(&self, now: Instant) -> Box<SendReport> {
        Box::new(SendReport { waited_for_permits: now - self.began, ..SendReport::default() })
    }

    /// The error of a send that had no permit at `now`.
    pub(in crate::producer) fn no_permit(&self, why: NoPermit, now: Instant) -> MQClientError {
        match why {
            NoPermit::Closed => MQClientError::ShutDown { client: "producer" },
            NoPermit::TimedOut => MQClientError::TimedOut {
                timeout: self.timeout,
                waited_for: "permits: too many sends, or bytes, in flight",
                context: Context::of(*self.waited_for_permit(now)),
            },
        }
    }
}
