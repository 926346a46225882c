/// Why a queue does not pull now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Throttle {
    /// Its cached messages, or its share of those of the topic.
    Count,
    /// The memory of its cached messages, or its share of that of the topic.
    Bytes,
    /// The distance between its lowest unfinished and its highest cached message.
    Span,
    /// The memory of all cached messages of the consumer.
    Budget,
}

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

/// What a consumer has cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowLoad {
    /// Messages of the queue.
    pub(crate) count: usize,
    /// Bytes of the queue.
    pub(crate) bytes: u64,
    /// Span of the queue.
    pub(crate) span: i64,
    /// Queues of the topic that the consumer owns now: counted at each look, so that a rebalance needs to tell nobody.
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
