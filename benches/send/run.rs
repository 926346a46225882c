//! One run of one load: its end, and its results.

use std::fs;
use std::time::{Duration, Instant};

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this many messages of all tasks together.
    Count(u64),
    /// After this instant; messages in flight are still waited for.
    Time(Instant),
}

impl Until {
    /// The share of task `task` of `tasks` tasks.
    pub(crate) fn share(self, task: u64, tasks: u64) -> Self {
        match self {
            Until::Count(count) => Until::Count(count / tasks + u64::from(task < count % tasks)),
            time @ Until::Time(_) => time,
        }
    }

    /// How many of the next `at_most` messages are still to send.
    pub(crate) fn next(self, done: usize, now: Instant, at_most: usize) -> usize {
        match self {
            Until::Count(count) => {
                usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(done).min(at_most)
            }
            Until::Time(end) if now < end => at_most,
            Until::Time(_) => 0,
        }
    }
}

/// The time from call to result of each message, in nanoseconds.
pub(crate) type Latencies = Vec<u32>;

/// Nanoseconds since `before`. 32 bits hold four seconds; no latency comes near that.
pub(crate) fn latency(before: Instant, now: Instant) -> u32 {
    u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX)
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    /// CPU time of all threads of this process.
    pub(crate) cpu: Option<Duration>,
    pub(crate) latencies: Latencies,
}

/// Measures the times of a run.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Option<Duration>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), cpu: process_cpu() }
    }

    pub(crate) fn stop(self, latencies: Latencies) -> Measured {
        let elapsed = self.began.elapsed();
        let cpu = process_cpu().zip(self.cpu).map(|(now, before)| now.saturating_sub(before));
        Measured { elapsed, cpu, latencies }
    }
}

/// The CPU time, user and system, that this process has used so far; known only on Linux.
fn process_cpu() -> Option<Duration> {
    /// `USER_HZ`, which is 100 on every architecture except Alpha.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses, which may contain any character.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(TICK * (user + system))
}
