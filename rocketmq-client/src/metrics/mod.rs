//! What producers and consumers tell the [`metrics`](https://docs.rs/metrics) facade: the feature `metrics`.
//!
//! Install a recorder before the first send; each series has the label `group`. Messages are counted, not requests: a
//! batch of ten counts ten.
//!
//! | name | kind | meaning |
//! |---|---|---|
//! | `rocketmq_producer_send_success_total` | counter | messages that were stored; one-way messages that were written |
//! | `rocketmq_producer_send_failure_total` | counter | messages whose send failed; illegal messages do not count |
//! | `rocketmq_producer_send_latency_ms` | histogram | from the call to the result of successful sends, retries included |
//! | `rocketmq_producer_queue_size` | gauge | messages that were admitted and have no outcome yet |
//! | `rocketmq_consumer_consume_success_total` | counter | messages that were handled |
//! | `rocketmq_consumer_consume_failure_total` | counter | messages that come again later |
//! | `rocketmq_consumer_retry_total` | counter | messages that were stored for another delivery |
//! | `rocketmq_consumer_dead_letter_total` | counter | messages that went to the dead letter topic |
//! | `rocketmq_consumer_rebalance_total` | counter | rebalances that ran |
//! | `rocketmq_consumer_consume_latency_ms` | histogram | the time in the handler |
//! | `rocketmq_consumer_cached_count`, `rocketmq_consumer_cached_bytes` | gauge | messages that are pulled and not finished, and the memory that they pin |
//! | `rocketmq_consumer_lag` | gauge | messages that the brokers have and that are not committed |

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram};

/// Buckets for the histograms of this client, in ms: from a send within a data centre to the time-out of a handler.
///
/// ```
/// assert!(rocketmq_client::metrics::LATENCY_BUCKETS_MS.is_sorted());
/// ```
pub const LATENCY_BUCKETS_MS: [f64; 17] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 3000.0, 10_000.0, 60_000.0,
    900_000.0,
];

/// The series of one producer, made at its first send, so that a recorder may be installed after the producer was made.
#[derive(Debug)]
pub(crate) struct ProducerMeter {
    group: Arc<str>,
    series: OnceLock<ProducerSeries>,
}

#[derive(Debug)]
struct ProducerSeries {
    success: Counter,
    failure: Counter,
    latency: Histogram,
    queue_size: Gauge,
}

impl ProducerMeter {
    pub(crate) fn new(group: &str) -> Self {
        Self { group: group.into(), series: OnceLock::new() }
    }

    fn series(&self) -> &ProducerSeries {
        self.series.get_or_init(|| {
            let group = || self.group.to_string();
            ProducerSeries {
                success: ::metrics::counter!("rocketmq_producer_send_success_total", "group" => group()),
                failure: ::metrics::counter!("rocketmq_producer_send_failure_total", "group" => group()),
                latency: ::metrics::histogram!("rocketmq_producer_send_latency_ms", "group" => group()),
                queue_size: ::metrics::gauge!("rocketmq_producer_queue_size", "group" => group()),
            }
        })
    }

    /// Messages are in flight from now on, until [`ended`](Self::ended).
    pub(crate) fn admitted(&self, messages: Messages) {
        self.series().queue_size.increment(messages.0);
    }

    pub(crate) fn ended(&self, messages: Messages) {
        if messages.0 > 0 {
            self.series().queue_size.decrement(messages.0);
        }
    }

    pub(crate) fn succeeded(&self, messages: Messages, took: Duration) {
        self.series().success.increment(messages.0.into());
        self.series().latency.record(took.as_secs_f64() * 1000.0);
    }

    pub(crate) fn failed(&self, messages: Messages) {
        self.series().failure.increment(messages.0.into());
    }
}

/// How many messages a request has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Messages(u32);

impl Messages {
    pub(crate) fn new(count: usize) -> Self {
        Self(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// The series of one consumer, made when it counts for the first time.
#[derive(Debug, Default)]
pub(crate) struct ConsumerMeter {
    group: Arc<str>,
    series: OnceLock<ConsumerSeries>,
}

#[derive(Debug)]
struct ConsumerSeries {
    success: Counter,
    failure: Counter,
    retry: Counter,
    dead_letter: Counter,
    rebalance: Counter,
    latency: Histogram,
    cached_count: Gauge,
    cached_bytes: Gauge,
    lag: Gauge,
}

impl ConsumerMeter {
    pub(crate) fn new(group: &str) -> Self {
        Self { group: group.into(), series: OnceLock::new() }
    }

    fn series(&self) -> &ConsumerSeries {
        self.series.get_or_init(|| {
            let group = || self.group.to_string();
            ConsumerSeries {
                success: ::metrics::counter!("rocketmq_consumer_consume_success_total", "group" => group()),
                failure: ::metrics::counter!("rocketmq_consumer_consume_failure_total", "group" => group()),
                retry: ::metrics::counter!("rocketmq_consumer_retry_total", "group" => group()),
                dead_letter: ::metrics::counter!("rocketmq_consumer_dead_letter_total", "group" => group()),
                rebalance: ::metrics::counter!("rocketmq_consumer_rebalance_total", "group" => group()),
                latency: ::metrics::histogram!("rocketmq_consumer_consume_latency_ms", "group" => group()),
                cached_count: ::metrics::gauge!("rocketmq_consumer_cached_count", "group" => group()),
                cached_bytes: ::metrics::gauge!("rocketmq_consumer_cached_bytes", "group" => group()),
                lag: ::metrics::gauge!("rocketmq_consumer_lag", "group" => group()),
            }
        })
    }

    pub(crate) fn succeeded(&self, messages: u64) {
        self.series().success.increment(messages);
    }

    pub(crate) fn failed(&self, messages: u64) {
        self.series().failure.increment(messages);
    }

    pub(crate) fn sent_back(&self, messages: u64) {
        self.series().retry.increment(messages);
    }

    pub(crate) fn dead_lettered(&self, messages: u64) {
        self.series().dead_letter.increment(messages);
    }

    pub(crate) fn rebalanced(&self, times: u64) {
        self.series().rebalance.increment(times);
    }

    pub(crate) fn handled(&self, took: Duration) {
        self.series().latency.record(took.as_secs_f64() * 1000.0);
    }

    /// What only a look at all queues tells. Numbers above 2⁵³ lose their last digits.
    pub(crate) fn looked(&self, cached_count: u64, cached_bytes: u64, lag: i64) {
        let series = self.series();
        series.cached_count.set(cached_count as f64);
        series.cached_bytes.set(cached_bytes as f64);
        series.lag.set(lag as f64);
    }
}
