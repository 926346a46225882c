use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Waits between dials of an address that cannot be reached: the wait doubles from `first` up to `cap`. Jitter
/// spreads each wait, so that many clients do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The wait after the first failure, before jitter.
    pub first: Duration,
    /// The longest wait, before jitter.
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

thread_local! {
    /// The state of this thread's random numbers, in a simulation.
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A random number for jitter; not for secrets. After [`seed_random`] numbers repeat from run to run.
pub fn random() -> u64 {
    if let Some(mut state) = SEEDED.get() {
        let number = next_random(&mut state);
        SEEDED.set(Some(state));
        return number;
    }
    // Each `RandomState` has its own keys, from the system's random source and a counter.
    RandomState::new().build_hasher().finish()
}

/// Has [`random`] give the same numbers on this thread in each run with the same seed: for simulations. It decides
/// which NameServer and which queue come first, and how long back-offs are.
pub fn seed_random(seed: u64) {
    SEEDED.set(Some(seed));
}

/// The next number of a generator: SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
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

    #[test]
    fn numbers_repeat_after_the_same_seed() {
        let numbers = |seed| {
            seed_random(seed);
            [random(), random(), random()]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }
}
