//! One direction of a stream: bytes that were written and not read.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// Bytes that are under way at most, as in the buffers of two sockets. A writer waits while there are more.
const CAPACITY: usize = 1024 * 1024;

/// Bytes on their way from one end of a stream to the other.
#[derive(Debug, Default)]
pub(super) struct Pipe(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each with the instant of its arrival, in order.
    chunks: VecDeque<(Instant, Bytes)>,
    /// Bytes in `chunks`, and bytes that vanished.
    length: usize,
    end: End,
    /// Bytes and farewells vanish from now on.
    is_stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The writer said farewell, which arrives then.
    Closed(Instant),
    /// The reader went away.
    Unread,
    /// The connection was reset.
    Reset,
}

/// The answer of a pipe to its reader.
pub(super) enum Found {
    /// Bytes, or none: the writer said farewell.
    Bytes,
    /// Nothing before this instant; `None`: nothing is under way.
    NotBefore(Option<Instant>),
}

impl Pipe {
    /// Takes bytes, which arrive at `arrival`, but not before what was written earlier.
    pub(super) fn poll_write(
        &self,
        bytes: &[u8],
        arrival: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        match state.end {
            End::Open => {}
            End::Closed(_) | End::Unread => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            End::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
        let count = bytes.len().min(CAPACITY - state.length);
        if count == 0 && !bytes.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.length += count;
        if !state.is_stalled {
            let arrival = state.chunks.back().map_or(arrival, |(last, _)| arrival.max(*last));
            state.chunks.push_back((arrival, Bytes::copy_from_slice(&bytes[..count])));
            wake(state.reader.take(), state);
        }
        Poll::Ready(Ok(count))
    }

    /// Reads what has arrived by `now`, or remembers whom to wake for more.
    pub(super) fn read(
        &self,
        buffer: &mut ReadBuf<'_>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> io::Result<Found> {
        let mut state = self.lock();
        if state.end == End::Reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let mut count = 0;
        while let Some((_, chunk)) = state.chunks.front_mut().filter(|(arrival, _)| *arrival <= now) {
            let part = chunk.len().min(buffer.remaining());
            buffer.put_slice(&chunk[..part]);
            chunk.advance(part);
            count += part;
            if !chunk.is_empty() {
                break;
            }
            state.chunks.pop_front();
        }
        if count > 0 {
            state.length -= count;
            wake(state.writer.take(), state);
            return Ok(Found::Bytes);
        }
        let next = match (state.chunks.front(), state.end) {
            (Some((arrival, _)), _) => Some(*arrival),
            (None, End::Closed(arrival)) if arrival <= now => return Ok(Found::Bytes),
            (None, End::Closed(arrival)) => Some(arrival),
            (None, _) => None,
        };
        state.reader = Some(cx.waker().clone());
        Ok(Found::NotBefore(next))
    }

    /// Says farewell, which arrives at `arrival`.
    pub(super) fn close(&self, arrival: Instant) {
        let mut state = self.lock();
        if state.end == End::Open && !state.is_stalled {
            let arrival = state.chunks.back().map_or(arrival, |(last, _)| arrival.max(*last));
            state.end = End::Closed(arrival);
            wake(state.reader.take(), state);
        }
    }

    /// The reader is gone: whoever writes learns it.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.end == End::Open && !state.is_stalled {
            state.end = End::Unread;
            state.chunks.clear();
            wake(state.writer.take(), state);
        }
    }

    /// Both ends get an error.
    pub(super) fn reset(&self) {
        let mut state = self.lock();
        state.end = End::Reset;
        state.chunks.clear();
        let (reader, writer) = (state.reader.take(), state.writer.take());
        wake(reader, state);
        writer.into_iter().for_each(Waker::wake);
    }

    /// Drops all bytes under way and all bytes that are written later. Neither end notices.
    pub(super) fn stall(&self) {
        let mut state = self.lock();
        state.is_stalled = true;
        state.chunks.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a task once the lock is released.
fn wake(waker: Option<Waker>, state: MutexGuard<'_, State>) {
    drop(state);
    waker.into_iter().for_each(Waker::wake);
}
