//! What goes wrong below the frames: connections that are cut, reset, slow, deaf, or full of garbage.

mod acceptor;
mod stream;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::net::Accepted;

use crate::clock::Clock;

pub(crate) use acceptor::LineAcceptor;
pub(crate) use stream::LineStream;

/// The connections that servers have accepted, each with its [`Line`].
#[derive(Debug)]
pub(crate) struct Lines {
    clock: Arc<Clock>,
    lines: Mutex<HashMap<(SocketAddr, SocketAddr), Arc<Line>>>,
}

/// What one connection is to do besides what its server writes.
#[derive(Debug)]
pub(crate) struct Line {
    clock: Arc<Clock>,
    /// There is something to write: the one thing that every write looks at.
    busy: AtomicBool,
    /// Nothing is to be read: the one thing that every read looks at.
    deaf: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Emission>,
    /// By the clock.
    deaf_until_ms: Option<i64>,
    /// Whoever reads from the stream, and so notices news.
    reader: Option<Waker>,
}

/// Bytes to write between two frames of the server.
#[derive(Debug)]
pub(crate) struct Emission {
    pub(crate) bytes: Bytes,
    /// The time between two bytes; `None` for all at once.
    pub(crate) pace: Option<Duration>,
    pub(crate) then: Then,
}

/// What comes after an emission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Stay,
    /// The stream ends.
    Close,
    /// The connection is reset.
    Reset,
}

impl Emission {
    /// Bytes at once.
    pub(crate) fn new(bytes: impl Into<Bytes>, then: Then) -> Self {
        Self { bytes: bytes.into(), pace: None, then }
    }
}

impl Lines {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, lines: Mutex::default() }
    }

    /// The line of an accepted connection, while its socket is open.
    pub(crate) fn find(&self, ends: Accepted) -> Option<Arc<Line>> {
        self.lock().get(&(ends.remote, ends.local)).cloned()
    }

    fn open(&self, remote: SocketAddr, local: SocketAddr) -> Arc<Line> {
        let line = Arc::new(Line::new(self.clock.clone()));
        self.lock().insert((remote, local), line.clone());
        line
    }

    fn close(&self, remote: SocketAddr, local: SocketAddr) {
        self.lock().remove(&(remote, local));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(SocketAddr, SocketAddr), Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn new(clock: Arc<Clock>) -> Self {
        let (busy, deaf, state) = (AtomicBool::default(), AtomicBool::default(), Mutex::default());
        Self { clock, busy, deaf, state }
    }

    /// The clock that its delays go by.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Writes something as soon as the frame that is being written is done.
    pub(crate) fn emit(&self, emission: Emission) {
        let mut state = self.lock();
        state.queue.push_back(emission);
        self.busy.store(true, Ordering::Release);
        drop(state);
        self.wake_reader();
    }

    /// Stops reading for a while, or for good.
    pub(crate) fn stop_reading(&self, time: Option<Duration>) {
        let mut state = self.lock();
        state.deaf_until_ms = time.map(|time| self.clock.after(time));
        self.deaf.store(true, Ordering::Release);
        drop(state);
        self.wake_reader();
    }

    /// Whether nothing is read now.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Acquire)
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// The next emission; without one the line is free again.
    fn next(&self) -> Option<Emission> {
        let mut state = self.lock();
        let next = state.queue.pop_front();
        if next.is_none() {
            self.busy.store(false, Ordering::Release);
        }
        next
    }

    /// Until when nothing is read: `Err` if it is read again already, `Ok(None)` for ever.
    fn deaf_until(&self) -> Result<Option<i64>, ()> {
        let mut state = self.lock();
        if state.deaf_until_ms.is_some_and(|until| until <= self.clock.now_ms()) {
            state.deaf_until_ms = None;
            self.deaf.store(false, Ordering::Release);
            return Err(());
        }
        Ok(state.deaf_until_ms)
    }

    fn wake_reader(&self) {
        let reader = self.lock().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Notes who is to be told of news.
    fn keep_reader(&self, waker: &Waker) {
        let mut state = self.lock();
        if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(waker)) {
            state.reader = Some(waker.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
