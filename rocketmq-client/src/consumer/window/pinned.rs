use std::collections::VecDeque;

/// The answers whose messages are cached, and the bytes that these messages keep alive.
///
/// The messages of a pull share the memory of its answer: it is free only when the last of them is finished. They stay in the
/// list that came with the answer until they are handed out, often as this whole list: nothing is moved then.
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
    /// The messages that have never been handed out, in the order of their offsets.
    messages: VecDeque<M>,
    unfinished: u32,
    bytes: u64,
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
    pub(super) fn add(&mut self, messages: Vec<M>, bytes: u64) -> u64 {
        if messages.is_empty() {
            return 0;
        }
        let unfinished = messages.len() as u32;
        self.answers.push_back(PinnedAnswer { messages: messages.into(), unfinished, bytes });
        self.bytes += bytes;
        bytes
    }

    /// The messages of an answer that have never been handed out.
    #[inline]
    pub(super) fn of(&mut self, answer: u32) -> Option<&mut VecDeque<M>> {
        Some(&mut self.answers.get_mut(answer.wrapping_sub(self.first) as usize)?.messages)
    }

    /// Adds the next `count` messages of an answer to `taken`.
    pub(super) fn take(&mut self, answer: u32, count: usize, taken: &mut Vec<M>) {
        let Some(messages) = self.of(answer) else { return };
        if taken.is_empty() && count == messages.len() {
            *taken = std::mem::take(messages).into();
        } else {
            taken.extend(messages.drain(..count.min(messages.len())));
        }
    }

    /// Notes that `count` messages of an answer are finished. Returns how many bytes became free.
    #[inline]
    pub(super) fn finish(&mut self, answer: u32, count: u32) -> u64 {
        let Some(entry) = self.answers.get_mut(answer.wrapping_sub(self.first) as usize) else { return 0 };
        entry.unfinished = entry.unfinished.saturating_sub(count);
        if entry.unfinished > 0 {
            return 0;
        }
        let free = std::mem::take(&mut entry.bytes);
        self.bytes -= free;
        while self.answers.front().is_some_and(|answer| answer.unfinished == 0) {
            self.answers.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        free
    }
}
