use std::task::{Poll, Waker};
use std::time::Instant;

/// Slots that a new table starts with; a power of two, as every later size is.
const INITIAL_SLOTS: usize = 64;

/// Why an entry left the in-flight table without its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// Its deadline passed. The frame was in the write buffer, so the peer may have seen it.
    DeadlinePassed,
    /// The connection ended.
    ConnectionEnded {
        /// Whether the frame's first byte had been handed to the socket: if not, the peer cannot have
        /// acted on the request.
        written: bool,
    },
}

/// Who is told how a request ended. `C` is a callback, for requests that no task waits for.
#[derive(Debug)]
pub enum Waiter<C> {
    /// Nobody yet.
    Nobody,
    /// A task, which comes to take the outcome.
    Task(Waker),
    /// A callback, which gets the outcome.
    Callback(C),
}

/// Whose request an answer belongs to.
#[derive(Debug)]
pub enum Matched<C> {
    /// Nobody's, or nobody's any more: it is a late, repeated or invented answer.
    Nobody,
    /// One whose caller comes to take it: a task that is to be woken, if it waits already.
    Kept(Option<Waker>),
    /// That of a callback, which has left the table.
    Callback(C),
}

/// Whom to tell how their requests ended, once all locks are released.
#[derive(Debug)]
pub struct Told<C> {
    /// Tasks to wake: they come to take the outcome.
    pub wakers: Vec<Waker>,
    /// Callbacks that get no answer. They have left the table.
    pub callbacks: Vec<(C, CallEnd)>,
}

impl<C> Default for Told<C> {
    fn default() -> Self {
        Self { wakers: Vec::new(), callbacks: Vec::new() }
    }
}

/// Requests that wait for their answer, found by opaque id without hashing.
///
/// A slot's index is `opaque & mask`; ids whose slot is occupied are skipped when they are given out, so no
/// two live entries collide. The full opaque is compared, so a late answer falls through even when its slot
/// has a new tenant. Java: `NettyRemotingAbstract.responseTable`.
///
/// `C` is a callback, `A` an answer.
#[derive(Debug)]
pub struct InFlightTable<C, A> {
    slots: Vec<Slot<C>>,
    /// Answers that their task has yet to take. Apart from the slots, which are many and stay small without them.
    answers: Vec<Option<A>>,
    /// Free places in `answers`.
    free_places: Vec<usize>,
    live: usize,
    next_opaque: i32,
    /// No deadline of a waiting entry is before this.
    earliest: Option<Instant>,
}

#[derive(Debug)]
enum Slot<C> {
    Free,
    Waiting {
        opaque: i32,
        deadline: Instant,
        frame_start: u64,
        waiter: Waiter<C>,
    },
    /// The answer's place.
    Answered {
        opaque: i32,
        place: usize,
    },
    Ended {
        opaque: i32,
        end: CallEnd,
    },
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

    /// Ends an entry that waits. Returns whether it left the table.
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
    /// An empty table whose first id is `first_opaque`. Ids count up and wrap into the negatives.
    pub fn new(first_opaque: i32) -> Self {
        Self {
            slots: Vec::new(),
            answers: Vec::new(),
            free_places: Vec::new(),
            live: 0,
            next_opaque: first_opaque,
            earliest: None,
        }
    }

    /// Entries that have not left the table: waiting ones, and ended ones that their task has yet to take.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no entry is left.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The earliest instant at which [`expire`](Self::expire) could find something to do.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.earliest
    }

    /// Enters a request and gives it an opaque id. `frame_start` is the position in the connection's byte
    /// stream at which its frame begins.
    pub fn insert(&mut self, deadline: Instant, frame_start: u64, waiter: Waiter<C>) -> i32 {
        if self.live >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let mut opaque = self.next_opaque;
        while !matches!(self.slots[self.index(opaque)], Slot::Free) {
            opaque = opaque.wrapping_add(1);
        }
        self.next_opaque = opaque.wrapping_add(1);
        let index = self.index(opaque);
        self.slots[index] = Slot::Waiting { opaque, deadline, frame_start, waiter };
        self.live += 1;
        self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        opaque
    }

    /// Says who is told how a request ended, if that was nobody so far.
    pub fn wait(&mut self, opaque: i32, waiter: Waiter<C>) {
        if let Some(Slot::Waiting { waiter: stored, .. }) = self.slot_of(opaque) {
            *stored = waiter;
        }
    }

    /// Finds the request that an answer belongs to. The answer itself is only needed if its caller has yet to take it.
    pub fn complete(&mut self, opaque: i32, answer: impl FnOnce() -> A) -> Matched<C> {
        let Some(slot) = self.slot_of(opaque) else { return Matched::Nobody };
        let Slot::Waiting { waiter, .. } = slot else { return Matched::Nobody };
        let waker = match std::mem::replace(waiter, Waiter::Nobody) {
            Waiter::Callback(callback) => {
                *slot = Slot::Free;
                self.live -= 1;
                return Matched::Callback(callback);
            }
            Waiter::Task(waker) => Some(waker),
            Waiter::Nobody => None,
        };
        let place = self.keep(answer());
        let index = self.index(opaque);
        self.slots[index] = Slot::Answered { opaque, place };
        Matched::Kept(waker)
    }

    /// Takes the outcome of a request, or remembers whom to wake. Ready removes the entry.
    pub fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Result<A, CallEnd>> {
        let Some(slot) = self.slot_of(opaque) else {
            // Only a caller that polls after it was given the outcome gets here.
            return Poll::Ready(Err(CallEnd::DeadlinePassed));
        };
        if let Slot::Waiting { waiter, .. } = slot {
            match waiter {
                Waiter::Task(stored) if stored.will_wake(waker) => {}
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

    /// Removes an entry whose caller went away. Its answer, should it come, is unmatched.
    pub fn cancel(&mut self, opaque: i32) {
        if let Some(slot) = self.slot_of(opaque) {
            if let Slot::Answered { place, .. } = std::mem::replace(slot, Slot::Free) {
                self.take(place);
            }
            self.live -= 1;
        }
    }

    /// Ends every waiting entry whose deadline is not after `now`; adds whom to tell to `told`.
    /// Looks at each slot once, so call it at [`earliest_deadline`](Self::earliest_deadline) but not more
    /// often than deadlines need to be precise.
    pub fn expire(&mut self, now: Instant, told: &mut Told<C>) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let mut earliest: Option<Instant> = None;
        for slot in &mut self.slots {
            if let Slot::Waiting { deadline, .. } = slot {
                if *deadline <= now {
                    self.live -= usize::from(slot.end(CallEnd::DeadlinePassed, told));
                } else {
                    earliest = Some(earliest.map_or(*deadline, |earliest| earliest.min(*deadline)));
                }
            }
        }
        self.earliest = earliest;
        if self.live == 0 && self.slots.len() > INITIAL_SLOTS {
            // A burst is over: give its memory back.
            (self.slots, self.answers, self.free_places) = (Vec::new(), Vec::new(), Vec::new());
        }
    }

    /// Ends every waiting entry because the connection ended after `written` bytes of its stream.
    pub fn end_all(&mut self, written: u64, told: &mut Told<C>) {
        for slot in &mut self.slots {
            if let Slot::Waiting { frame_start, .. } = slot {
                let end = CallEnd::ConnectionEnded { written: *frame_start < written };
                self.live -= usize::from(slot.end(end, told));
            }
        }
        self.earliest = None;
    }

    /// Keeps an answer until its task takes it.
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
        // The cast keeps the low bits of a negative id, which is all that the mask looks at.
        opaque as u32 as usize & (self.slots.len() - 1)
    }

    fn slot_of(&mut self, opaque: i32) -> Option<&mut Slot<C>> {
        if self.slots.is_empty() {
            return None;
        }
        let index = self.index(opaque);
        self.slots.get_mut(index).filter(|slot| slot.opaque() == Some(opaque))
    }

    /// Doubles the table. Ids that differed in the old mask's bits differ in the new one's.
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
mod tests {
    use std::time::Duration;

    use super::*;

    /// With names for callbacks; an answer is the id that it came with.
    type Table = InFlightTable<&'static str, i32>;

    fn poll(table: &mut Table, opaque: i32) -> Poll<Result<i32, CallEnd>> {
        table.poll(opaque, Waker::noop())
    }

    /// Whether there is a task that comes to take the answer.
    fn answer(table: &mut Table, opaque: i32) -> bool {
        matches!(table.complete(opaque, || opaque), Matched::Kept(_))
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn each_caller_gets_its_own_answer_whatever_the_order() {
        let mut table = Table::new(0);
        let ids: Vec<i32> = (0..1000).map(|_| table.insert(later(3), 0, Waiter::Nobody)).collect();
        for id in ids.iter().rev() {
            assert!(answer(&mut table, *id));
        }
        for id in ids {
            assert!(matches!(poll(&mut table, id), Poll::Ready(Ok(found)) if found == id));
        }
        assert!(table.is_empty());
    }

    #[test]
    fn late_repeated_and_invented_answers_match_nobody() {
        let mut table = Table::new(7);
        assert!(!answer(&mut table, 7));
        let id = table.insert(later(3), 0, Waiter::Nobody);
        assert!(!answer(&mut table, id + 64));
        assert!(answer(&mut table, id));
        assert!(!answer(&mut table, id));
        assert!(poll(&mut table, id).is_ready());
        let next = table.insert(later(3), 0, Waiter::Nobody);
        table.cancel(next);
        assert!(!answer(&mut table, next));
        assert!(table.is_empty());
    }

    #[test]
    fn ids_wrap_and_skip_slots_that_are_still_waiting() {
        let mut table = Table::new(i32::MAX - 1);
        let slow = table.insert(later(30), 0, Waiter::Nobody);
        let mut seen = vec![slow];
        for _ in 0..500 {
            let id = table.insert(later(3), 0, Waiter::Nobody);
            assert!(!seen.contains(&id), "a live id was given out twice");
            seen.push(id);
            assert!(answer(&mut table, id));
            assert!(poll(&mut table, id).is_ready());
        }
        assert!(seen.iter().any(|id| *id < 0), "the counter wrapped");
        assert!(answer(&mut table, slow));
        assert!(matches!(poll(&mut table, slow), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_deadline_ends_its_own_entry_only() {
        let mut table = Table::new(0);
        let start = Instant::now();
        let short = table.insert(start + Duration::from_millis(10), 0, Waiter::Nobody);
        let long = table.insert(start + Duration::from_millis(50), 0, Waiter::Nobody);
        let mut told = Told::default();
        table.expire(start + Duration::from_millis(9), &mut told);
        assert!(poll(&mut table, short).is_pending());
        table.expire(start + Duration::from_millis(10), &mut told);
        assert_eq!(told.wakers.len(), 1);
        assert!(matches!(poll(&mut table, short), Poll::Ready(Err(CallEnd::DeadlinePassed))));
        assert!(poll(&mut table, long).is_pending());
        assert_eq!(table.earliest_deadline(), Some(start + Duration::from_millis(50)));
    }

    #[test]
    fn the_end_of_a_connection_tells_what_the_peer_may_have_seen() {
        let mut table = Table::new(0);
        let sent = table.insert(later(3), 0, Waiter::Nobody);
        let begun = table.insert(later(3), 100, Waiter::Nobody);
        let unsent = table.insert(later(3), 200, Waiter::Nobody);
        table.end_all(101, &mut Told::default());
        for (id, written) in [(sent, true), (begun, true), (unsent, false)] {
            let end = CallEnd::ConnectionEnded { written };
            assert!(matches!(poll(&mut table, id), Poll::Ready(Err(found)) if found == end));
        }
    }

    #[test]
    fn memory_of_a_burst_is_given_back() {
        let mut table = Table::new(0);
        let start = Instant::now();
        let ids: Vec<i32> = (0..10_000).map(|_| table.insert(start, 0, Waiter::Nobody)).collect();
        for id in ids {
            table.cancel(id);
        }
        table.expire(start, &mut Told::default());
        assert_eq!(table.slots.len(), 0);
    }

    #[test]
    fn a_callback_gets_its_outcome_and_leaves_no_entry() {
        let mut table = Table::new(0);
        let (now, mut told) = (Instant::now(), Told::default());
        let answered = table.insert(later(3), 0, Waiter::Callback("answered"));
        table.insert(now, 0, Waiter::Callback("late"));
        table.insert(later(3), 0, Waiter::Callback("written"));
        table.insert(later(3), 100, Waiter::Callback("unsent"));
        assert!(matches!(table.complete(answered, || answered), Matched::Callback("answered")));
        table.expire(now, &mut told);
        table.end_all(100, &mut told);
        assert!(table.is_empty() && told.wakers.is_empty());
        let ended = |written| CallEnd::ConnectionEnded { written };
        let ends = [("late", CallEnd::DeadlinePassed), ("written", ended(true)), ("unsent", ended(false))];
        assert_eq!(told.callbacks, ends);
        assert!(!answer(&mut table, answered));
    }

    #[test]
    fn answers_that_nobody_takes_leave_their_place_to_others() {
        let mut table = Table::new(0);
        for _ in 0..100 {
            let (taken, given_up) =
                (table.insert(later(3), 0, Waiter::Nobody), table.insert(later(3), 0, Waiter::Nobody));
            for opaque in [taken, given_up] {
                assert!(answer(&mut table, opaque));
            }
            table.cancel(given_up);
            assert!(matches!(poll(&mut table, taken), Poll::Ready(Ok(found)) if found == taken));
        }
        assert_eq!((table.answers.len(), table.len()), (2, 0));
    }
}
