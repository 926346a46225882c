use crate::consumer::watch::Throttle;

/// The limits of a consumer. `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowLimits {
    /// Messages per queue.
    pub(crate) queue_count: usize,
    /// Bytes per queue.
    pub(crate) queue_bytes: u64,
    /// Messages per topic: replaces the limit per queue by an equal share for each owned queue.
    pub(crate) topic_count: Option<usize>,
    /// Bytes per topic, shared likewise.
    pub(crate) topic_bytes: Option<u64>,
    /// Offsets per queue; not for orderly consumers, which finish in order anyway.
    pub(crate) span: Option<i64>,
    /// Bytes of the whole consumer.
    pub(crate) budget: Option<u64>,
}

/// The contents of the cache of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowLoad {
    /// Messages of the queue.
    pub(crate) count: usize,
    /// Bytes of the queue.
    pub(crate) bytes: u64,
    /// Span of the queue.
    pub(crate) span: i64,
    /// Queues of the topic that the consumer owns now: counted at each look, so that a rebalance has nothing to update.
    pub(crate) queues_of_topic: usize,
    /// Bytes of the consumer.
    pub(crate) consumer_bytes: u64,
}

impl FlowLimits {
    /// The first limit that the load has reached; without one, the queue may pull. An answer overshoots a limit by one
    /// batch at most.
    pub(crate) fn throttle(&self, load: &FlowLoad) -> Option<Throttle> {
        let queues = load.queues_of_topic.max(1);
        let count = self.topic_count.map_or(self.queue_count, |topic| topic / queues);
        let bytes = self.topic_bytes.map_or(self.queue_bytes, |topic| topic / queues as u64);
        // A share of zero would stop the queue for good.
        if load.count >= count.max(1) {
            Some(Throttle::Count)
        } else if load.bytes >= bytes.max(1) {
            Some(Throttle::Bytes)
        } else if self.span.is_some_and(|span| load.span >= span.max(1)) {
            Some(Throttle::Span)
        } else if self.budget.is_some_and(|budget| load.consumer_bytes >= budget.max(1)) {
            Some(Throttle::Budget)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FlowLimits = FlowLimits {
        queue_count: 1_000,
        queue_bytes: 100,
        topic_count: None,
        topic_bytes: None,
        span: Some(2_000),
        budget: Some(500),
    };

    const IDLE: FlowLoad = FlowLoad { count: 0, bytes: 0, span: 0, queues_of_topic: 4, consumer_bytes: 0 };

    #[test]
    fn the_reason_is_the_limit_that_is_reached() {
        assert_eq!(LIMITS.throttle(&FlowLoad { count: 999, bytes: 99, span: 1_999, ..IDLE }), None);
        for (load, reason) in [
            (FlowLoad { count: 1_000, ..IDLE }, Throttle::Count),
            (FlowLoad { bytes: 100, ..IDLE }, Throttle::Bytes),
            (FlowLoad { span: 2_000, ..IDLE }, Throttle::Span),
            (FlowLoad { consumer_bytes: 500, ..IDLE }, Throttle::Budget),
        ] {
            assert_eq!(LIMITS.throttle(&load), Some(reason), "{load:?}");
        }
    }

    #[test]
    fn the_limit_of_a_topic_is_shared_by_the_queues_owned_now() {
        let limits = FlowLimits { topic_count: Some(400), topic_bytes: Some(40), ..LIMITS };
        assert_eq!(limits.throttle(&FlowLoad { count: 99, bytes: 9, ..IDLE }), None);
        assert_eq!(limits.throttle(&FlowLoad { count: 100, ..IDLE }), Some(Throttle::Count));
        assert_eq!(limits.throttle(&FlowLoad { bytes: 10, ..IDLE }), Some(Throttle::Bytes));
        let alone = FlowLoad { queues_of_topic: 1, ..IDLE };
        assert_eq!(limits.throttle(&FlowLoad { count: 399, bytes: 39, ..alone }), None);
    }

    #[test]
    fn a_queue_with_nothing_cached_may_always_pull() {
        let limits = FlowLimits { topic_count: Some(3), topic_bytes: Some(3), ..LIMITS };
        assert_eq!(limits.throttle(&FlowLoad { queues_of_topic: 4_096, ..IDLE }), None);
    }

    #[test]
    fn unlimited_is_no_limit() {
        let limits = FlowLimits { span: None, budget: None, ..LIMITS };
        let load = FlowLoad { span: i64::MAX, consumer_bytes: u64::MAX, ..IDLE };
        assert_eq!(limits.throttle(&load), None);
    }
}
