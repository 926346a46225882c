use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock};
use tokio::time::Instant;

use super::LockClock;

/// Keeps the order of one queue of an orderly consumer: by its lock, by one handler at a time, and by pauses.
#[derive(Debug, Clone)]
pub(crate) struct QueueOrder {
    pub(crate) lock: LockClock,
    /// A broker has answered to a request for the lock.
    pub(crate) is_answered: bool,
    /// The handler of the queue: there is one for all ownerships that follow each other.
    handling: Arc<AtomicBool>,
    /// Told when that handler ends.
    ended: Arc<Notify>,
    /// Shared by these ownerships, too.
    pub(crate) claim: Arc<LockClaim>,
    /// Its listener asked for a pause until then.
    resume_at: Option<Instant>,
    /// How often this message failed here.
    failures: (Stored, u32),
}

/// A message by its offset and by the time at which it was stored: a broker that has lost messages gives their offsets to others.
type Stored = (i64, i64);

/// Keeps requests for the lock of a queue from overtaking the request that gives it back. Brokers handle requests of a connection
/// side by side, and a lock that is granted afterwards keeps other members away for a minute.
#[derive(Debug, Default)]
pub(crate) struct LockClaim {
    /// Read while a request is under way. True: the lock was given back.
    is_over: Arc<RwLock<bool>>,
    /// A broker was asked and has not refused since.
    may_be_held: AtomicBool,
}

impl LockClaim {
    /// Held while a request is under way. `None`: the lock is given back, and is not to be asked for.
    pub(crate) fn ask(&self) -> Option<OwnedRwLockReadGuard<bool>> {
        let asking = self.is_over.clone().try_read_owned().ok().filter(|is_over| !**is_over)?;
        self.may_be_held.store(true, Ordering::Release);
        Some(asking)
    }

    pub(crate) fn refused(&self) {
        self.may_be_held.store(false, Ordering::Release);
    }

    pub(crate) fn may_be_held(&self) -> bool {
        self.may_be_held.load(Ordering::Acquire)
    }

    /// Waits for the answers to requests that are under way; no other goes out.
    pub(crate) async fn end(&self) {
        *self.is_over.write().await = true;
    }
}

impl QueueOrder {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            lock: LockClock::new(now),
            is_answered: false,
            handling: Arc::default(),
            ended: Arc::default(),
            claim: Arc::default(),
            resume_at: None,
            failures: ((-1, 0), 0),
        }
    }

    /// The order of a broadcast consumer, which shares no queue: there is no lock to wait for.
    pub(crate) fn alone(now: Instant) -> Self {
        Self { lock: LockClock::not_needed(now), ..Self::new(now) }
    }

    /// Whether a handler may start now.
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        self.lock.may_start(now) && self.resume_at.is_none_or(|at| at <= now)
    }

    /// Makes the caller the handler of the queue. False: there is one.
    pub(crate) fn begin(&self) -> bool {
        !self.handling.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end(&self) {
        self.handling.store(false, Ordering::Release);
        self.ended.notify_waiters();
    }

    pub(crate) fn is_handling(&self) -> bool {
        self.handling.load(Ordering::Acquire)
    }

    /// Waits until no handler of the queue runs, of this ownership or of an earlier one.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            if !self.is_handling() {
                return;
            }
            ended.await;
        }
    }

    /// Pauses. Returns until when.
    pub(crate) fn pause(&mut self, now: Instant, pause: Duration) -> Instant {
        *self.resume_at.insert(now + pause)
    }

    /// Until when it pauses or paused.
    pub(crate) fn resume_at(&self) -> Option<Instant> {
        self.resume_at
    }

    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.resume_at.is_some_and(|at| at > now)
    }

    /// How often the message failed here before.
    pub(crate) fn failures(&self, message: Stored) -> u32 {
        if self.failures.0 == message { self.failures.1 } else { 0 }
    }

    pub(crate) fn note_failure(&mut self, message: Stored) {
        self.failures = (message, self.failures(message).saturating_add(1));
    }
}
