use std::time::Duration;

use tokio::time::Instant;

/// Two runs begin at least this long apart.
const APART: Duration = Duration::from_millis(200);
/// This number of notices before a run that changed nothing is a flood. A new member of the group is announced by each of its brokers,
/// one after the other, and the run that follows sees it.
const FLOOD: usize = 16;
/// The pause after a run in a flood. Elsewhere it would be too long: the next owner of a queue waits half a second for this one.
const APART_IN_FLOOD: Duration = Duration::from_secs(1);
/// A run without a trigger while all is balanced, and while it is not.
const BALANCED: Duration = Duration::from_secs(20);
const UNBALANCED: Duration = Duration::from_secs(1);

/// Tells when to rebalance. A trigger (start, 40, route change, subscription change, reconnect) sets a flag: many triggers
/// cost few runs, and who triggers never waits.
#[derive(Debug)]
pub(crate) struct RebalanceTiming {
    flagged: bool,
    running: bool,
    began: Option<Instant>,
    regular: Instant,
    flooded: bool,
}

impl RebalanceTiming {
    /// The first run is due now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { flagged: true, running: false, began: None, regular: now, flooded: false }
    }

    /// Asks for a run. Returns when it may begin; `None` while a run is under way: its end decides.
    pub(crate) fn trigger(&mut self) -> Option<Instant> {
        self.flagged = true;
        self.next()
    }

    /// When the next run begins; `None` while one is under way.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.running {
            return None;
        }
        let apart = if self.flooded { APART_IN_FLOOD } else { APART };
        let earliest = self.began.map(|began| began + apart);
        match (self.flagged, earliest) {
            (true, Some(earliest)) => Some(earliest.min(self.regular.max(earliest))),
            (true, None) => Some(self.regular),
            (false, earliest) => Some(earliest.map_or(self.regular, |earliest| self.regular.max(earliest))),
        }
    }

    /// Begins a run if one is due. Triggers that come during the run lead to another.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        if self.next().is_none_or(|next| now < next) {
            return false;
        }
        self.flagged = false;
        self.flooded = false;
        self.running = true;
        self.began = Some(now);
        true
    }

    /// Notes that the run under way changes nothing, and how many notices came before it.
    pub(crate) fn note_idle(&mut self, notices: usize) {
        self.flooded = notices >= FLOOD;
    }

    /// Ends a run. `again` is when the plan wants to look again, if that is earlier than the regular time.
    pub(crate) fn end(&mut self, now: Instant, balanced: bool, again: Option<Instant>) {
        self.running = false;
        let regular = now + if balanced { BALANCED } else { UNBALANCED };
        self.regular = again.map_or(regular, |again| again.min(regular));
    }
}
