//! Requests that have waited long enough. Java: `PullRequestHoldService`, `PopLongPollingService`.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::broker::state::Broker;

/// Answers requests when their time has come. Runs as long as the broker does.
pub(crate) async fn expire_held_requests(broker: Arc<Broker>) {
    loop {
        let next = broker.lock().next_held();
        let sooner = broker.held_sooner.notified();
        match next {
            None => sooner.await,
            Some(due) => {
                tokio::select! {
                    () = sooner => {}
                    () = sleep_until(due) => {
                        let now = Instant::now();
                        let due = broker.lock().take_due(now);
                        due.into_iter().for_each(|pull| pull.wake(&broker));
                    }
                }
            }
        }
    }
}
