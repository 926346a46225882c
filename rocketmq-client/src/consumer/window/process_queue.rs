use std::collections::{BTreeMap, VecDeque};

use super::generation::Generation;
use super::pinned::Pinned;

/// The number of messages that an empty window keeps room for.
const KEPT: usize = 64;

/// The cached messages of one queue during one ownership of it. Java: `ProcessQueue`.
///
/// A message is *waiting* until [`take`](Self::take) hands it out, and cached until [`finish`](Self::finish). The lowest
/// unfinished offset is the only offset that may be committed. Offsets without a message (filtered by the broker, skipped,
/// undecodable) count as finished.
///
/// A ring of small entries has the order of the offsets; the messages stay in the lists of their answers. A lookup by offset is
/// one step while offsets have no gaps, and a binary search otherwise; nothing is allocated or moved per message.
#[derive(Debug)]
pub(crate) struct ProcessQueue<M> {
    generation: Generation,
    /// Ascending offsets. The first entry is never finished.
    entries: VecDeque<WindowEntry>,
    /// All entries before this place have been handed out or are finished.
    cursor: usize,
    waiting: usize,
    unfinished: usize,
    next_pull: i64,
    pinned: Pinned<M>,
    /// Messages that were handed out and wait again.
    again: BTreeMap<i64, M>,
    handing_out: bool,
}

#[derive(Debug)]
struct WindowEntry {
    offset: i64,
    /// The number of the answer that brought the message.
    answer: u32,
    step: Step,
}

/// How far a cached message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Waiting,
    InHand,
    /// It waits, and was in hand before.
    Again,
    Finished,
}

impl Step {
    fn waits(self) -> bool {
        matches!(self, Step::Waiting | Step::Again)
    }
}

/// The range of a queue that a pull answer covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PulledRange {
    /// Where the next pull begins.
    pub(crate) next_begin: i64,
    /// The bytes of memory that the messages of the answer keep alive together.
    pub(crate) pinned: u64,
}

/// The effect of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PutCounts {
    /// Messages that are cached now.
    pub(crate) added: usize,
    /// Messages that an earlier answer had brought already.
    pub(crate) known: usize,
    /// Bytes to charge to the budget.
    pub(crate) pinned: u64,
}

/// The effect of the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Bytes to give back to the budget.
    pub(crate) released: u64,
    /// The offset to commit, if it rose.
    pub(crate) commit: Option<i64>,
}

impl<M> ProcessQueue<M> {
    /// An empty window whose first pull begins at `start`.
    pub(crate) fn new(generation: Generation, start: i64) -> Self {
        Self {
            generation,
            entries: VecDeque::new(),
            cursor: 0,
            waiting: 0,
            unfinished: 0,
            next_pull: start,
            pinned: Pinned::default(),
            again: BTreeMap::new(),
            handing_out: true,
        }
    }

    /// Where the next pull begins.
    pub(crate) fn next_pull(&self) -> i64 {
        self.next_pull
    }

    /// The offset of the next message to hand out.
    pub(crate) fn next_to_take(&self) -> i64 {
        let waiting = self.entries.iter().skip(self.cursor).find(|entry| entry.step.waits());
        waiting.map_or(self.next_pull, |entry| entry.offset)
    }

    /// The offset to commit: all messages before it are finished.
    pub(crate) fn lowest_unfinished(&self) -> i64 {
        self.entries.front().map_or(self.next_pull, |first| first.offset)
    }

    /// How many messages are cached: waiting messages and messages in hand.
    pub(crate) fn count(&self) -> usize {
        self.unfinished
    }

    /// How many messages [`take`](Self::take) can hand out.
    pub(crate) fn waiting(&self) -> usize {
        if self.handing_out { self.waiting } else { 0 }
    }

    /// How many messages are handed out and not finished.
    pub(crate) fn in_hand(&self) -> usize {
        self.unfinished - self.waiting
    }

    /// The bytes of memory that cached messages keep alive.
    pub(crate) fn pinned(&self) -> u64 {
        self.pinned.bytes()
    }

    /// The distance between the lowest unfinished message and the highest message that arrived.
    pub(crate) fn span(&self) -> i64 {
        self.ends().map_or(0, |(first, last)| last - first)
    }

    /// The lowest unfinished message and the highest message that arrived.
    pub(crate) fn ends(&self) -> Option<(i64, i64)> {
        Some((self.entries.front()?.offset, self.entries.back()?.offset))
    }

    /// Adds the messages of an answer, each at the offset that `at` says, by its index and itself. An answer of another generation
    /// changes nothing and returns `None`; so does an answer during the release, because its messages belong to the next owner.
    ///
    /// A message that an earlier answer brought is not added again. `next_begin` never moves the window back: a reset or a
    /// seek begins a new generation.
    pub(crate) fn put(
        &mut self,
        generation: Generation,
        range: PulledRange,
        mut messages: Vec<M>,
        at: impl Fn(usize, &M) -> i64,
    ) -> Option<PutCounts> {
        if generation != self.generation || !self.handing_out {
            return None;
        }
        let (begin, answer, received) = (self.next_pull, self.pinned.next(), messages.len());
        let entry = |offset| WindowEntry { offset, answer, step: Step::Waiting };
        let offsets = messages.iter().enumerate().map(|(index, message)| at(index, message));
        if offsets.clone().is_sorted_by(|one, next| one < next)
            && offsets.clone().all(|offset| offset >= begin)
        {
            self.entries.extend(offsets.map(entry));
            self.next_pull = self.entries.back().map_or(begin, |last| begin.max(last.offset + 1));
        } else {
            let mut sorted: Vec<_> = messages
                .into_iter()
                .enumerate()
                .map(|(index, message)| (at(index, &message), message))
                .collect();
            sorted.sort_by_key(|(offset, _)| *offset);
            sorted.retain(|(offset, _)| *offset >= begin && self.insert(entry(*offset)));
            messages = sorted.into_iter().map(|(_, message)| message).collect();
        }
        let (added, known) = (messages.len(), received - messages.len());
        self.waiting += added;
        self.unfinished += added;
        let pinned = self.pinned.add(messages, range.pinned);
        self.next_pull = self.next_pull.max(range.next_begin);
        Some(PutCounts { added, known, pinned })
    }

    /// Takes the waiting message with the lowest offset.
    #[inline]
    pub(crate) fn take_one(&mut self) -> Option<(i64, M)> {
        let entry = self.next_waiting()?;
        let (answer, offset, step) = (entry.answer, entry.offset, entry.step);
        entry.step = Step::InHand;
        self.cursor += 1;
        self.waiting -= 1;
        let message = match step {
            Step::Again => self.again.remove(&offset)?,
            _ => self.pinned.of(answer)?.pop_front()?,
        };
        Some((offset, message))
    }

    /// Takes up to `n` waiting messages of one answer, the lowest offsets first, and adds them to `taken`: all that wait of the
    /// answer, unless messages of others lie between them. Adds their offsets to `offsets`. Returns how many.
    pub(crate) fn take(&mut self, n: usize, offsets: &mut Vec<i64>, taken: &mut Vec<M>) -> usize {
        let Some(&mut WindowEntry { answer, step, .. }) = self.next_waiting() else { return 0 };
        if step == Step::Again {
            let Some((offset, message)) = self.take_one() else { return 0 };
            offsets.push(offset);
            taken.push(message);
            return 1;
        }
        let begin = self.cursor;
        offsets.reserve(n.min(self.waiting));
        for entry in self.entries.range_mut(begin..).take(n) {
            if entry.answer != answer || entry.step != Step::Waiting {
                break;
            }
            entry.step = Step::InHand;
            offsets.push(entry.offset);
            self.cursor += 1;
        }
        let count = self.cursor - begin;
        self.waiting -= count;
        self.pinned.take(answer, count, taken);
        count
    }

    /// The entry of the next message to hand out, at the cursor.
    #[inline]
    fn next_waiting(&mut self) -> Option<&mut WindowEntry> {
        if self.waiting() == 0 {
            return None;
        }
        while self.entries.get(self.cursor).is_some_and(|entry| !entry.step.waits()) {
            self.cursor += 1;
        }
        self.entries.get_mut(self.cursor)
    }

    /// Whether the message at an offset waits.
    pub(crate) fn is_waiting(&self, offset: i64) -> bool {
        let place = self.entries.binary_search_by_key(&offset, |entry| entry.offset);
        place.ok().and_then(|place| self.entries.get(place)).is_some_and(|entry| entry.step.waits())
    }

    /// Takes the waiting message at an offset.
    pub(crate) fn take_at(&mut self, offset: i64) -> Option<M> {
        if !self.handing_out {
            return None;
        }
        let place = self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        let entry = self.entries.get_mut(place).filter(|entry| entry.step.waits())?;
        let (answer, step) = (entry.answer, std::mem::replace(&mut entry.step, Step::InHand));
        self.waiting -= 1;
        if step == Step::Again {
            return self.again.remove(&offset);
        }
        // Messages of the answer that were never handed out lie in the order of their entries.
        let is_before = |entry: &&WindowEntry| entry.answer == answer && entry.step == Step::Waiting;
        let index = self.entries.range(..place).filter(is_before).count();
        self.pinned.of(answer)?.remove(index)
    }

    /// Ends a message that is in hand. Returns `None`, and changes nothing, for another generation and for a message that
    /// is not in hand.
    pub(crate) fn finish(&mut self, generation: Generation, offset: i64) -> Option<Finished> {
        let place = self.in_hand_at(generation, offset)?;
        if place == 0 {
            let released = self.finish_first(1);
            return Some(Finished { released, commit: Some(self.lowest_unfinished()) });
        }
        let entry = self.entries.get_mut(place)?;
        entry.step = Step::Finished;
        let answer = entry.answer;
        self.unfinished -= 1;
        Some(Finished { released: self.pinned.finish(answer, 1), commit: None })
    }

    /// Ends messages as [`finish`](Self::finish) does. Returns the bytes to give back to the budget.
    pub(crate) fn finish_all(&mut self, generation: Generation, mut offsets: &[i64]) -> u64 {
        let mut released = 0;
        while let Some((&offset, others)) = offsets.split_first() {
            // Messages mostly end in their order, many at a time.
            let count = if generation == self.generation { self.first_in_hand(offsets) } else { 0 };
            if count > 0 {
                released += self.finish_first(count);
                offsets = &offsets[count..];
            } else {
                released += self.finish(generation, offset).map_or(0, |finished| finished.released);
                offsets = others;
            }
        }
        released
    }

    /// How many of the first entries are messages of one answer, in hand, and have these offsets.
    #[inline]
    fn first_in_hand(&self, offsets: &[i64]) -> usize {
        let Some(answer) = self.entries.front().map(|first| first.answer) else { return 0 };
        let ends = |(entry, offset): &(&WindowEntry, &i64)| {
            entry.offset == **offset && entry.step == Step::InHand && entry.answer == answer
        };
        self.entries.iter().zip(offsets).take_while(ends).count()
    }

    /// Ends the first entries, which are messages of one answer, and drops them and the finished entries behind them.
    fn finish_first(&mut self, count: usize) -> u64 {
        let Some(answer) = self.entries.front().map(|first| first.answer) else { return 0 };
        self.unfinished -= count;
        if count == 1 {
            _ = self.entries.pop_front()
        } else {
            _ = self.entries.drain(..count)
        }
        let mut dropped = count;
        while self.entries.front().is_some_and(|entry| entry.step == Step::Finished) {
            self.entries.pop_front();
            dropped += 1;
        }
        self.cursor = self.cursor.saturating_sub(dropped);
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            // A queue that was full once does not keep the room for it while it is idle.
            self.entries = VecDeque::new();
        }
        self.pinned.finish(answer, count as u32)
    }

    /// Puts a message that was handed out back to its place, to be handed out again. Returns the message where
    /// [`finish`](Self::finish) would change nothing.
    pub(crate) fn give_back(&mut self, generation: Generation, offset: i64, message: M) -> Result<(), M> {
        let Some(place) = self.in_hand_at(generation, offset) else { return Err(message) };
        let Some(entry) = self.entries.get_mut(place) else { return Err(message) };
        entry.step = Step::Again;
        self.again.insert(offset, message);
        self.waiting += 1;
        self.cursor = self.cursor.min(place);
        Ok(())
    }

    /// Goes on in another generation, with what is cached. Only while nothing is in hand: its end would change nothing.
    pub(crate) fn renew(self, generation: Generation) -> Option<Self> {
        (self.in_hand() == 0).then_some(Self { generation, handing_out: true, ..self })
    }

    /// Begins the release of the queue: nothing is handed out or added any more, and messages in hand may still finish.
    pub(crate) fn stop_handing_out(&mut self) {
        self.handing_out = false;
    }

    /// Adds an entry where its offset belongs: at the end, unless a broker sends offsets out of order. Refuses an offset
    /// that is there already.
    #[inline]
    fn insert(&mut self, entry: WindowEntry) -> bool {
        let next = entry.offset + 1;
        if self.entries.back().is_none_or(|last| last.offset < entry.offset) {
            self.entries.push_back(entry);
        } else {
            let place = self.entries.partition_point(|other| other.offset < entry.offset);
            if self.entries.get(place).is_some_and(|other| other.offset == entry.offset) {
                return false;
            }
            self.entries.insert(place, entry);
        }
        self.next_pull = self.next_pull.max(next);
        true
    }

    /// The place of a message that is in hand.
    #[inline]
    fn in_hand_at(&self, generation: Generation, offset: i64) -> Option<usize> {
        if generation != self.generation {
            return None;
        }
        let distance = offset.checked_sub(self.entries.front()?.offset)?;
        let guess = usize::try_from(distance).ok()?;
        // Offsets ascend: without gaps the entry is at the guess, with gaps before it.
        let place = match self.entries.get(guess) {
            Some(entry) if entry.offset == offset => guess,
            _ => self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?,
        };
        let entry = self.entries.get(place)?;
        (entry.step == Step::InHand).then_some(place)
    }
}
