use std::time::Duration;

use tokio::time::Instant;

/// A lock is renewed after this time. Brokers keep a lock for 60 s.
const RENEW: Duration = Duration::from_secs(10);
/// No handler starts when the lock is older.
const START_UNTIL: Duration = Duration::from_secs(25);
/// The lock is over.
const LIFETIME: Duration = Duration::from_secs(30);
/// How soon a request that failed or was refused is repeated: at first, and at most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_AT_MOST: Duration = Duration::from_secs(1);

/// Tells how long the lock on one queue holds. All times count from the moment when the request was *sent*: the broker may
/// have granted it any time after that.
#[derive(Debug, Clone)]
pub(crate) struct LockClock {
    /// False for a queue that no other member reads: it counts as locked.
    needed: bool,
    /// When the request was sent that was granted last.
    granted: Option<Instant>,
    /// The broker may have forgotten the lock since then.
    doubted: Option<Instant>,
    next_request: Instant,
    refusals: u32,
    reported: LockState,
    had: bool,
    /// Since this grant the committed offset has not been read. `None`: it was read.
    unread_since: Option<Instant>,
}

/// Whether the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LockState {
    /// Never granted, refused, or too old.
    Missing,
    /// Handlers may start.
    Held,
    /// Perhaps held: no handler starts, a running handler goes on.
    AtRisk,
}

/// A change to tell the user about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LockChange {
    Gained,
    AtRisk,
    Lost,
    Regained,
}

impl LockClock {
    /// A queue without a lock, which is to be asked for now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            needed: true,
            granted: None,
            doubted: None,
            next_request: now,
            refusals: 0,
            reported: LockState::Missing,
            had: false,
            unread_since: Some(now),
        }
    }

    /// The clock of a queue that no other member reads.
    pub(crate) fn not_needed(now: Instant) -> Self {
        Self { needed: false, unread_since: None, ..Self::new(now) }
    }

    /// When the next lock request (41) has to be sent.
    pub(crate) fn next_request(&self) -> Instant {
        self.next_request
    }

    /// Notes that a request was sent, so that no other goes out while it is answered.
    pub(crate) fn requested(&mut self, sent: Instant) {
        self.next_request = self.next_request.max(sent + AGAIN_AT_MOST);
    }

    /// The broker granted the request that was sent at `sent`. A request sent before the lock came into doubt proves
    /// nothing: the broker may have forgotten it since.
    pub(crate) fn granted(&mut self, sent: Instant, now: Instant) {
        if self.doubted.is_some_and(|since| sent < since) || self.granted.is_some_and(|last| sent <= last) {
            return;
        }
        let gap = self.granted.is_none_or(|last| sent >= last + LIFETIME);
        if gap || self.doubted.is_some() {
            self.unread_since = Some(now);
        }
        self.granted = Some(sent);
        self.doubted = None;
        self.refusals = 0;
        self.next_request = sent + RENEW;
    }

    /// The broker refused the request that was sent at `sent`: another member holds the lock.
    pub(crate) fn refused(&mut self, sent: Instant, now: Instant) {
        if self.granted.is_some_and(|last| sent <= last) {
            return;
        }
        self.granted = None;
        self.doubted = None;
        self.ask_again(now);
    }

    /// The request failed, or was not answered in time: the lock holds as long as before.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.ask_again(now);
    }

    /// The connection to the broker was lost, or the broker restarted: it may have forgotten all locks, and may grant them
    /// to others at once.
    pub(crate) fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
        self.next_request = now;
    }

    pub(crate) fn state(&self, now: Instant) -> LockState {
        if !self.needed {
            return LockState::Held;
        }
        let Some(sent) = self.granted else { return LockState::Missing };
        if now >= sent + LIFETIME {
            LockState::Missing
        } else if self.doubted.is_some() || now >= sent + START_UNTIL {
            LockState::AtRisk
        } else {
            LockState::Held
        }
    }

    /// Whether a handler may start, and a first pull go out.
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        self.state(now) == LockState::Held && self.unread_since.is_none()
    }

    /// How old the lock is, for health.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.granted.map(|sent| now.saturating_duration_since(sent))
    }

    /// Whether the committed offset has to be read (again) before the first handler: another member may have consumed.
    pub(crate) fn must_reread(&self) -> bool {
        self.unread_since.is_some()
    }

    /// Notes that the committed offset was read by a request sent at `asked`. A request sent before the lock was granted
    /// does not count.
    pub(crate) fn offset_read(&mut self, asked: Instant) {
        if self.granted.is_some() && self.unread_since.is_some_and(|since| asked >= since) {
            self.unread_since = None;
        }
    }

    /// When [`change`](Self::change) may have something to say without anything having happened.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        let sent = self.granted?;
        match self.reported {
            LockState::Held => Some(sent + START_UNTIL),
            LockState::AtRisk => Some(sent + LIFETIME),
            LockState::Missing => None,
        }
    }

    /// The change since the last call.
    pub(crate) fn change(&mut self, now: Instant) -> Option<LockChange> {
        let state = self.state(now);
        let before = std::mem::replace(&mut self.reported, state);
        match (before, state) {
            (LockState::Missing | LockState::AtRisk, LockState::Held) => {
                let first = !std::mem::replace(&mut self.had, true);
                Some(if first { LockChange::Gained } else { LockChange::Regained })
            }
            (LockState::Held | LockState::Missing, LockState::AtRisk) => Some(LockChange::AtRisk),
            (LockState::Held | LockState::AtRisk, LockState::Missing) => Some(LockChange::Lost),
            _ => None,
        }
    }

    fn ask_again(&mut self, now: Instant) {
        let delay = AGAIN * 2_u32.saturating_pow(self.refusals.min(8));
        self.refusals = self.refusals.saturating_add(1);
        self.next_request = now + delay.min(AGAIN_AT_MOST);
    }
}
