use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Messages that could have gone in this time and did not may go at once: timers are not exact.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Spreads messages over time: the option `consume_rate_limit`.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two messages.
    interval: Duration,
    /// When the next message is due.
    due: Mutex<Instant>,
    /// Told when messages are due earlier than they were.
    earlier: Notify,
}

impl Pace {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let interval = Duration::from_nanos(1_000_000_000_u64.div_ceil(per_second.max(1).into()));
        Self { interval, due: Mutex::new(now), earlier: Notify::new() }
    }

    /// Waits until a message is due. Takes all messages that are due, within the bounds `least` and `most`; messages that are
    /// taken before they are due make the next wait longer. Cancel-safe.
    pub(crate) async fn wait(&self, least: usize, most: usize) -> usize {
        loop {
            let earlier = self.earlier.notified();
            match self.take(Instant::now(), least, most) {
                Ok(count) => return count,
                Err(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = earlier => {}
                },
            }
        }
    }

    /// Takes messages as [`wait`](Self::wait) does. The error is the time when the next message is due.
    pub(crate) fn take(&self, now: Instant, least: usize, most: usize) -> Result<usize, Instant> {
        let mut due = self.due();
        if *due > now {
            return Err(*due);
        }
        let from = (*due).max(now.checked_sub(CATCH_UP).unwrap_or(*due));
        let passed = (now - from).as_nanos() / self.interval.as_nanos();
        let count = usize::try_from(passed + 1).unwrap_or(most).clamp(least, most);
        *due = from + self.interval * u32::try_from(count).unwrap_or(u32::MAX);
        Ok(count)
    }

    /// Gives back the turns of `count` messages that were taken and not handled.
    pub(crate) fn put_back(&self, count: usize) {
        let mut due = self.due();
        *due -= self.interval * u32::try_from(count).unwrap_or_default();
        drop(due);
        if count > 0 {
            self.earlier.notify_waiters();
        }
    }

    fn due(&self) -> MutexGuard<'_, Instant> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_messages_than_the_limit_and_few_that_were_late() {
        for per_second in [1_u32, 3, 250, 30_000] {
            let mut now = Instant::now();
            let pace = Pace::new(per_second, now);
            let (mut total, began, late) = (0, now, per_second / 100 + 1);
            while now < began + Duration::from_secs(3) {
                match pace.take(now, 1, 32) {
                    Ok(count) => total += count as u32,
                    // A timer is late by up to a millisecond.
                    Err(at) => now = at + Duration::from_micros(900),
                }
            }
            assert!(total <= 3 * per_second + late, "{total} at {per_second}");
            assert!(total + late >= 3 * per_second, "{total} at {per_second}: being late costs nothing");
        }
    }

    #[test]
    fn a_batch_goes_together_and_is_paid_for_and_what_is_not_used_is_not_counted() {
        let now = Instant::now();
        let pace = Pace::new(10, now);
        assert_eq!(pace.take(now, 8, 8), Ok(8));
        assert_eq!(pace.take(now, 8, 8), Err(now + Duration::from_millis(800)));
        pace.put_back(5);
        assert_eq!(pace.take(now, 8, 8), Err(now + Duration::from_millis(300)));
        let idle = now + Duration::from_secs(3600);
        assert_eq!(pace.take(idle, 1, 32), Ok(1), "an idle hour saves nothing up");
    }
}
