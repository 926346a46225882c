use std::collections::VecDeque;

/// Counts the bytes that cached messages keep alive.
///
/// The messages of a pull share the memory of its answer: it is free only when the last of them is finished.
#[derive(Debug, Default)]
pub(super) struct Pinned {
    answers: VecDeque<PinnedAnswer>,
    /// The number of the first answer in `answers`. Numbers wrap around.
    first: u32,
    bytes: u64,
}

/// An answer whose memory is still in use.
#[derive(Debug)]
struct PinnedAnswer {
    unfinished: u32,
    bytes: u64,
}

impl Pinned {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number that the next answer gets.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(self.answers.len() as u32)
    }

    /// Adds the answer with the number [`next`](Self::next). An answer without messages pins nothing.
    pub(super) fn add(&mut self, unfinished: u32, bytes: u64) -> u64 {
        if unfinished == 0 {
            return 0;
        }
        self.answers.push_back(PinnedAnswer { unfinished, bytes });
        self.bytes += bytes;
        bytes
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
        self.bytes -= free;
        while self.answers.front().is_some_and(|answer| answer.unfinished == 0) {
            self.answers.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        free
    }
}
