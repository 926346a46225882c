use std::time::Duration;

/// The retries of an event whose handler fails, in equal words on all backends.
///
/// ```
/// use std::time::Duration;
/// use rocketmq_event::RetryPolicy;
/// let policy = RetryPolicy::later(5).with_delays([Duration::from_secs(1), Duration::from_secs(30)]);
/// assert_eq!(policy.delay(1), Duration::from_secs(1)); // Before the second try.
/// assert_eq!(policy.delay(4), Duration::from_secs(30)); // The last delay repeats.
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included; at least 1.
    pub tries: u32,
    /// The delay before the second try, the third, and so on; the last repeats. Empty: no delay.
    pub delays: Vec<Duration>,
    /// Whether other events go on meanwhile.
    pub mode: RetryMode,
    /// After the last try.
    pub then: Then,
}

/// Whether other events go on while an event waits for its next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryMode {
    /// The broker keeps the event until its time comes. Everything else goes on: the order is lost.
    Later,
    /// The event stays in hand. Events that are ordered behind it wait: with [`Order::ByKey`] the events of its key, else one of the
    /// consumer's handlers, which is everything with a concurrency of 1.
    InPlace,
}

/// The end of an event whose tries are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Then {
    /// It becomes a dead letter, and the rest goes on.
    DeadLetter,
    /// It is given back, and the consumer ends: for groups that must not skip an event.
    Stop,
    /// It is acknowledged and gone: for events that are worth nothing later.
    Drop,
}

impl RetryPolicy {
    /// `tries` in all, later again after 1 s, 5 s, 10 s, 30 s, 1 min and 2 min, 5 min, 10 min, then a dead letter. RocketMQ's levels
    /// have these delays, so that no backend rounds them.
    pub fn later(tries: u32) -> Self {
        let delays = [1, 5, 10, 30, 60, 120, 300, 600].map(Duration::from_secs).into();
        Self { tries, delays, mode: RetryMode::Later, then: Then::DeadLetter }
    }

    /// `tries` in all, in place after 100 ms, doubling up to 10 s, then a dead letter.
    pub fn in_place(tries: u32) -> Self {
        let delays = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000].map(Duration::from_millis).into();
        Self { tries, delays, mode: RetryMode::InPlace, then: Then::DeadLetter }
    }

    /// No second try: a dead letter after the first failure.
    pub fn never() -> Self {
        Self::later(1)
    }

    /// Other delays; the last repeats.
    #[must_use]
    pub fn with_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.delays = delays.into_iter().collect();
        self
    }

    /// The end of an event whose tries are used up.
    #[must_use]
    pub fn and_then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// The delay after this many failed attempts.
    pub fn delay(&self, failed: u32) -> Duration {
        let place = usize::try_from(failed.saturating_sub(1)).unwrap_or(usize::MAX);
        self.delays.get(place).or(self.delays.last()).copied().unwrap_or_default()
    }
}

impl Default for RetryPolicy {
    /// `later(8)`.
    fn default() -> Self {
        Self::later(8)
    }
}

/// Which order a consumer keeps when it handles several events at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// None. With a concurrency of 1, events are handled in the order in which they come.
    #[default]
    None,
    /// Events with equal keys are handled one after the other, in their order; events without a key in any order.
    ByKey,
}

/// The end of an event that a pattern brought and that no handler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unmatched {
    /// It is acknowledged.
    #[default]
    Acknowledge,
    /// It becomes a dead letter.
    DeadLetter,
    /// It is given back, so that a newer member of the group can take it, while versions of a service run side by side.
    Release,
}
