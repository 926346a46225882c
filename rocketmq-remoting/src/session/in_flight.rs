use std::task::{Poll, Waker};
use std::time::Instant;

use crate::protocol::RemotingCommand;

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

/// What became of an answer.
#[derive(Debug)]
pub enum Completion {
    /// The caller takes it: wake this waker, after all locks are released.
    Taken(Option<Waker>),
    /// Nobody waits for this opaque (any more): a late, repeated or invented answer.
    Unmatched,
}

/// Requests that wait for their answer, found by opaque id without hashing.
///
/// A slot's index is `opaque & mask`; ids whose slot is occupied are skipped when they are given out, so no
/// two live entries collide. The full opaque is compared, so a late answer falls through even when its slot
/// has a new tenant. Java: `NettyRemotingAbstract.responseTable`.
#[derive(Debug)]
pub struct InFlightTable {
    slots: Vec<Slot>,
    live: usize,
    next_opaque: i32,
    /// No deadline of a waiting entry is before this.
    earliest: Option<Instant>,
}

#[derive(Debug)]
enum Slot {
    Free,
    Waiting { opaque: i32, deadline: Instant, frame_start: u64, waker: Option<Waker> },
    Ended { opaque: i32, outcome: Result<RemotingCommand, CallEnd> },
}

impl Slot {
    fn opaque(&self) -> Option<i32> {
        match self {
            Slot::Free => None,
            Slot::Waiting { opaque, .. } | Slot::Ended { opaque, .. } => Some(*opaque),
        }
    }
}

impl InFlightTable {
    /// An empty table whose first id is `first_opaque`. Ids count up and wrap into the negatives.
    pub fn new(first_opaque: i32) -> Self {
        Self { slots: Vec::new(), live: 0, next_opaque: first_opaque, earliest: None }
    }

    /// Entries that have not left the table: waiting ones, and answered ones that their caller has yet to take.
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
    pub fn insert(&mut self, deadline: Instant, frame_start: u64, waker: Option<Waker>) -> i32 {
        if self.live >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let mut opaque = self.next_opaque;
        while !matches!(self.slots[self.index(opaque)], Slot::Free) {
            opaque = opaque.wrapping_add(1);
        }
        self.next_opaque = opaque.wrapping_add(1);
        let index = self.index(opaque);
        self.slots[index] = Slot::Waiting { opaque, deadline, frame_start, waker };
        self.live += 1;
        self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        opaque
    }

    /// Hands an answer to the request that waits for it.
    pub fn complete(&mut self, answer: RemotingCommand) -> Completion {
        let Some(slot) = self.slot_of(answer.opaque) else { return Completion::Unmatched };
        match slot {
            Slot::Waiting { opaque, waker, .. } => {
                let (opaque, waker) = (*opaque, waker.take());
                *slot = Slot::Ended { opaque, outcome: Ok(answer) };
                Completion::Taken(waker)
            }
            _ => Completion::Unmatched,
        }
    }

    /// Takes the outcome of a request, or remembers whom to wake. Ready removes the entry.
    pub fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Result<RemotingCommand, CallEnd>> {
        let Some(slot) = self.slot_of(opaque) else {
            // Only a caller that polls after it was given the outcome gets here.
            return Poll::Ready(Err(CallEnd::DeadlinePassed));
        };
        if let Slot::Waiting { waker: stored, .. } = slot {
            match stored {
                Some(stored) if stored.will_wake(waker) => {}
                _ => *stored = Some(waker.clone()),
            }
            return Poll::Pending;
        }
        let ended = std::mem::replace(slot, Slot::Free);
        self.live -= 1;
        match ended {
            Slot::Ended { outcome, .. } => Poll::Ready(outcome),
            _ => Poll::Ready(Err(CallEnd::DeadlinePassed)),
        }
    }

    /// Removes an entry whose caller went away. Its answer, should it come, is unmatched.
    pub fn cancel(&mut self, opaque: i32) {
        if let Some(slot) = self.slot_of(opaque) {
            *slot = Slot::Free;
            self.live -= 1;
        }
    }

    /// Ends every waiting entry whose deadline is not after `now`; appends whom to wake to `wakers`.
    /// Looks at each slot once, so call it at [`earliest_deadline`](Self::earliest_deadline) but not more
    /// often than deadlines need to be precise.
    pub fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let mut earliest: Option<Instant> = None;
        for slot in &mut self.slots {
            if let Slot::Waiting { opaque, deadline, waker, .. } = slot {
                if *deadline <= now {
                    wakers.extend(waker.take());
                    *slot = Slot::Ended { opaque: *opaque, outcome: Err(CallEnd::DeadlinePassed) };
                } else {
                    earliest = Some(earliest.map_or(*deadline, |earliest| earliest.min(*deadline)));
                }
            }
        }
        self.earliest = earliest;
        if self.live == 0 && self.slots.len() > INITIAL_SLOTS {
            // A burst is over: give its memory back.
            self.slots = Vec::new();
        }
    }

    /// Ends every waiting entry because the connection ended after `written` bytes of its stream.
    pub fn end_all(&mut self, written: u64, wakers: &mut Vec<Waker>) {
        for slot in &mut self.slots {
            if let Slot::Waiting { opaque, frame_start, waker, .. } = slot {
                wakers.extend(waker.take());
                let end = CallEnd::ConnectionEnded { written: *frame_start < written };
                *slot = Slot::Ended { opaque: *opaque, outcome: Err(end) };
            }
        }
        self.earliest = None;
    }

    fn index(&self, opaque: i32) -> usize {
        // The cast keeps the low bits of a negative id, which is all that the mask looks at.
        opaque as u32 as usize & (self.slots.len() - 1)
    }

    fn slot_of(&mut self, opaque: i32) -> Option<&mut Slot> {
        if self.slots.is_empty() {
            return None;
        }
        let index = self.index(opaque);
        self.slots.get_mut(index).filter(|slot| slot.opaque() == Some(opaque))
    }

    /// Doubles the table. Ids that differed in the old mask's bits differ in the new one's.
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(INITIAL_SLOTS);
        let mut slots: Vec<Slot> = Vec::with_capacity(size);
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
    use crate::protocol::ResponseCode;

    fn answer(opaque: i32) -> RemotingCommand {
        let mut command = RemotingCommand::response(ResponseCode::SUCCESS);
        command.opaque = opaque;
        command
    }

    fn poll(table: &mut InFlightTable, opaque: i32) -> Poll<Result<RemotingCommand, CallEnd>> {
        table.poll(opaque, Waker::noop())
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn each_caller_gets_its_own_answer_whatever_the_order() {
        let mut table = InFlightTable::new(0);
        let ids: Vec<i32> = (0..1000).map(|_| table.insert(later(3), 0, None)).collect();
        for id in ids.iter().rev() {
            assert!(matches!(table.complete(answer(*id)), Completion::Taken(_)));
        }
        for id in ids {
            assert!(matches!(poll(&mut table, id), Poll::Ready(Ok(command)) if command.opaque == id));
        }
        assert!(table.is_empty());
    }

    #[test]
    fn late_repeated_and_invented_answers_match_nobody() {
        let mut table = InFlightTable::new(7);
        assert!(matches!(table.complete(answer(7)), Completion::Unmatched));
        let id = table.insert(later(3), 0, None);
        assert!(matches!(table.complete(answer(id + 64)), Completion::Unmatched));
        assert!(matches!(table.complete(answer(id)), Completion::Taken(_)));
        assert!(matches!(table.complete(answer(id)), Completion::Unmatched));
        assert!(poll(&mut table, id).is_ready());
        let next = table.insert(later(3), 0, None);
        table.cancel(next);
        assert!(matches!(table.complete(answer(next)), Completion::Unmatched));
        assert!(table.is_empty());
    }

    #[test]
    fn ids_wrap_and_skip_slots_that_are_still_waiting() {
        let mut table = InFlightTable::new(i32::MAX - 1);
        let slow = table.insert(later(30), 0, None);
        let mut seen = vec![slow];
        for _ in 0..500 {
            let id = table.insert(later(3), 0, None);
            assert!(!seen.contains(&id), "a live id was given out twice");
            seen.push(id);
            assert!(matches!(table.complete(answer(id)), Completion::Taken(_)));
            assert!(poll(&mut table, id).is_ready());
        }
        assert!(seen.iter().any(|id| *id < 0), "the counter wrapped");
        assert!(matches!(table.complete(answer(slow)), Completion::Taken(_)));
        assert!(matches!(poll(&mut table, slow), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_deadline_ends_its_own_entry_only() {
        let mut table = InFlightTable::new(0);
        let start = Instant::now();
        let short = table.insert(start + Duration::from_millis(10), 0, None);
        let long = table.insert(start + Duration::from_millis(50), 0, None);
        let mut wakers = Vec::new();
        table.expire(start + Duration::from_millis(9), &mut wakers);
        assert!(poll(&mut table, short).is_pending());
        table.expire(start + Duration::from_millis(10), &mut wakers);
        assert_eq!(wakers.len(), 1);
        assert!(matches!(poll(&mut table, short), Poll::Ready(Err(CallEnd::DeadlinePassed))));
        assert!(poll(&mut table, long).is_pending());
        assert_eq!(table.earliest_deadline(), Some(start + Duration::from_millis(50)));
    }

    #[test]
    fn the_end_of_a_connection_tells_what_the_peer_may_have_seen() {
        let mut table = InFlightTable::new(0);
        let sent = table.insert(later(3), 0, None);
        let begun = table.insert(later(3), 100, None);
        let unsent = table.insert(later(3), 200, None);
        table.end_all(101, &mut Vec::new());
        for (id, written) in [(sent, true), (begun, true), (unsent, false)] {
            let end = CallEnd::ConnectionEnded { written };
            assert!(matches!(poll(&mut table, id), Poll::Ready(Err(found)) if found == end));
        }
    }

    #[test]
    fn memory_of_a_burst_is_given_back() {
        let mut table = InFlightTable::new(0);
        let start = Instant::now();
        let ids: Vec<i32> = (0..10_000).map(|_| table.insert(start, 0, None)).collect();
        for id in ids {
            table.cancel(id);
        }
        table.expire(start, &mut Vec::new());
        assert_eq!(table.slots.len(), 0);
    }
}
