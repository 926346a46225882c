use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Buckets for each power of two of microseconds: percentiles are exact to 1/16.
const SUB_BUCKETS: usize = 16;
/// The last power of two is about 68 s; longer times count as this long.
const POWERS: usize = 23;
const BUCKETS: usize = SUB_BUCKETS * (POWERS + 1);

/// Counters of a producer since its start. They never decrease.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProducerStats {
    /// Messages stored, and one-way sends written; a batch counts once.
    pub send_success_count: u64,
    /// Sends that ended in an error; illegal messages do not count.
    pub send_failure_count: u64,
    /// The mean time from call to result of successful sends, in ms.
    pub average_rt: f64,
    /// The median time of successful sends, in ms.
    pub p50_rt: f64,
    /// The 99th percentile of their times, in ms.
    pub p99_rt: f64,
    /// The 99.9th percentile of their times, in ms.
    pub p999_rt: f64,
    /// The longest time of a successful send, in ms.
    pub max_rt: f64,
    /// Attempts after the first, of all sends.
    pub retry_count: u64,
    /// Failed sends whose message may be stored nevertheless.
    pub unknown_outcome_count: u64,
    /// Callbacks that panicked.
    pub callback_panic_count: u64,
    /// Trace records that were dropped: too many waited, or their message could not be sent.
    pub trace_dropped_count: u64,
    /// Sends in flight now.
    pub in_flight: u32,
}

/// Parts of the counters. Each thread writes to its own part, up to this number of threads.
const PARTS: usize = 8;

/// The counters behind [`ProducerStats`].
#[derive(Debug)]
pub(super) struct Recorder {
    times: [Times; PARTS],
    failed: AtomicU64,
    retries: AtomicU64,
    unknown: AtomicU64,
    panics: AtomicU64,
}

/// The times of successful sends.
#[derive(Debug)]
struct Times {
    total_us: AtomicU64,
    max_us: AtomicU64,
    buckets: Box<[AtomicU64]>,
}

impl Default for Recorder {
    fn default() -> Self {
        let times = |_| Times {
            total_us: AtomicU64::new(0),
            max_us: AtomicU64::new(0),
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        };
        Self {
            times: std::array::from_fn(times),
            failed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }
}

/// The index of this thread's part.
fn part() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PART: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PARTS;
    }
    // A thread that is ending has no index any more.
    PART.try_with(|part| *part).unwrap_or_default()
}

impl Recorder {
    pub(super) fn succeeded(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let Some(times) = self.times.get(part()) else { return };
        times.total_us.fetch_add(us, Ordering::Relaxed);
        if us > times.max_us.load(Ordering::Relaxed) {
            times.max_us.fetch_max(us, Ordering::Relaxed);
        }
        if let Some(bucket) = times.buckets.get(bucket_of(us)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self, maybe_stored: bool) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if maybe_stored {
            self.unknown.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn retried(&self, times: u32) {
        if times > 0 {
            self.retries.fetch_add(u64::from(times), Ordering::Relaxed);
        }
    }

    pub(super) fn callback_panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self, in_flight: u32) -> ProducerStats {
        let in_bucket = |bucket| self.times.iter().map(|times| load(times.buckets.get(bucket))).sum::<u64>();
        let counts: Vec<u64> = (0..BUCKETS).map(in_bucket).collect();
        let succeeded: u64 = counts.iter().sum();
        let total_us: u64 = self.times.iter().map(|times| load(Some(&times.total_us))).sum();
        let max_us = self.times.iter().map(|times| load(Some(&times.max_us))).max().unwrap_or_default();
        let (total_ms, max_rt) = (total_us as f64 / 1000.0, max_us as f64 / 1000.0);
        // The end of the last bucket may lie above the largest value in it.
        let percentile = |part| percentile(&counts, part).min(max_rt);
        ProducerStats {
            send_success_count: succeeded,
            send_failure_count: self.failed.load(Ordering::Relaxed),
            average_rt: if succeeded == 0 { 0.0 } else { total_ms / succeeded as f64 },
            p50_rt: percentile(0.5),
            p99_rt: percentile(0.99),
            p999_rt: percentile(0.999),
            max_rt,
            retry_count: self.retries.load(Ordering::Relaxed),
            unknown_outcome_count: self.unknown.load(Ordering::Relaxed),
            callback_panic_count: self.panics.load(Ordering::Relaxed),
            trace_dropped_count: 0,
            in_flight,
        }
    }
}

fn load(counter: Option<&AtomicU64>) -> u64 {
    counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
}

/// The bucket of a time: linear below 16 µs, then 16 for each power of two.
fn bucket_of(us: u64) -> usize {
    let power = (us | 1).ilog2().saturating_sub(SUB_BUCKETS.ilog2()) as usize;
    let within = (us >> power) as usize;
    // Above the first 16, `within` is from 16 to 31.
    (power * SUB_BUCKETS + within).min(BUCKETS - 1)
}

/// The longest time of a bucket, in ms.
fn bucket_end_ms(bucket: usize) -> f64 {
    let power = (bucket / SUB_BUCKETS).saturating_sub(1);
    let within = bucket - power * SUB_BUCKETS;
    (((within as u64 + 1) << power) - 1) as f64 / 1000.0
}

fn percentile(counts: &[u64], part: f64) -> f64 {
    let total: u64 = counts.iter().sum();
    let wanted = (total as f64 * part).ceil() as u64;
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= wanted && wanted > 0 {
            return bucket_end_ms(bucket);
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        let recorder = Recorder::default();
        (1..=10_000).for_each(|n| recorder.succeeded(Duration::from_micros(n * 10)));
        let stats = recorder.snapshot(3);
        for (found, exact) in [(stats.p50_rt, 50.0), (stats.p99_rt, 99.0), (stats.p999_rt, 99.9)] {
            assert!(found >= exact && found <= exact * 17.0 / 16.0 + 0.001, "{found} for {exact}");
        }
        assert!((stats.average_rt - 50.005).abs() < 0.001, "{}", stats.average_rt);
        assert_eq!((stats.send_success_count, stats.max_rt, stats.in_flight), (10_000, 100.0, 3));
    }

    #[test]
    fn no_percentile_is_above_the_slowest() {
        let recorder = Recorder::default();
        recorder.succeeded(Duration::from_micros(199_600));
        let stats = recorder.snapshot(0);
        assert_eq!((stats.p50_rt, stats.p999_rt, stats.max_rt), (199.6, 199.6, 199.6));
    }

    #[test]
    fn buckets_go_up_and_end_where_the_next_begins() {
        for us in 0..5_000_000_u64 {
            let bucket = bucket_of(us);
            assert!(us as f64 / 1000.0 <= bucket_end_ms(bucket), "{us}");
            assert!(us == 0 || bucket >= bucket_of(us - 1), "{us}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_sent_is_all_zeros() {
        let stats = Recorder::default().snapshot(0);
        assert_eq!((stats.average_rt, stats.p99_rt, stats.send_success_count), (0.0, 0.0, 0));
    }
}
