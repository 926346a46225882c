use tokio::time::Instant;

use super::start::{Bounds, retry_delay};

/// Decides what becomes of the position after a pull answer 21 other than a reset: the broker claims that the offset is
/// outside the queue. The position moves only if minimum and maximum of the master bear the claim out.
#[derive(Debug)]
pub(crate) struct CorrectionMachine {
    position: i64,
    claimed: i64,
    failures: u32,
    is_new: bool,
}

/// The next task of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CorrectionStep {
    /// Read minimum (31) and maximum (30) from the master.
    AskBounds,
    /// Ask again then.
    WaitUntil(Instant),
    /// Pull the old offset again then: the queue still has it.
    StayUntil(Instant),
    /// Move to the offset in a new generation, commit it, and tell the user.
    MoveTo(Correction),
}

/// The outcome of a [`CorrectionStep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CorrectionEvent {
    /// `None`: not in the route, without a master, or no answer.
    Bounds(Option<Bounds>),
    #[cfg_attr(not(test), expect(dead_code, reason = "the driver begins with the first step again"))]
    Waited,
}

/// A position that moves without a message having been consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Correction {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) bounds: Bounds,
}

impl CorrectionMachine {
    /// `position` was asked for, and the broker said to go on at `claimed`.
    pub(crate) fn new(position: i64, claimed: i64) -> Self {
        Self { position, claimed, failures: 0, is_new: false }
    }

    /// The broker has forgotten the committed offset: the topic was deleted and created again, and its first message is new.
    pub(crate) fn note_new_topic(&mut self) {
        self.is_new = true;
    }

    /// The step that begins.
    pub(crate) fn first_step(&self) -> CorrectionStep {
        CorrectionStep::AskBounds
    }

    pub(crate) fn step(&mut self, now: Instant, event: CorrectionEvent) -> CorrectionStep {
        match event {
            CorrectionEvent::Waited => CorrectionStep::AskBounds,
            CorrectionEvent::Bounds(bounds) => match bounds.and_then(Bounds::sane) {
                None => {
                    let delay = retry_delay(self.failures);
                    self.failures = self.failures.saturating_add(1);
                    CorrectionStep::WaitUntil(now + delay)
                }
                Some(bounds) => self.judge(now, bounds),
            },
        }
    }

    fn judge(&self, now: Instant, bounds: Bounds) -> CorrectionStep {
        if self.is_new && self.position != bounds.min {
            return CorrectionStep::MoveTo(Correction { from: self.position, to: bounds.min, bounds });
        }
        if bounds.clamp(self.position) == self.position {
            return CorrectionStep::StayUntil(now + retry_delay(self.failures));
        }
        let to = bounds.clamp(self.claimed);
        CorrectionStep::MoveTo(Correction { from: self.position, to, bounds })
    }
}
