use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When each loop of a consumer has last been round.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    /// Milliseconds since then.
    beats: [AtomicU64; 3],
}

/// A loop. None of them waits for messages: each comes round on an idle topic, too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beat {
    /// Looks at all queues, and wakes the next loop.
    Watch,
    /// Finds queues that have to pull.
    Pull,
    /// Takes and releases queues.
    Rebalance,
}

impl Beat {
    const ALL: [(Self, &str); 3] =
        [(Beat::Watch, "watch"), (Beat::Pull, "pull"), (Beat::Rebalance, "rebalance")];
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), beats: Default::default() }
    }
}

impl Pulse {
    pub(crate) fn beat(&self, beat: Beat) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beats[beat as usize].store(millis, Ordering::Relaxed);
    }

    /// The first loop that has not been round for `limit`, and for how long.
    pub(crate) fn silent(&self, limit: Duration) -> Option<(&'static str, Duration)> {
        let age = |beat: Beat| {
            let last = Duration::from_millis(self.beats[beat as usize].load(Ordering::Relaxed));
            self.began.elapsed().saturating_sub(last)
        };
        Beat::ALL.into_iter().map(|(beat, name)| (name, age(beat))).find(|(_, age)| *age > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stops_is_named() {
        let (pulse, limit) = (Pulse::default(), Duration::from_secs(60));
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(10)).await;
            [Beat::Watch, Beat::Pull, Beat::Rebalance].into_iter().for_each(|beat| pulse.beat(beat));
            assert_eq!(pulse.silent(limit), None);
        }
        for _ in 0..7 {
            tokio::time::advance(Duration::from_secs(10)).await;
            [Beat::Watch, Beat::Rebalance].into_iter().for_each(|beat| pulse.beat(beat));
        }
        assert_eq!(pulse.silent(limit), Some(("pull", Duration::from_secs(70))));
    }
}
