use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::broker::Shared;
use super::state::{MemberId, Next};
use crate::backend::{BackendError, Incoming, Source, SubscriptionSpec, Tag};

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member {
    broker: Arc<Shared>,
    closed: CancellationToken,
    id: MemberId,
    spec: SubscriptionSpec,
    /// The tokens that tell that a delivery is not ours any longer.
    out: Mutex<HashMap<Tag, CancellationToken>>,
}

impl Member {
    pub(super) fn join(broker: Arc<Shared>, closed: CancellationToken, spec: SubscriptionSpec) -> Self {
        let id = {
            let mut state = broker.state();
            state.join(&spec);
            state.number()
        };
        Self { broker, closed, id, spec, out: Mutex::default() }
    }

    fn out(&self) -> MutexGuard<'_, HashMap<Tag, CancellationToken>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.closed.cancel();
        self.broker.state().leave(&self.spec, self.id);
        for (_, revoked) in self.out().drain() {
            revoked.cancel();
        }
        self.broker.changed.notify_waiters();
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&self) -> Result<Option<Incoming>, BackendError> {
        loop {
            let mut changed = pin!(self.broker.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.closed.is_cancelled() {
                return Ok(None);
            }
            let next = self.broker.state().next(&self.spec, self.id, Instant::now());
            let due = match next {
                Next::Delivery(incoming) => {
                    self.out().insert(incoming.tag, incoming.revoked.clone());
                    return Ok(Some(*incoming));
                }
                Next::Wait(due) => due,
            };
            let until_due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = until_due => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    async fn acknowledge(&self, tag: Tag) -> Result<(), BackendError> {
        self.out().remove(&tag);
        self.broker.state().acknowledge(&self.spec, tag);
        self.broker.changed.notify_waiters();
        Ok(())
    }

    async fn release(&self, tag: Tag) -> Result<(), BackendError> {
        self.out().remove(&tag);
        self.broker.state().release(&self.spec, tag);
        self.broker.changed.notify_waiters();
        Ok(())
    }

    fn is_connected(&self) -> bool {
        !self.closed.is_cancelled()
    }

    async fn close(&self, _: Duration) -> Result<(), BackendError> {
        self.leave();
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}
