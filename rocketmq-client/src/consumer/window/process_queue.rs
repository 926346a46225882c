use std::collections::VecDeque;

use super::generation::Generation;
use super::pinned::{Pinned, Place};

/// The cached messages of one queue during one ownership of it. Java: `ProcessQueue`.
///
/// A message is *waiting* until [`take_one`](Self::take_one) hands it out, and cached until [`finish`](Self::finish). The lowest
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
    handing_out: bool,
}

#[derive(Debug)]
struct WindowEntry {
    offset: i64,
    place: Place,
    step: Step,
}

/// How far a cached message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Waiting,
    InHand,
    Finished,
}

/// What a pull answer says about a range of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PulledRange {
    /// Where the next pull begins.
    pub(crate) next_begin: i64,
    /// The bytes of memory that the messages of the answer keep alive together.
    pub(crate) pinned: u64,
}

/// What a put changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PutCounts {
    /// Messages that are cached now.
    pub(crate) added: usize,
    /// Messages that an earlier answer had brought already.
    pub(crate) known: usize,
    /// Bytes to charge to the budget.
    pub(crate) pinned: u64,
}

/// What the end of a message changed.
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
            handing_out: true,
        }
    }

    /// Where the next pull begins.
    pub(crate) fn next_pull(&self) -> i64 {
        self.next_pull
    }

    /// The offset of the next message to hand out.
    pub(crate) fn next_to_take(&self) -> i64 {
        let waiting = self.entries.iter().skip(self.cursor).find(|entry| entry.step == Step::Waiting);
        waiting.map_or(self.next_pull, |entry| entry.offset)
    }

    /// The offset to commit: all messages before it are finished.
    pub(crate) fn lowest_unfinished(&self) -> i64 {
        self.entries.front().map_or(self.next_pull, |first| first.offset)
    }

    /// How many messages are cached: those that wait and those in hand.
    pub(crate) fn count(&self) -> usize {
        self.unfinished
    }

    /// How many messages [`take_one`](Self::take_one) can hand out.
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

    /// Adds the messages of an answer, with their offsets. An answer of another generation changes nothing and returns
    /// `None`; so does an answer during the release, because its messages belong to the next owner.
    ///
    /// A message that an earlier answer brought is not added again. `next_begin` never moves the window back: a reset or a
    /// seek begins a new generation.
    pub(crate) fn put(
        &mut self,
        generation: Generation,
        range: PulledRange,
        messages: impl IntoIterator<Item = (i64, M)>,
    ) -> Option<PutCounts> {
        if generation != self.generation || !self.handing_out {
            return None;
        }
        let (begin, answer) = (self.next_pull, self.pinned.next());
        let mut counts = PutCounts::default();
        // A list of messages is turned into this one in its own memory.
        let messages: Vec<Option<(i64, M)>> = messages.into_iter().map(Some).collect();
        for (index, (offset, _)) in messages.iter().flatten().enumerate() {
            let place = Place { answer, index: index as u32 };
            let entry = WindowEntry { offset: *offset, place, step: Step::Waiting };
            if *offset < begin || !self.insert(entry) {
                counts.known += 1;
            } else {
                counts.added += 1;
            }
        }
        self.waiting += counts.added;
        self.unfinished += counts.added;
        counts.pinned = self.pinned.add(messages, counts.added as u32, range.pinned);
        self.next_pull = self.next_pull.max(range.next_begin);
        Some(counts)
    }

    /// Takes the waiting message with the lowest offset.
    #[inline]
    pub(crate) fn take_one(&mut self) -> Option<(i64, M)> {
        if self.waiting() == 0 {
            return None;
        }
        while let Some(entry) = self.entries.get_mut(self.cursor) {
            self.cursor += 1;
            if entry.step == Step::Waiting {
                entry.step = Step::InHand;
                self.waiting -= 1;
                return self.pinned.at(entry.place)?.take();
            }
        }
        None
    }

    /// Takes up to `n` waiting messages, the lowest offsets first.
    #[cfg(test)]
    pub(crate) fn take(&mut self, n: usize) -> impl Iterator<Item = (i64, M)> + '_ {
        std::iter::from_fn(|| self.take_one()).take(n)
    }

    /// Whether the message at an offset waits.
    pub(crate) fn is_waiting(&self, offset: i64) -> bool {
        let place = self.entries.binary_search_by_key(&offset, |entry| entry.offset);
        place.ok().and_then(|place| self.entries.get(place)).is_some_and(|entry| entry.step == Step::Waiting)
    }

    /// Takes the waiting message at an offset.
    pub(crate) fn take_at(&mut self, offset: i64) -> Option<M> {
        if !self.handing_out {
            return None;
        }
        let place = self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        let entry = self.entries.get_mut(place).filter(|entry| entry.step == Step::Waiting)?;
        entry.step = Step::InHand;
        self.waiting -= 1;
        self.pinned.at(entry.place)?.take().map(|(_, message)| message)
    }

    /// Ends a message that is in hand. Returns `None`, and changes nothing, for another generation and for a message that
    /// is not in hand.
    #[inline]
    pub(crate) fn finish(&mut self, generation: Generation, offset: i64) -> Option<Finished> {
        let place = self.in_hand_at(generation, offset)?;
        let entry = self.entries.get_mut(place)?;
        entry.step = Step::Finished;
        self.unfinished -= 1;
        let released = self.pinned.finish(entry.place.answer);
        let commit = (place == 0).then(|| self.drop_finished());
        Some(Finished { released, commit })
    }

    /// Puts a message that was handed out back to its place, to be handed out again. Returns the message where
    /// [`finish`](Self::finish) would change nothing.
    pub(crate) fn give_back(&mut self, generation: Generation, offset: i64, message: M) -> Result<(), M> {
        let Some(place) = self.in_hand_at(generation, offset) else { return Err(message) };
        let Some(entry) = self.entries.get_mut(place) else { return Err(message) };
        let Some(free) = self.pinned.at(entry.place) else { return Err(message) };
        *free = Some((offset, message));
        entry.step = Step::Waiting;
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

    /// Drops finished entries from the front. Returns the lowest unfinished offset.
    #[inline]
    fn drop_finished(&mut self) -> i64 {
        while self.entries.front().is_some_and(|entry| entry.step == Step::Finished) {
            self.entries.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        self.lowest_unfinished()
    }
}
