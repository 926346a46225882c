use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Member, OwnedQueue, Ownership, Stage};
use crate::consumer::pull::{FlowLoad, Throttle};

/// Limits of the cache: of each queue, and of all queues together.
impl Member {
    /// Goes on with queues that wait for the budget of the consumer.
    pub(super) fn wake_for_budget(&self) {
        for owned in self.queues.all() {
            let mut state = owned.lock();
            let waits = matches!(state.stage, Stage::Throttled(Throttle::Budget));
            if waits && self.throttle(&owned, &state) != Some(Throttle::Budget) {
                self.budget_waits.fetch_sub(1, Ordering::Relaxed);
                state.enter(Stage::Idle);
                self.agenda.add(Instant::now(), &owned);
            }
        }
    }

    /// The limit that forbids a queue to pull now.
    pub(crate) fn throttle(&self, owned: &OwnedQueue, state: &Ownership) -> Option<Throttle> {
        let window = state.window.as_ref()?;
        let limits = if owned.is_pop { &self.settings.pop.limits } else { &self.settings.limits };
        let per_topic = limits.topic_count.is_some() || limits.topic_bytes.is_some();
        let load = FlowLoad {
            count: window.count(),
            bytes: window.pinned(),
            span: window.span(),
            queues_of_topic: if per_topic { self.queues.of_topic(owned.queue.topic()).len() } else { 1 },
            consumer_bytes: self.cached_bytes.load(Ordering::SeqCst),
        };
        limits.throttle(&load)
    }

    /// Whether the cache would be a quarter above the budget of the consumer with `more` bytes more.
    pub(crate) fn is_full_with(&self, more: u64) -> bool {
        let cached = self.cached_bytes.load(Ordering::Relaxed) + more;
        self.settings.limits.budget.is_some_and(|budget| cached >= budget.saturating_add(budget / 4))
    }
}
