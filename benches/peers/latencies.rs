//! A histogram that costs the same however many values it has: the memory of a client is measured too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Values below this have a bucket each; above, a power of two has half as many.
const FINE: u64 = 256;
/// Up to 2^40 ns, which is 18 minutes.
const BUCKETS: usize = 256 + 128 * 32;

/// Times in nanoseconds, within 0.8 % of what they were.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    buckets: Vec<u32>,
    count: u64,
}

/// Those of one thread, for any number of tasks on it: one histogram for each task would fill the caches.
type OfThread = Arc<Mutex<Latencies>>;

static OF_THREADS: Mutex<Vec<OfThread>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: OfThread = {
        let mine = OfThread::new(Mutex::new(Latencies::new()));
        OF_THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&mine));
        mine
    };
}

/// Adds a time to those of this thread.
pub(crate) fn note(time: Duration, count: u32) {
    MINE.with(|mine| mine.lock().unwrap_or_else(PoisonError::into_inner).add_many(time, count));
}

/// What was noted since it was asked for last.
pub(crate) fn take_noted() -> Latencies {
    let mut all = Latencies::new();
    for of_thread in &*OF_THREADS.lock().unwrap_or_else(PoisonError::into_inner) {
        let noted = std::mem::replace(
            &mut *of_thread.lock().unwrap_or_else(PoisonError::into_inner),
            Latencies::new(),
        );
        all.merge(&noted);
    }
    all
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.add_many(time, 1);
    }

    pub(crate) fn add_many(&mut self, time: Duration, count: u32) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos).min(BUCKETS - 1)] += count;
        self.count += u64::from(count);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// In microseconds: so many of a million values are not above it.
    pub(crate) fn quantile(&self, per_million: u64) -> f64 {
        let rank = self.count * per_million / 1_000_000;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen > rank {
                return lowest(bucket) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < FINE {
        return nanos as usize;
    }
    // The eight highest bits, of which the first is always set.
    let shift = nanos.ilog2() - 7;
    (FINE + u64::from(shift - 1) * 128 + (nanos >> shift) - 128) as usize
}

/// The smallest value of a bucket.
fn lowest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let shift = (bucket - FINE) / 128 + 1;
    ((bucket - FINE) % 128 + 128) << shift
}
