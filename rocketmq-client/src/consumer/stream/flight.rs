use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Feed;
use crate::consumer::listener::ConsumeOutcome;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::settle_one;
use crate::hook::{ConsumeReturnType, Consumed, Kept};
use crate::otel::{self, Operation};

/// One message that the reader of a stream holds, until it is settled or out of time.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) member: Arc<Member>,
    feed: Arc<Feed>,
    pub(crate) owned: Arc<OwnedQueue>,
    pub(crate) offset: i64,
    pub(crate) began: Instant,
    /// What hooks keep between the beginning and the end.
    hooked: OnceLock<Box<Kept>>,
    phase: Mutex<Phase>,
}

/// How far it is.
#[derive(Debug)]
enum Phase {
    /// The reader has it until this time.
    Held(Arc<MessageExt>, Instant),
    /// Its time is over, and the reader was told; what settles it until then counts.
    Late(Arc<MessageExt>, Instant),
    /// It is settled, or what the reader says comes too late.
    Over,
}

/// What becomes of a flight whose time may be over.
#[derive(Debug)]
pub(crate) enum Look {
    /// It is settled.
    Over,
    /// It has to be looked at again then.
    Again(Instant),
    /// Its time is over: the grace begins.
    Late(Arc<MessageExt>),
    /// The grace is over, too.
    TimedOut(Arc<MessageExt>),
}

/// What the reader says.
#[derive(Debug)]
pub(crate) enum Settlement {
    /// This outcome. The channel learns whether the message is finished.
    Told(ConsumeOutcome, Option<oneshot::Sender<bool>>),
    /// Nothing: the delivery was dropped.
    Dropped,
    TimedOut,
}

/// A delivery that has not succeeded, for a worker to see through.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) flight: Arc<Flight>,
    pub(crate) message: Arc<MessageExt>,
    pub(crate) settlement: Settlement,
}

impl Flight {
    pub(super) fn new(
        member: Arc<Member>,
        feed: Arc<Feed>,
        owned: Arc<OwnedQueue>,
        (offset, message): (i64, Arc<MessageExt>),
        now: Instant,
    ) -> Self {
        let until = now + member.settings.consume_timeout;
        let phase = Mutex::new(Phase::Held(message, until));
        Self { member, feed, owned, offset, began: now, hooked: OnceLock::new(), phase }
    }

    /// Has the hooks see the message before its reader.
    pub(super) fn note_begin(&self, message: &MessageExt) {
        let queue = self.owned.shown_of(message);
        let seen = self.member.seen(slice::from_ref(message), &queue);
        let _ = self.hooked.set(Box::new(self.member.settings.hooks.before(seen)));
    }

    /// Has the hooks see how the message ended, if they saw how it began.
    pub(crate) fn note_end(&self, message: &MessageExt, settlement: &Settlement) {
        let Some(kept) = self.hooked.get() else { return };
        let (status, reason) = match settlement {
            Settlement::Told(ConsumeOutcome::Success, _) => (ConsumeReturnType::Success, None),
            Settlement::Told(ConsumeOutcome::Later { .. }, _) => (ConsumeReturnType::Failed, None),
            Settlement::Told(ConsumeOutcome::DeadLetter { reason }, _) => {
                (ConsumeReturnType::Failed, Some(&**reason))
            }
            Settlement::Dropped => (ConsumeReturnType::Exception, None),
            Settlement::TimedOut => (ConsumeReturnType::TimeOut, None),
        };
        let succeeded = &[status == ConsumeReturnType::Success];
        let consumed = Consumed { succeeded, status, reason, took: self.began.elapsed() };
        let queue = self.owned.shown_of(message);
        let seen = self.member.seen(slice::from_ref(message), &queue);
        self.member.settings.hooks.after(seen, (**kept).clone(), consumed);
    }

    /// What the reader says counts once, and only in time.
    pub(super) fn settle(self: &Arc<Self>, settlement: Settlement) {
        let Some(message) = self.end() else {
            tracing::debug!(queue = %self.owned.queue, offset = self.offset, "a delivery was settled too late");
            return;
        };
        self.note_end(&message, &settlement);
        self.feed.came_back();
        let Settlement::Told(ConsumeOutcome::Success, told) = settlement else {
            return self.feed.fail(Failed { flight: self.clone(), message, settlement });
        };
        if otel::is_on() {
            let ack = (Operation::Settle("ack"), [&*message]);
            otel::done(self.member.about(), ack.0, &self.owned.shown, ack.1, (Duration::ZERO, None));
        }
        drop(message);
        self.member.recorder.succeeded(1);
        self.member.retries.forget(self.owned.generation, self.offset);
        settle_one(&self.member, &self.owned, self.offset);
        self.owned.settled.notify_waiters();
        if let Some(told) = told {
            let _ = told.send(true);
        }
    }

    /// Moves the end of the reader's time, never to an earlier time.
    pub(super) fn extend(&self, to: Instant) {
        if let Phase::Held(_, until) = &mut *self.phase() {
            *until = to.max(*until);
        }
    }

    /// Looks whether the time is over.
    pub(super) fn look(&self, now: Instant) -> Look {
        let mut phase = self.phase();
        match &*phase {
            Phase::Over => Look::Over,
            Phase::Held(_, until) | Phase::Late(_, until) if *until > now => Look::Again(*until),
            Phase::Held(message, _) => {
                let message = message.clone();
                *phase = Phase::Late(message.clone(), now + self.member.settings.timeout_grace);
                Look::Late(message)
            }
            Phase::Late(message, _) => {
                let message = message.clone();
                *phase = Phase::Over;
                Look::TimedOut(message)
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(*self.phase(), Phase::Over)
    }

    /// From now on, what the reader says comes too late.
    pub(super) fn end(&self) -> Option<Arc<MessageExt>> {
        match std::mem::replace(&mut *self.phase(), Phase::Over) {
            Phase::Held(message, _) | Phase::Late(message, _) => Some(message),
            Phase::Over => None,
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
