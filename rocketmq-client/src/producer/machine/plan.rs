use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Context, MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::metrics::Messages;
use crate::model::MessageQueue;
use crate::producer::permits::NoPermit;

/// How a message is to be sent.
#[derive(Debug, Clone)]
pub(in crate::producer) struct SendPlan {
    pub(in crate::producer) mode: CommunicationMode,
    pub(in crate::producer) began: Instant,
    /// The whole budget.
    pub(in crate::producer) timeout: Duration,
    /// The time of one attempt, if it is limited. The last attempt may use all that is left.
    pub(in crate::producer) attempt_limit: Option<Duration>,
    /// Attempts after the first one.
    pub(in crate::producer) retries: u32,
    /// Whether a message that was stored weakly goes to another broker, too.
    pub(in crate::producer) retry_weakly_stored: bool,
    /// The only queue that the message may go to.
    pub(in crate::producer) queue: Option<MessageQueue>,
    /// The broker must be able to push to this client: the message is a request.
    pub(in crate::producer) wants_reply: bool,
    /// It is a batch of single sends, and each of them is counted by itself.
    pub(in crate::producer) is_gathered: bool,
    /// How many messages it is, for the metrics.
    pub(in crate::producer) messages: Messages,
    /// Makes the numbers for jitter.
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

    /// The error of a send that got no permit until `now`.
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
