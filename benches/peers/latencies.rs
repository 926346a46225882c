//! A histogram of fixed size: the memory of a client is measured too.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Values below this have a bucket each; above, a power of two has half as many.
const FINE: u64 = 256;
/// Up to 2^40 ns, which is 18 minutes.
const BUCKETS: usize = 256 + 128 * 32;

/// Times in nanoseconds, with an error of at most 0.8 %.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    buckets: Vec<u32>,
    count: u64,
}

/// The times of one thread, for any number of its tasks: a histogram for each task would fill the caches. Only its
/// thread writes, so that no change needs a lock.
struct OfThread {
    buckets: Vec<AtomicU32>,
    count: AtomicU64,
}

static OF_THREADS: Mutex<Vec<Arc<OfThread>>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Arc<OfThread> = {
        let buckets = (0..BUCKETS).map(|_| AtomicU32::new(0)).collect();
        let mine = Arc::new(OfThread { buckets, count: AtomicU64::new(0) });
        of_threads().push(Arc::clone(&mine));
        mine
    };
}

fn of_threads() -> MutexGuard<'static, Vec<Arc<OfThread>>> {
    OF_THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records a time on this thread.
pub(crate) fn note(time: Duration, count: u32) {
    MINE.with(|mine| {
        let bucket = &mine.buckets[bucket_of(time)];
        bucket.store(bucket.load(Ordering::Relaxed) + count, Ordering::Relaxed);
        mine.count.store(mine.count.load(Ordering::Relaxed) + u64::from(count), Ordering::Release);
    });
}

/// The number of recorded times.
pub(crate) fn noted() -> u64 {
    of_threads().iter().map(|of_thread| of_thread.count.load(Ordering::Acquire)).sum()
}

/// Takes the times recorded since the last call. No thread may record meanwhile.
pub(crate) fn take_noted() -> Latencies {
    let mut all = Latencies::new();
    for of_thread in &*of_threads() {
        for (all, bucket) in all.buckets.iter_mut().zip(&of_thread.buckets) {
            *all += bucket.swap(0, Ordering::Relaxed);
        }
        all.count += of_thread.count.swap(0, Ordering::Acquire);
    }
    all
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    pub(crate) fn add_many(&mut self, time: Duration, count: u32) {
        self.buckets[bucket_of(time)] += count;
        self.count += u64::from(count);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// A quantile in microseconds: `per_million` of a million values are not above it.
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

fn bucket_of(time: Duration) -> usize {
    bucket(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).min(BUCKETS - 1)
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
