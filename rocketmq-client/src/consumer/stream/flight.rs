use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{iter, slice};

use rocketmq_common::MessageExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Feed;
use crate::consumer::listener::ConsumeOutcome;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::settle_one;
use crate::hook::{ConsumeReturnType, Consumed, Kept};
use crate::otel::{self, Operation};

/// Messages that the reader of a stream took at once, each until it is settled or out of time. All come from one answer: they
/// count as cached until the whole answer is finished, so that a message that is held keeps no others alive unnoticed.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) member: Arc<Member>,
    feed: Arc<Feed>,
    pub(crate) owned: Arc<OwnedQueue>,
    pub(crate) began: Instant,
    /// A reader that takes one message after the other needs no list.
    first: Seat,
    others: Box<[Seat]>,
}

/// A message of a flight.
#[derive(Debug)]
pub(super) struct Seat {
    /// Its place in the window of its queue.
    offset: i64,
    message: MessageExt,
    /// Values that hooks keep between the beginning and the end.
    hooked: OnceLock<Box<Kept>>,
    phase: Mutex<Phase>,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The reader has it until this time.
    Held(Instant),
    /// Its time is over, and the reader was told; a verdict until this time still counts.
    Late(Instant),
    /// It is settled, or the verdict of the reader comes too late.
    Over,
}

/// The next step for a flight with a message whose time may be over.
#[derive(Debug)]
pub(crate) enum Look {
    /// All are settled.
    Over,
    /// It has to be looked at again then.
    Again(Instant),
    /// The time of this message is over: the grace begins.
    Late(usize),
    /// The grace is over, too.
    TimedOut(usize),
}

/// The verdict of a reader.
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
    /// The place of its message in the flight.
    pub(crate) index: usize,
    pub(crate) settlement: Settlement,
}

impl Flight {
    pub(super) fn new(
        member: Arc<Member>,
        feed: Arc<Feed>,
        owned: Arc<OwnedQueue>,
        first: Seat,
        others: Box<[Seat]>,
        now: Instant,
    ) -> Self {
        Self { member, feed, owned, began: now, first, others }
    }

    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }

    #[inline]
    pub(crate) fn offset(&self, index: usize) -> i64 {
        self.seat(index).offset
    }

    #[inline]
    pub(crate) fn message(&self, index: usize) -> &MessageExt {
        &self.seat(index).message
    }

    /// Has the hooks see the message before its reader.
    pub(super) fn note_begin(&self, index: usize) {
        let seat = self.seat(index);
        let queue = self.owned.shown_of(&seat.message);
        let seen = self.member.seen(slice::from_ref(&seat.message), &queue);
        let _ = seat.hooked.set(Box::new(self.member.settings.hooks.before(seen)));
    }

    /// Has the hooks see how the message ended, if they saw how it began.
    pub(crate) fn note_end(&self, index: usize, settlement: &Settlement) {
        let seat = self.seat(index);
        let Some(kept) = seat.hooked.get() else { return };
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
        let queue = self.owned.shown_of(&seat.message);
        let seen = self.member.seen(slice::from_ref(&seat.message), &queue);
        self.member.settings.hooks.after(seen, (**kept).clone(), consumed);
    }

    /// The verdict of the reader counts once, and only in time.
    pub(super) fn settle(self: &Arc<Self>, index: usize, settlement: Settlement) {
        let (seat, owned) = (self.seat(index), &self.owned);
        let offset = seat.offset;
        if matches!(std::mem::replace(&mut *seat.phase(), Phase::Over), Phase::Over) {
            return tracing::debug!(queue = %owned.queue, offset, "a delivery was settled too late");
        }
        self.note_end(index, &settlement);
        self.feed.came_back();
        let Settlement::Told(ConsumeOutcome::Success, told) = settlement else {
            return self.feed.fail(Failed { flight: self.clone(), index, settlement });
        };
        if otel::is_on() {
            let ack = (Operation::Settle("ack"), [&seat.message]);
            otel::done(self.member.about(), ack.0, &owned.shown, ack.1, (Duration::ZERO, None));
        }
        self.member.recorder.succeeded(1);
        self.member.retries.forget(owned.generation, offset);
        settle_one(&self.member, owned, offset);
        if let Some(told) = told {
            let _ = told.send(true);
        }
    }

    /// Moves the end of the reader's time for a message, never to an earlier time.
    pub(super) fn extend(&self, index: usize, to: Instant) {
        if let Phase::Held(until) = &mut *self.seat(index).phase() {
            *until = to.max(*until);
        }
    }

    /// Looks whether the time of a message is over.
    pub(super) fn look(&self, now: Instant) -> Look {
        let mut next: Option<Instant> = None;
        for (index, seat) in self.seats().enumerate() {
            let mut phase = seat.phase();
            match *phase {
                Phase::Over => {}
                Phase::Held(until) | Phase::Late(until) if until > now => {
                    next = Some(next.map_or(until, |next| next.min(until)));
                }
                Phase::Held(_) => {
                    *phase = Phase::Late(now + self.member.settings.timeout_grace);
                    return Look::Late(index);
                }
                Phase::Late(_) => {
                    *phase = Phase::Over;
                    return Look::TimedOut(index);
                }
            }
        }
        next.map_or(Look::Over, Look::Again)
    }

    /// From now on, the verdict of the reader comes too late.
    pub(super) fn end(&self) {
        self.seats().for_each(|seat| *seat.phase() = Phase::Over);
    }

    fn seats(&self) -> impl Iterator<Item = &Seat> {
        iter::once(&self.first).chain(&self.others)
    }

    #[inline]
    fn seat(&self, index: usize) -> &Seat {
        index.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }
}

impl Seat {
    /// The reader has the message until then.
    pub(super) fn new((offset, message): (i64, MessageExt), until: Instant) -> Self {
        Self { offset, message, hooked: OnceLock::new(), phase: Mutex::new(Phase::Held(until)) }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
