use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How long to wait before dialling an address again that could not be reached: doubling from a first
/// value to a cap, each with jitter, so that many clients do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The wait after the first failure, before jitter.
    pub first: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), cap: Duration::from_secs(5) }
    }
}

impl BackOff {
    /// The wait after `failures` failed dials in a row (1 or more): between half of the doubled value and
    /// all of it. `random` is any number; [`random`] makes one.
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let half = full / 2;
        let span = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_nanos(random % span)
    }
}

/// A number that nobody predicts well; not for secrets.
pub fn random() -> u64 {
    // Each `RandomState` has its own keys, from the system's random source and a counter.
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_differ() {
        let back_off = BackOff { first: Duration::from_millis(100), cap: Duration::from_secs(60) };
        for (failures, full_ms) in [(0, 100), (1, 100), (2, 200), (5, 1600), (11, 60_000), (u32::MAX, 60_000)]
        {
            for random in [0, 1, 12_345_678, u64::MAX] {
                let delay = back_off.delay(failures, random);
                assert!(delay >= Duration::from_millis(full_ms / 2), "{failures}: {delay:?}");
                assert!(delay <= Duration::from_millis(full_ms), "{failures}: {delay:?}");
            }
        }
        assert_ne!(back_off.delay(3, random()), back_off.delay(3, random()));
    }
}
