use std::time::Duration;

use tokio::time::Instant;

/// Two runs begin at least this long apart.
const APART: Duration = Duration::from_millis(200);
/// This long after two runs in a row that changed nothing: their notices tell nothing new.
const APART_WHILE_IDLE: Duration = Duration::from_secs(1);
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
    /// Runs in a row, close together, that changed nothing.
    idle_runs: u32,
    is_idle: bool,
}

impl RebalanceTiming {
    /// The first run is due now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { flagged: true, running: false, began: None, regular: now, idle_runs: 0, is_idle: false }
    }

    /// Asks for a run. Returns when it may begin; `None` while a run is under way, as its end decides.
    pub(crate) fn trigger(&mut self) -> Option<Instant> {
        self.flagged = true;
        self.next()
    }

    /// When the next run begins; `None` while one is under way.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.running {
            return None;
        }
        let apart = if self.idle_runs >= 2 { APART_WHILE_IDLE } else { APART };
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
        if self.began.is_none_or(|began| now >= began + APART_WHILE_IDLE) {
            self.idle_runs = 0;
        }
        self.flagged = false;
        self.running = true;
        self.began = Some(now);
        true
    }

    /// Notes that the run under way changes nothing.
    pub(crate) fn note_idle(&mut self) {
        self.is_idle = true;
    }

    /// Ends a run. `again` is when the plan wants to look again, if that is earlier than the regular time.
    pub(crate) fn end(&mut self, now: Instant, balanced: bool, again: Option<Instant>) {
        self.running = false;
        self.idle_runs = if std::mem::take(&mut self.is_idle) { self.idle_runs + 1 } else { 0 };
        let regular = now + if balanced { BALANCED } else { UNBALANCED };
        self.regular = again.map_or(regular, |again| again.min(regular));
    }
}
