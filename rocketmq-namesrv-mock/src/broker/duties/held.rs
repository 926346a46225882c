//! Held requests that are due. Java: `PullRequestHoldService`, `PopLongPollingService`.

use std::sync::Arc;

use crate::broker::state::{Broker, HeldRequest};

impl Broker {
    /// Answers the held requests that are due.
    pub(crate) fn answer_due(&self) {
        let due = self.lock().take_due(self.now_ms());
        HeldRequest::wake_all(due, self);
    }
}

/// Answers held requests when they are due. Runs as long as the broker.
pub(crate) async fn expire_held_requests(broker: Arc<Broker>) {
    loop {
        let next = broker.lock().next_held_ms();
        let sooner = broker.held_sooner.notified();
        match next {
            None => sooner.await,
            Some(due_ms) => {
                tokio::select! {
                    biased;
                    () = sooner => {}
                    () = broker.clock.sleep_until(due_ms) => broker.answer_due(),
                }
            }
        }
    }
}
