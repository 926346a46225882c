use crate::model::MessageQueue;

/// Options of one send that replace the producer's.
///
/// ```
/// use rocketmq_client::producer::SendOptions;
///
/// let urgent = SendOptions::new().timeout(500).retry_times(0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct SendOptions {
    pub(super) timeout: Option<u64>,
    pub(super) retry_times: Option<u32>,
    pub(super) queue: Option<MessageQueue>,
}

impl SendOptions {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The budget in ms, including retries, instead of `send_msg_timeout`.
    pub fn timeout(mut self, ms: u64) -> Self {
        self.timeout = Some(ms);
        self
    }

    /// How many times a failed send is retried, instead of `retry_times_when_send_failed`.
    pub fn retry_times(mut self, times: u32) -> Self {
        self.retry_times = Some(times);
        self
    }

    /// The only queue for the message; retries stay on it.
    pub fn queue(mut self, queue: MessageQueue) -> Self {
        self.queue = Some(queue);
        self
    }
}
