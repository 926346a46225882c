use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::MQClientError;
use crate::model::MessageQueue;

/// How a consumer is at one moment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConsumerHealth {
    /// The consumer group.
    pub group: Arc<str>,
    /// Whether `start` has returned with success and no shutdown has begun.
    pub running: bool,
    /// Whether the consumer is over: it was shut down, or it ended by itself.
    pub has_ended: bool,
    /// Why it ended by itself; see [`wait`](crate::consumer::PushConsumer::wait).
    pub end_reason: Option<MQClientError>,
    /// A loop of the consumer that has stopped: its name, and for how long it has not been round.
    pub silent_loop: Option<(&'static str, Duration)>,
    /// How long messages have waited that nothing reads, once the event `NobodyReads` has told of them.
    pub unread_for: Option<Duration>,
    /// Each queue that the consumer owns.
    pub queues: Vec<QueueHealth>,
    /// Topics that it subscribes to and that have no route.
    pub topics_without_route: Vec<Arc<str>>,
    /// Bytes of memory that cached messages pin, and the limit.
    pub cached_bytes: u64,
    /// `cache_limit`.
    pub cache_limit: u64,
    /// Handlers that run now.
    pub handlers: usize,
    /// How many handlers may run.
    pub concurrency: usize,
}

impl ConsumerHealth {
    /// Whether the consumer gets its messages: it runs, each topic has a route, something reads the messages, and each queue that
    /// it owns has a position, a broker that can be reached and has acknowledged the subscriptions, and, for an orderly listener,
    /// its lock. A consumer without a queue is ready: other members have them all.
    ///
    /// For a readiness probe of Kubernetes. It heals by itself, so that it is no reason for a restart; see
    /// [`is_live`](Self::is_live).
    ///
    /// ```
    /// use rocketmq_client::consumer::ConsumerHealth;
    ///
    /// fn ready(health: &ConsumerHealth) -> (u16, String) {
    ///     if health.is_ready() { (200, String::new()) } else { (503, health.problems().join("\n")) }
    /// }
    /// # assert_eq!(ready(&ConsumerHealth::default()).0, 503);
    /// ```
    pub fn is_ready(&self) -> bool {
        self.problems().is_empty()
    }

    /// Whether the consumer works: it has not ended, and its loops, which come round on an idle topic too, have been round lately
    /// (within 60 s and five times `mq_client_api_timeout`). True before and during the start.
    ///
    /// For a liveness probe of Kubernetes: only a restart makes a consumer live again. Brokers and NameServers that are down do
    /// not end a consumer, so that they do not change this.
    ///
    /// ```
    /// # use rocketmq_client::consumer::ConsumerHealth;
    /// assert!(ConsumerHealth::default().is_live());
    /// ```
    pub fn is_live(&self) -> bool {
        !self.has_ended && self.silent_loop.is_none()
    }

    /// Why the consumer is not ready, one line each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match &self.end_reason {
            Some(reason) => problems.push(format!("the consumer has ended: {reason}")),
            None if !self.running => problems.push("the consumer is not running".to_owned()),
            None => {}
        }
        if let Some((name, silent_for)) = self.silent_loop {
            problems.push(format!("the {name} loop has not been round for {silent_for:?}"));
        }
        if let Some(unread_for) = self.unread_for {
            problems.push(format!("messages have waited for {unread_for:?}, and nobody reads them"));
        }
        problems.extend(self.topics_without_route.iter().map(|topic| format!("topic {topic} has no route")));
        let unready = self.queues.iter().filter(|queue| !queue.state.is_ready());
        problems.extend(unready.map(|queue| {
            format!("{} is {} for {:?}{}", queue.queue, queue.state, queue.in_state_for, queue.error_text())
        }));
        let untold = self.queues.iter().filter(|queue| queue.state.is_ready() && !queue.acknowledged);
        problems.extend(untold.map(|queue| {
            format!("the broker of {} has not acknowledged the subscriptions yet", queue.queue)
        }));
        problems
    }

    /// Messages that the brokers have and that are not committed, as far as it is known: the sum over all queues.
    pub fn lag(&self) -> i64 {
        self.queues.iter().filter_map(QueueHealth::lag).fold(0, i64::saturating_add)
    }
}

/// How one queue is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueueHealth {
    /// The queue. The number -1 stands for all queues of the broker, of which messages are popped.
    pub queue: MessageQueue,
    /// The reason why its messages wait.
    pub state: QueueState,
    /// For how long.
    pub in_state_for: Duration,
    /// Whether the broker has acknowledged the present subscriptions on the connection that is open.
    pub acknowledged: bool,
    /// The next offset to pull.
    pub pulled: Option<i64>,
    /// The lowest offset that is not finished: what would be committed now.
    pub lowest_unfinished: Option<i64>,
    /// The offset that the broker (broadcast: the file) last confirmed.
    pub committed: Option<i64>,
    /// The offset behind the last message, by the broker's last answer.
    pub broker_max: Option<i64>,
    /// Messages that are pulled and not finished.
    pub cached_count: usize,
    /// Bytes of memory that they pin.
    pub cached_bytes: u64,
    /// Messages that are popped and that the broker does not know to be done; `None` for a queue that is pulled.
    pub unacknowledged: Option<usize>,
    /// How long ago the lock was last requested with success; of orderly listeners.
    pub lock_age: Option<Duration>,
    /// The last failure, while the state is the consequence of one.
    pub last_error: Option<Arc<str>>,
}

impl QueueHealth {
    pub(crate) fn new(queue: MessageQueue, state: QueueState, in_state_for: Duration) -> Self {
        Self {
            queue,
            state,
            in_state_for,
            acknowledged: true,
            pulled: None,
            lowest_unfinished: None,
            committed: None,
            broker_max: None,
            cached_count: 0,
            cached_bytes: 0,
            unacknowledged: None,
            lock_age: None,
            last_error: None,
        }
    }

    /// Messages that the broker has and that are not committed, if both offsets are known.
    pub fn lag(&self) -> Option<i64> {
        Some(self.broker_max?.saturating_sub(self.committed.or(self.lowest_unfinished)?).max(0))
    }

    fn error_text(&self) -> String {
        self.last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"))
    }
}

/// The reason why the messages of a queue wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueState {
    /// A pull is on its way, and the broker has more.
    Pulling,
    /// A pull waits at the broker for the next message.
    LongPolling,
    /// All that the broker has is consumed and committed.
    CaughtUp,
    /// Enough is cached; pulling goes on when a handler ends.
    Throttled(Throttle),
    /// `pause_queues` was called.
    Paused,
    /// `suspend` was called, or the orderly listener asked for a pause.
    Suspended,
    /// The broker has not granted the lock, or it must be confirmed.
    WaitingForLock,
    /// The broker does not say where the group is; it is asked again.
    OffsetUnknown,
    /// The route of the topic has no server of the broker.
    NoRoute,
    /// The broker cannot be reached.
    BrokerUnreachable,
    /// The broker refuses this consumer: its group is gone, it lacks the right, or an operator has switched reading off.
    Refused,
    /// Messages wait for a free handler.
    ListenerBusy,
    /// Failed messages wait to be stored for another delivery.
    SendBackRetrying,
}

impl QueueState {
    /// Whether the queue gets its messages, or does not by the user's own wish or pace.
    fn is_ready(self) -> bool {
        use QueueState::{BrokerUnreachable, NoRoute, OffsetUnknown, Refused, WaitingForLock};
        !matches!(self, WaitingForLock | OffsetUnknown | NoRoute | BrokerUnreachable | Refused)
    }
}

impl fmt::Display for QueueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QueueState::Pulling => "pulling",
            QueueState::LongPolling => "long polling",
            QueueState::CaughtUp => "caught up",
            QueueState::Throttled(Throttle::Count) => "throttled by the number of its messages",
            QueueState::Throttled(Throttle::Bytes) => "throttled by the bytes of its messages",
            QueueState::Throttled(Throttle::Span) => "throttled by the span of its offsets",
            QueueState::Throttled(Throttle::Budget) => "throttled by the consumer's cache_limit",
            QueueState::Paused => "paused",
            QueueState::Suspended => "suspended",
            QueueState::WaitingForLock => "waiting for its lock",
            QueueState::OffsetUnknown => "without a known offset",
            QueueState::NoRoute => "without a route",
            QueueState::BrokerUnreachable => "out of reach",
            QueueState::Refused => "refused",
            QueueState::ListenerBusy => "waiting for the listener",
            QueueState::SendBackRetrying => "retrying send-backs",
        })
    }
}

/// Which limit stops the pulling of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Throttle {
    /// `pull_threshold_for_queue`, or its share of `pull_threshold_for_topic`.
    Count,
    /// `pull_threshold_size_for_queue`, or its share of `pull_threshold_size_for_topic`.
    Bytes,
    /// `consume_concurrently_max_span`.
    Span,
    /// `cache_limit`, of the whole consumer.
    Budget,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(state: QueueState) -> QueueHealth {
        QueueHealth::new(MessageQueue::new("T", "b", 0), state, Duration::from_secs(3))
    }

    fn healthy() -> ConsumerHealth {
        ConsumerHealth { running: true, concurrency: 20, ..ConsumerHealth::default() }
    }

    #[test]
    fn readiness_names_what_keeps_messages_away() {
        let mut health = healthy();
        assert!(health.is_ready(), "a consumer without a queue is ready");
        health.queues = vec![queue(QueueState::Throttled(Throttle::Span)), queue(QueueState::Paused)];
        assert!(health.is_ready(), "the user's own pace is no problem");
        let mut unknown = queue(QueueState::OffsetUnknown);
        unknown.last_error = Some("timeout".into());
        health.queues.push(unknown);
        health.topics_without_route.push("Orders".into());
        assert!(!health.is_ready());
        assert_eq!(
            health.problems(),
            [
                "topic Orders has no route",
                "MessageQueue [topic=T, brokerName=b, queueId=0] is without a known offset for 3s: timeout"
            ]
        );
    }

    #[test]
    fn lag_is_what_is_not_committed() {
        let mut health = healthy();
        let mut one = queue(QueueState::Pulling);
        (one.committed, one.broker_max) = (Some(10), Some(25));
        let mut unknown = queue(QueueState::OffsetUnknown);
        unknown.broker_max = Some(1000);
        assert_eq!((one.lag(), unknown.lag()), (Some(15), None));
        health.queues = vec![one, unknown];
        assert_eq!(health.lag(), 15);
    }
}
