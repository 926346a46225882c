use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::Tag;

/// The deliveries that are not settled, with the time at which they came.
#[derive(Debug, Default)]
pub(super) struct InHand(Mutex<HashMap<Tag, Instant>>);

impl InHand {
    pub(super) fn insert(&self, tag: Tag) {
        self.inner().insert(tag, Instant::now());
    }

    /// False: it was settled before.
    pub(super) fn remove(&self, tag: Tag) -> bool {
        self.inner().remove(&tag).is_some()
    }

    pub(super) fn drain(&self) -> Vec<Tag> {
        self.inner().drain().map(|(tag, _)| tag).collect()
    }

    /// The number, and the age of the oldest.
    pub(super) fn summary(&self) -> (usize, Option<Duration>) {
        let inner = self.inner();
        (inner.len(), inner.values().min().map(Instant::elapsed))
    }

    fn inner(&self) -> MutexGuard<'_, HashMap<Tag, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
