//! The clock of a cluster: the only place that reads the time or waits for it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

/// A century: longer waits would overflow a point in time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The time by which all servers of a cluster go.
#[derive(Debug)]
pub(crate) struct Clock(Source);

#[derive(Debug)]
enum Source {
    System,
    /// Tokio's time, which a test may have paused, counted from the system's time at the start.
    Tokio {
        start: Instant,
        at_start: Duration,
    },
    /// A clock that stands still until it is moved.
    Standing {
        now_ms: watch::Sender<i64>,
        sleepers: Mutex<Sleepers>,
    },
}

/// When each task is due that waits for a standing clock.
#[derive(Debug, Default)]
struct Sleepers {
    due: BTreeSet<(i64, u64)>,
    count: u64,
}

/// The kinds of clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ClockKind {
    #[default]
    System,
    Tokio,
    Standing,
}

impl Clock {
    /// A clock that starts at the system's time and then runs according to its kind.
    pub(crate) fn new(kind: ClockKind) -> Arc<Self> {
        Arc::new(Self(match kind {
            ClockKind::System => Source::System,
            ClockKind::Tokio => {
                // A full millisecond: waits end at one, and would take a little longer or shorter in each run.
                let at_start = Duration::from_millis(millis(system()).unsigned_abs());
                Source::Tokio { start: Instant::now(), at_start }
            }
            ClockKind::Standing => {
                let now_ms = watch::Sender::new(millis(system()));
                Source::Standing { now_ms, sleepers: Mutex::default() }
            }
        }))
    }

    /// The time since 1970.
    pub(crate) fn now(&self) -> Duration {
        match &self.0 {
            Source::System => system(),
            Source::Tokio { start, at_start } => *at_start + start.elapsed(),
            Source::Standing { now_ms, .. } => Duration::from_millis(now_ms.borrow().unsigned_abs()),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        millis(self.now())
    }

    /// The time as a `SystemTime`.
    pub(crate) fn system_time(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.now()).unwrap_or(UNIX_EPOCH)
    }

    /// The first full millisecond at which `wait` is over.
    pub(crate) fn after(&self, wait: Duration) -> i64 {
        millis(self.now() + wait.min(LONGEST) + Duration::from_nanos(999_999))
    }

    /// Whether it differs from the system's time, by which clients go.
    pub(crate) fn is_virtual(&self) -> bool {
        !matches!(self.0, Source::System)
    }

    /// Whether it stands still until it is moved.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.0, Source::Standing { .. })
    }

    /// Moves a standing clock forward; other clocks ignore the call.
    pub(crate) fn move_to(&self, ms: i64) {
        if let Source::Standing { now_ms, .. } = &self.0 {
            now_ms.send_if_modified(|now| std::mem::replace(now, ms.max(*now)) < ms);
        }
    }

    /// Waits until the clock shows this time.
    pub(crate) async fn sleep_until(&self, ms: i64) {
        match &self.0 {
            Source::Standing { now_ms, sleepers } => {
                let _place = Place::new(sleepers, ms);
                // An error would mean that the clock is gone, but it outlives this wait.
                let _ = now_ms.subscribe().wait_for(|now| *now >= ms).await;
            }
            _ => {
                let wait = Duration::from_millis(ms.max(0).unsigned_abs()).saturating_sub(self.now());
                tokio::time::sleep(wait.min(LONGEST)).await;
            }
        }
    }

    /// Waits for `wait`.
    pub(crate) async fn sleep(&self, wait: Duration) {
        if self.stands() {
            self.sleep_until(self.after(wait)).await;
        } else {
            // Directly, not until a full millisecond: the runtime's timer rounds up already.
            tokio::time::sleep(wait.min(LONGEST)).await;
        }
    }

    /// When the next task is due that waits for a standing clock.
    pub(crate) fn next_sleeper_ms(&self) -> Option<i64> {
        let Source::Standing { now_ms, sleepers } = &self.0 else { return None };
        let after = (now_ms.borrow().saturating_add(1), 0);
        lock(sleepers).due.range(after..).next().map(|(due, _)| *due)
    }
}

/// Measures real time, for durations that have nothing to do with a cluster's clock.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let since = std::time::Instant::now();
    move || since.elapsed()
}

/// The end of a wait for a network or in a test. Sockets and tests go by the runtime's clock only.
pub(crate) fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit.min(LONGEST)
}

/// A place among the waiting tasks, released on drop.
struct Place<'a> {
    sleepers: &'a Mutex<Sleepers>,
    key: (i64, u64),
}

impl<'a> Place<'a> {
    fn new(sleepers: &'a Mutex<Sleepers>, due_ms: i64) -> Self {
        let mut all = lock(sleepers);
        all.count += 1;
        let key = (due_ms, all.count);
        all.due.insert(key);
        Self { sleepers, key }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.sleepers).due.remove(&self.key);
    }
}

fn lock(sleepers: &Mutex<Sleepers>) -> MutexGuard<'_, Sleepers> {
    sleepers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn system() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standing_clock_wakes_each_future_when_it_is_moved_there() {
        let clock = Clock::new(ClockKind::Standing);
        let start = clock.now_ms();
        assert_eq!(clock.after(Duration::from_micros(1)), start + 1);
        let mut first = std::pin::pin!(clock.sleep_until(start + 5));
        let mut second = std::pin::pin!(clock.sleep(Duration::from_millis(9)));
        assert!(futures_pending(&mut first).await && futures_pending(&mut second).await);
        assert_eq!(clock.next_sleeper_ms(), Some(start + 5));
        clock.move_to(start + 5);
        first.await;
        assert_eq!(clock.next_sleeper_ms(), Some(start + 9));
        assert!(futures_pending(&mut second).await);
        clock.move_to(start + 20);
        clock.move_to(start);
        second.await;
        assert_eq!((clock.now_ms(), clock.next_sleeper_ms()), (start + 20, None));
    }

    #[tokio::test(start_paused = true)]
    async fn tokios_clock_goes_with_paused_time() {
        let clock = Clock::new(ClockKind::Tokio);
        let start = clock.now_ms();
        clock.sleep(Duration::from_secs(3600)).await;
        assert!((3_600_000..3_600_003).contains(&(clock.now_ms() - start)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(clock.now_ms() - start >= 3_601_000);
    }

    async fn futures_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
        })
        .await
    }
}
