use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::callbacks::{Callback, guard};
use super::connection::Shared;
use super::read_buffer::ReadBuffer;
use crate::protocol::{CommandView, FrameError, FrameLimits, Layout, ReadBytes, RemotingCommand, outline};
use crate::session::{Matched, Told};

/// Answers matched under one hold of the lock: longer, and callers that want to send would sleep instead of spin.
const MATCH_AT_ONCE: usize = 32;

/// Frames that were read and wait to be handed out. A callback reads its answer in place; other frames share the
/// memory.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: ReadBytes,
    frames: Vec<Frame>,
    /// Callbacks, each with the index of its answer's frame.
    matched: Vec<(Callback, usize)>,
}

/// A frame, by its range in `bytes`.
struct Frame {
    start: usize,
    end: usize,
    layout: Layout,
}

impl Frame {
    fn view<'a>(&self, bytes: &'a ReadBytes) -> CommandView<'a> {
        CommandView::new(bytes, self.start..self.end, self.layout)
    }
}

impl Inbox {
    /// Takes up to `at_most` complete frames from the read buffer. An error is about the bytes after these frames.
    pub(super) fn fill(
        &mut self,
        read: &mut ReadBuffer,
        at_most: usize,
        limits: &FrameLimits,
    ) -> Result<(), FrameError> {
        let looked = self.look_at(read.bytes(), at_most, limits);
        let length = self.frames.last().map_or(0, |last| last.end);
        // Split off all frames at once: one shared piece of memory, one reference count.
        self.bytes = read.split_to(length);
        looked
    }

    fn look_at(&mut self, read: &[u8], at_most: usize, limits: &FrameLimits) -> Result<(), FrameError> {
        let mut start = 0;
        while self.frames.len() < at_most {
            let Some(outline) = outline(&read[start..], limits)? else { break };
            let end = start + outline.length;
            let layout = Layout::read(&read[start..end], &outline)?;
            self.frames.push(Frame { start, end, layout });
            start = end;
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Passes each request to `handle`.
    pub(super) fn requests(&self, mut handle: impl FnMut(RemotingCommand)) -> Result<(), FrameError> {
        for frame in self.frames.iter().filter(|frame| !frame.layout.flag.is_response()) {
            handle(frame.view(&self.bytes).received().into_command()?);
        }
        Ok(())
    }

    /// Matches answers with their requests: adds tasks to wake to `told`, and runs the first step of each callback and
    /// adds it to `due`.
    pub(super) fn answers(
        &mut self,
        shared: &Shared,
        now: Instant,
        told: &mut Told<Callback>,
        due: &mut Vec<Callback>,
    ) {
        let Self { bytes, frames, matched } = self;
        let mut places =
            (0..frames.len()).filter(|place| frames[*place].layout.flag.is_response()).peekable();
        let (mut unmatched, mut retired) = (0, false);
        // Release the lock between two rounds, so that callers can send meanwhile.
        while places.peek().is_some() {
            let mut core = shared.lock();
            for place in places.by_ref().take(MATCH_AT_ONCE) {
                match core.session.answer(&frames[place].view(bytes)) {
                    Matched::Callback(callback) => matched.push((callback, place)),
                    Matched::Kept(waker) => told.wakers.extend(waker),
                    Matched::Nobody => unmatched += 1,
                }
            }
            retired = core.session.is_retired();
        }
        // Before callers are woken: their next requests must go to another connection.
        if retired {
            shared.usable.store(false, Ordering::Relaxed);
        }
        if unmatched > 0 {
            shared.unmatched_answers.fetch_add(unmatched, Ordering::Relaxed);
        }
        // Outside the lock: callbacks are user code.
        for (mut callback, place) in matched.drain(..) {
            let answer = frames[place].view(bytes);
            if guard(|| callback.answered(&answer, now)) {
                due.push(callback);
            }
        }
    }

    /// Releases the memory of the frames: a kept `ReadBytes` would keep the read buffer from being reused.
    pub(super) fn clear(&mut self) {
        self.bytes = ReadBytes::default();
        self.frames.clear();
    }
}
