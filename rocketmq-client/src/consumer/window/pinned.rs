use std::collections::VecDeque;

/// The answers whose messages are cached, and the bytes that these messages keep alive.
///
/// The messages of a pull share the memory of its answer: it is free only when the last of them is finished. They stay in the
/// list that came with the answer, at their places, until they are handed out one by one.
#[derive(Debug)]
pub(super) struct Pinned<M> {
    answers: VecDeque<PinnedAnswer<M>>,
    /// The number of the first answer in `answers`. Numbers wrap around.
    first: u32,
    bytes: u64,
}

/// An answer whose memory is still in use.
#[derive(Debug)]
struct PinnedAnswer<M> {
    /// The messages that wait, with their offsets.
    messages: Vec<Option<(i64, M)>>,
    unfinished: u32,
    bytes: u64,
}

/// The place of a message: the number of its answer, and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) answer: u32,
    pub(super) index: u32,
}

impl<M> Default for Pinned<M> {
    fn default() -> Self {
        Self { answers: VecDeque::new(), first: 0, bytes: 0 }
    }
}

impl<M> Pinned<M> {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number that the next answer gets.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(self.answers.len() as u32)
    }

    /// Adds the answer with the number [`next`](Self::next). An answer without messages pins nothing.
    pub(super) fn add(&mut self, messages: Vec<Option<(i64, M)>>, unfinished: u32, bytes: u64) -> u64 {
        if unfinished == 0 {
            return 0;
        }
        self.answers.push_back(PinnedAnswer { messages, unfinished, bytes });
        self.bytes += bytes;
        bytes
    }

    /// The place of a message, empty while the message is handed out.
    #[inline]
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Option<(i64, M)>> {
        let answer = self.answers.get_mut(place.answer.wrapping_sub(self.first) as usize)?;
        answer.messages.get_mut(place.index as usize)
    }

    /// Notes that a message of an answer is finished. Returns how many bytes became free.
    #[inline]
    pub(super) fn finish(&mut self, answer: u32) -> u64 {
        let Some(entry) = self.answers.get_mut(answer.wrapping_sub(self.first) as usize) else { return 0 };
        entry.unfinished = entry.unfinished.saturating_sub(1);
        if entry.unfinished > 0 {
            return 0;
        }
        let free = std::mem::take(&mut entry.bytes);
        entry.messages = Vec::new();
        self.bytes -= free;
        while self.answers.front().is_some_and(|answer| answer.unfinished == 0) {
            self.answers.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        free
    }
}
