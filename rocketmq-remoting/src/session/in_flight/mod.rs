//! The requests of one connection that wait for their answers, found by opaque id.

use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A parked request may end this much after its deadline. Sweeps stay rare: 4,096 long polls with deadlines spread over
/// half a minute cost four sweeps of the table per second, not a hundred.
const PARKED_SLACK: Duration = Duration::from_millis(250);

/// Slots of a new table. A power of two, like every later size, so that a mask finds the slot.
const INITIAL_SLOTS: usize = 64;

/// Why an entry left the in-flight table without its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The deadline passed. The frame was in the write buffer, so the peer may have seen it.
    DeadlinePassed,
    /// The connection ended.
    ConnectionEnded {
        /// Whether the frame's first byte had been handed to the socket. If not, the peer cannot have acted on the
        /// request.
        written: bool,
    },
}

/// How far the byte stream of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that the socket has taken since it was opened.
    pub written: u64,
    /// Bytes that the socket had taken when the peer last gave a sign of life.
    pub heard: u64,
}

impl Progress {
    /// Whether the frame at `frame_start` was written and the peer has given no sign of life since.
    fn is_silent_since(self, frame_start: u64) -> bool {
        self.heard <= frame_start && frame_start < self.written
    }
}

/// Who is told how a request ended. `C` is a callback, for requests that no task waits for.
#[derive(Debug)]
pub enum Waiter<C> {
    /// No receiver is known yet.
    Nobody,
    /// A task, which polls the table for the outcome.
    Task(Waker),
    /// A callback, which receives the outcome.
    Callback(C),
}

/// The receiver of an answer.
#[derive(Debug)]
pub enum Matched<C> {
    /// None: the answer is late, repeated or invented.
    Nobody,
    /// A caller that will poll for the answer, which the table keeps. Holds the waker of a task that waits already.
    Kept(Option<Waker>),
    /// A callback. Its request has left the table.
    Callback(C),
}

/// Receivers to tell about ended requests, once all locks are released.
#[derive(Debug)]
pub struct Told<C> {
    /// Tasks to wake: they poll the table for the outcome.
    pub wakers: Vec<Waker>,
    /// Callbacks of requests that get no answer. The requests have left the table.
    pub callbacks: Vec<(C, CallEnd)>,
}

impl<C> Default for Told<C> {
    fn default() -> Self {
        Self { wakers: Vec::new(), callbacks: Vec::new() }
    }
}

/// Requests that wait for their answer, found by opaque id without hashing.
///
/// A slot's index is `opaque & mask`. New requests skip ids whose slot is occupied, so that no two live entries
/// collide. The whole id is compared, so that a late answer does not match a slot's next request. Java:
/// `NettyRemotingAbstract.responseTable`.
///
/// `C` is the type of callbacks, `A` of answers.
#[derive(Debug)]
pub struct InFlightTable<C, A> {
    slots: Vec<Slot<C>>,
    /// Answers that their tasks have not taken yet. Apart from the slots: these are many and stay small.
    answers: Vec<Option<A>>,
    /// Free places in `answers`.
    free_places: Vec<usize>,
    live: usize,
    /// How many of `live` are parked long polls, which the peer holds until it has something to send.
    parked: usize,
    /// An upper bound of the instants until which the peer may hold a parked request; reset when none is parked.
    held_until: Option<Instant>,
    /// Of the requests whose callers gave up before their deadlines, that with the earliest deadline, which will show
    /// whether the peer was silent.
    abandoned: Option<Abandoned>,
    next_opaque: i32,
    /// No waiting entry is due before this instant.
    earliest: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Abandoned {
    deadline: Instant,
    frame_start: u64,
}

#[derive(Debug)]
enum Slot<C> {
    Free,
    Waiting {
        opaque: i32,
        hold: Hold,
        deadline: Instant,
        frame_start: u64,
        waiter: Waiter<C>,
    },
    /// The answer lies in `answers[place]`.
    Answered {
        opaque: i32,
        place: usize,
    },
    Ended {
        opaque: i32,
        end: CallEnd,
    },
}

/// Whether the peer may hold a request back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// No: the peer answers at once.
    No,
    /// Yes, but no longer than the request's deadline.
    Covered,
    /// Yes, perhaps beyond the request's deadline: its time-out says nothing about the peer.
    Beyond,
}

impl Hold {
    fn is_parked(self) -> bool {
        self != Hold::No
    }

    /// When the table must be swept for an entry with this deadline.
    fn due(self, deadline: Instant) -> Instant {
        if self.is_parked() { deadline + PARKED_SLACK } else { deadline }
    }
}

impl<C> Slot<C> {
    fn opaque(&self) -> Option<i32> {
        match self {
            Slot::Free => None,
            Slot::Waiting { opaque, .. } | Slot::Answered { opaque, .. } | Slot::Ended { opaque, .. } => {
                Some(*opaque)
            }
        }
    }

    /// Ends a waiting entry. Returns whether it left the table.
    fn end(&mut self, end: CallEnd, told: &mut Told<C>) -> bool {
        let Slot::Waiting { opaque, waiter, .. } = self else { return false };
        let opaque = *opaque;
        match std::mem::replace(waiter, Waiter::Nobody) {
            Waiter::Callback(callback) => {
                told.callbacks.push((callback, end));
                *self = Slot::Free;
                return true;
            }
            Waiter::Task(waker) => told.wakers.push(waker),
            Waiter::Nobody => {}
        }
        *self = Slot::Ended { opaque, end };
        false
    }
}

impl<C, A> InFlightTable<C, A> {
    /// An empty table. Ids count up from `first_opaque` and wrap into the negatives.
    pub fn new(first_opaque: i32) -> Self {
        Self {
            slots: Vec::new(),
            answers: Vec::new(),
            free_places: Vec::new(),
            live: 0,
            parked: 0,
            held_until: None,
            abandoned: None,
            next_opaque: first_opaque,
            earliest: None,
        }
    }

    /// Counts the entries: waiting ones, and ended ones whose task has not taken the outcome.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no entry is left.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The earliest instant at which [`expire`](Self::expire) has something to do.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.earliest
    }

    /// Counts the entries that are not parked: the peer owes them an answer now.
    pub fn load(&self) -> usize {
        self.live - self.parked
    }

    /// The latest instant until which the peer may hold a parked entry; `None` when none is parked.
    pub fn held_until(&self) -> Option<Instant> {
        self.held_until.filter(|_| self.parked > 0)
    }

    /// Enters a request and gives it an opaque id. `frame_start` is the position in the connection's byte
    /// stream at which its frame begins.
    pub fn insert(&mut self, deadline: Instant, frame_start: u64, waiter: Waiter<C>) -> i32 {
        self.enter(deadline, frame_start, Hold::No, waiter)
    }

    /// Enters a long poll: the peer may hold its answer until `held_until`. It counts in [`len`](Self::len) but not in
    /// [`load`](Self::load), and may end up to 250 ms after its deadline.
    pub fn park(
        &mut self,
        deadline: Instant,
        frame_start: u64,
        held_until: Instant,
        waiter: Waiter<C>,
    ) -> i32 {
        self.held_until = Some(self.held_until().map_or(held_until, |latest| latest.max(held_until)));
        self.parked += 1;
        let hold = if deadline < held_until { Hold::Beyond } else { Hold::Covered };
        self.enter(deadline, frame_start, hold, waiter)
    }

    #[inline]
    fn enter(&mut self, deadline: Instant, frame_start: u64, hold: Hold, waiter: Waiter<C>) -> i32 {
        // At most three quarters full, so that the search for a free slot stays short.
        if self.live >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let mut opaque = self.next_opaque;
        // Old requests, such as long polls, may still hold the next slots: skip their ids.
        while !matches!(self.slots[self.index(opaque)], Slot::Free) {
            opaque = opaque.wrapping_add(1);
        }
        self.next_opaque = opaque.wrapping_add(1);
        let index = self.index(opaque);
        self.slots[index] = Slot::Waiting { opaque, hold, deadline, frame_start, waiter };
        self.live += 1;
        let due = hold.due(deadline);
        self.earliest = Some(self.earliest.map_or(due, |earliest| earliest.min(due)));
        opaque
    }

    /// An opaque id for a request that gets no answer: no entry has it, so an answer that comes anyway matches nothing.
    pub fn skip_opaque(&mut self) -> i32 {
        let mut opaque = self.next_opaque;
        while self.slot_of(opaque).is_some() {
            opaque = opaque.wrapping_add(1);
        }
        self.next_opaque = opaque.wrapping_add(1);
        opaque
    }

    /// Sets who is told how a request ended.
    pub fn wait(&mut self, opaque: i32, waiter: Waiter<C>) {
        if let Some(Slot::Waiting { waiter: stored, .. }) = self.slot_of(opaque) {
            *stored = waiter;
        }
    }

    /// Finds the request of an answer. `answer` is called only if a task has yet to take the answer.
    pub fn complete(&mut self, opaque: i32, answer: impl FnOnce() -> A) -> Matched<C> {
        let Some(slot) = self.slot_of(opaque) else { return Matched::Nobody };
        let Slot::Waiting { waiter, hold, .. } = slot else { return Matched::Nobody };
        let parked = usize::from(hold.is_parked());
        let waker = match std::mem::replace(waiter, Waiter::Nobody) {
            Waiter::Callback(callback) => {
                *slot = Slot::Free;
                self.live -= 1;
                self.parked -= parked;
                return Matched::Callback(callback);
            }
            Waiter::Task(waker) => Some(waker),
            Waiter::Nobody => None,
        };
        self.parked -= parked;
        let place = self.keep(answer());
        let index = self.index(opaque);
        self.slots[index] = Slot::Answered { opaque, place };
        Matched::Kept(waker)
    }

    /// Takes the outcome of a request, or stores the waker. `Ready` removes the entry.
    pub fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Result<A, CallEnd>> {
        let Some(slot) = self.slot_of(opaque) else {
            // Reached only by a caller that polls again after `Ready`.
            return Poll::Ready(Err(CallEnd::DeadlinePassed));
        };
        if let Slot::Waiting { waiter, .. } = slot {
            match waiter {
                Waiter::Task(stored) if stored.will_wake(waker) => {}
                // Clone a waker only if it differs: tasks often poll again with the same waker.
                _ => *waiter = Waiter::Task(waker.clone()),
            }
            return Poll::Pending;
        }
        let ended = std::mem::replace(slot, Slot::Free);
        self.live -= 1;
        Poll::Ready(match ended {
            Slot::Answered { place, .. } => self.take(place).ok_or(CallEnd::DeadlinePassed),
            Slot::Ended { end, .. } => Err(end),
            _ => Err(CallEnd::DeadlinePassed),
        })
    }

    /// Removes an entry. If its answer still arrives, it counts as unmatched.
    pub fn cancel(&mut self, opaque: i32) {
        self.remove(opaque);
    }

    /// Removes an entry whose caller went away. Returns whether its deadline has passed and the peer was silent. Before
    /// the deadline that is not known yet: [`expire`](Self::expire) looks at it later.
    pub fn abandon(&mut self, opaque: i32, now: Instant, progress: Progress) -> bool {
        let Some(Slot::Waiting { deadline, frame_start, hold, .. }) = self.remove(opaque) else {
            return false;
        };
        if hold == Hold::Beyond {
            return false;
        }
        if deadline <= now {
            return progress.is_silent_since(frame_start);
        }
        // Not overdue yet: `expire` decides about the peer at the deadline.
        if self.abandoned.is_none_or(|first| deadline < first.deadline) {
            self.abandoned = Some(Abandoned { deadline, frame_start });
        }
        false
    }

    /// Ends every waiting entry whose deadline is not after `now` and adds its receiver to `told`. Returns whether the
    /// peer has been silent since the frame of such an entry was written.
    ///
    /// Scans the whole table. Call it no earlier than [`earliest_deadline`](Self::earliest_deadline), and no more often
    /// than deadlines need to be precise.
    pub fn expire(&mut self, now: Instant, progress: Progress, told: &mut Told<C>) -> bool {
        // The cheap check comes first: it spares a scan of the table.
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return false;
        }
        let (mut silent, mut earliest) = (false, None::<Instant>);
        match self.abandoned {
            Some(abandoned) if abandoned.deadline <= now => {
                silent = progress.is_silent_since(abandoned.frame_start);
                self.abandoned = None;
            }
            abandoned => earliest = abandoned.map(|abandoned| abandoned.deadline),
        }
        for slot in &mut self.slots {
            let Slot::Waiting { deadline, frame_start, hold, .. } = slot else { continue };
            if *deadline <= now {
                silent |= *hold != Hold::Beyond && progress.is_silent_since(*frame_start);
                self.parked -= usize::from(hold.is_parked());
                self.live -= usize::from(slot.end(CallEnd::DeadlinePassed, told));
            } else {
                let due = hold.due(*deadline);
                earliest = Some(earliest.map_or(due, |earliest| earliest.min(due)));
            }
        }
        self.earliest = earliest;
        if self.live == 0 && self.slots.len() > INITIAL_SLOTS {
            // A burst is over: release its memory.
            (self.slots, self.answers, self.free_places) = (Vec::new(), Vec::new(), Vec::new());
        }
        silent
    }

    /// Ends every waiting entry because the connection ended after `written` bytes of its stream.
    pub fn end_all(&mut self, written: u64, told: &mut Told<C>) {
        for slot in &mut self.slots {
            if let Slot::Waiting { frame_start, .. } = slot {
                // Exact to the byte: a frame without a written byte cannot have reached the peer.
                let end = CallEnd::ConnectionEnded { written: *frame_start < written };
                self.live -= usize::from(slot.end(end, told));
            }
        }
        (self.earliest, self.abandoned, self.parked) = (None, None, 0);
    }

    /// Removes an entry, with the answer that its task has not taken.
    fn remove(&mut self, opaque: i32) -> Option<Slot<C>> {
        let removed = std::mem::replace(self.slot_of(opaque)?, Slot::Free);
        self.live -= 1;
        match removed {
            Slot::Answered { place, .. } => drop(self.take(place)),
            Slot::Waiting { hold, .. } => self.parked -= usize::from(hold.is_parked()),
            _ => {}
        }
        Some(removed)
    }

    /// Stores an answer until its task takes it. Returns its place.
    fn keep(&mut self, answer: A) -> usize {
        match self.free_places.pop() {
            Some(place) => {
                self.answers[place] = Some(answer);
                place
            }
            None => {
                self.answers.push(Some(answer));
                self.answers.len() - 1
            }
        }
    }

    fn take(&mut self, place: usize) -> Option<A> {
        self.free_places.push(place);
        self.answers.get_mut(place)?.take()
    }

    fn index(&self, opaque: i32) -> usize {
        // The cast keeps the low bits of a negative id; the mask looks only at these.
        opaque as u32 as usize & (self.slots.len() - 1)
    }

    fn slot_of(&mut self, opaque: i32) -> Option<&mut Slot<C>> {
        if self.slots.is_empty() {
            return None;
        }
        let index = self.index(opaque);
        self.slots.get_mut(index).filter(|slot| slot.opaque() == Some(opaque))
    }

    /// Doubles the table. Ids that differ under the old mask also differ under the new one.
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(INITIAL_SLOTS);
        let mut slots: Vec<Slot<C>> = Vec::with_capacity(size);
        slots.resize_with(size, || Slot::Free);
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old {
            if let Some(opaque) = slot.opaque() {
                let index = self.index(opaque);
                self.slots[index] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests;
