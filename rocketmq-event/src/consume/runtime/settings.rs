use std::sync::Arc;
use std::time::Duration;

use crate::consume::{Middleware, Order, RetryPolicy, Unmatched};
use crate::event::Format;

/// The choices of the builder of a consumer.
#[derive(Debug)]
pub(in crate::consume) struct Settings {
    pub(in crate::consume) concurrency: usize,
    pub(in crate::consume) prefetch: Option<usize>,
    pub(in crate::consume) order: Order,
    pub(in crate::consume) policy: RetryPolicy,
    pub(in crate::consume) unmatched: Unmatched,
    pub(in crate::consume) timeout: Option<Duration>,
    pub(in crate::consume) layers: Vec<Arc<dyn Middleware>>,
    pub(in crate::consume) format: Format,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 1,
            prefetch: None,
            order: Order::default(),
            policy: RetryPolicy::default(),
            unmatched: Unmatched::default(),
            timeout: None,
            layers: Vec::new(),
            format: Format::default(),
        }
    }
}

impl Settings {
    /// How many deliveries the runtime holds. With an order by key it holds more than it handles, so that an event whose key is
    /// busy keeps no handler idle.
    pub(in crate::consume) fn in_hand(&self) -> usize {
        match self.order {
            Order::None => self.concurrency,
            Order::ByKey => self.concurrency.saturating_mul(8).max(32),
        }
    }

    /// How many deliveries the source has ready for the runtime.
    pub(in crate::consume) fn ahead(&self) -> usize {
        self.prefetch.unwrap_or(self.concurrency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_events_wait_as_there_are_handlers_unless_told_otherwise() {
        let default = Settings { concurrency: 4, ..Settings::default() };
        assert_eq!((default.in_hand(), default.ahead()), (4, 4));
        let told = Settings { prefetch: Some(100), ..default };
        assert_eq!((told.in_hand(), told.ahead()), (4, 100));
    }
}
