//! Faults below the frames: connections that are cut, reset, slow, deaf, or full of garbage.
//!
//! * `acceptor`: makes such connections of sockets. `stream`: carries the faults out.

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

/// Controls one connection: the faults that come between the frames of its server.
#[derive(Debug)]
pub(crate) struct Line {
    clock: Arc<Clock>,
    /// Whether there is something to write: a cheap check for every write.
    busy: AtomicBool,
    /// Whether reading is stopped: a cheap check for every read.
    deaf: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Emission>,
    /// When reading starts again, by the cluster's clock.
    deaf_until_ms: Option<i64>,
    /// Wakes the task that reads from the stream: it carries new faults out.
    reader: Option<Waker>,
}

/// Bytes to write between two frames of the server.
#[derive(Debug)]
pub(crate) struct Emission {
    pub(crate) bytes: Bytes,
    /// The time between two bytes; `None` to write all at once.
    pub(crate) pace: Option<Duration>,
    pub(crate) then: Then,
}

/// The event after an emission.
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
    /// Bytes to write all at once.
    pub(crate) fn new(bytes: impl Into<Bytes>, then: Then) -> Self {
        Self { bytes: bytes.into(), pace: None, then }
    }
}

impl Lines {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, lines: Mutex::default() }
    }

    /// The line of an accepted connection; `None` once its socket is closed.
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

    /// The clock for its delays.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Queues an emission: it is written after the frame that is being written.
    pub(crate) fn emit(&self, emission: Emission) {
        let mut state = self.lock();
        state.queue.push_back(emission);
        self.busy.store(true, Ordering::Release);
        drop(state);
        self.wake_reader();
    }

    /// Stops reading, for a time or for ever.
    pub(crate) fn stop_reading(&self, time: Option<Duration>) {
        let mut state = self.lock();
        state.deaf_until_ms = time.map(|time| self.clock.after(time));
        self.deaf.store(true, Ordering::Release);
        drop(state);
        self.wake_reader();
    }

    /// Whether reading is stopped.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Acquire)
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// The next emission; `None` frees the line for the server.
    fn next(&self) -> Option<Emission> {
        let mut state = self.lock();
        let next = state.queue.pop_front();
        if next.is_none() {
            self.busy.store(false, Ordering::Release);
        }
        next
    }

    /// When reading starts again: `Err` if it is not stopped, `Ok(None)` for never.
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

    /// Stores the waker of the task to wake for new faults.
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
