use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::OwnedQueue;
use crate::consumer::pop::Ack;

/// Acknowledgements of popped messages that wait for the next request to their broker.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    waiting: Mutex<Vec<(Arc<OwnedQueue>, Ack)>>,
    rung: Notify,
}

impl Acks {
    pub(crate) fn add(&self, owned: &Arc<OwnedQueue>, acks: impl IntoIterator<Item = Ack>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = waiting.len();
        waiting.extend(acks.into_iter().map(|ack| (owned.clone(), ack)));
        if before == 0 && !waiting.is_empty() {
            self.rung.notify_one();
        }
    }

    /// Waits until some wait. Cancel-safe.
    pub(crate) async fn some(&self) {
        self.rung.notified().await;
    }

    pub(crate) fn take(&self) -> Vec<(Arc<OwnedQueue>, Ack)> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
