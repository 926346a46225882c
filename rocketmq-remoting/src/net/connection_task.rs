use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::callbacks::{Callback, guard};
use super::inbox::Inbox;
use super::later;
use super::outgoing::Outgoing;
use super::read_buffer::ReadBuffer;
use super::transport::ByteStream;
use super::{CallError, Connection, ConnectionEnd, RequestHandler, Responder};
use crate::protocol::FrameError;
use crate::session::Told;

/// Reads of one turn; then the task yields to others on its thread.
const READS_PER_TURN: usize = 16;

/// Above this load (requests in flight without parked long polls), the task yields once before it writes: callers that
/// are about to run then put their frames into the same write. Below it, the yield would only add latency.
const YIELD_ABOVE_IN_FLIGHT: usize = 8;

/// Answers are handed out in parts: a quarter of the load at a time. While the callers of one part send their next
/// requests, the peer works on the requests of the part before. Without parts, each side would wait for the other.
const PARTS: usize = 4;

/// The smallest part: handing out fewer answers costs more than it brings.
const LEAST_OF_A_PART: usize = 8;

/// Frames handed out at a time at most: bounds the memory for a peer that sends many tiny frames.
const FRAMES_AT_ONCE: usize = 1024;

/// The precision of deadlines: two sweeps of the in-flight table are at least this far apart.
const SWEEP_EVERY: Duration = Duration::from_millis(10);

/// A peer that holds nothing but long polls is silent by design; the connection ends this long after the last of
/// them was due.
const HELD_MARGIN: Duration = Duration::from_secs(10);

/// The one task of a connection: reads, writes and keeps the deadlines. It owns the socket, so no lock guards it.
pub(super) struct ConnectionTask {
    connection: Connection,
    stream: Box<dyn ByteStream>,
    handler: Arc<dyn RequestHandler>,
    /// Stops reading while answers pile up. Set on the serving side: it bounds the write buffer, which answers may
    /// overfill.
    reads_wait_for_writes: bool,
    read: ReadBuffer,
    inbox: Inbox,
    /// `read` may hold more complete frames than were handed out.
    left: bool,
    /// Requests in flight, without parked long polls, when the task last looked.
    load: usize,
    told: Told<Callback>,
    /// Callbacks that have their outcome and are about to be queued.
    due: Vec<Callback>,
    writing: Outgoing,
    /// Bytes that the socket has taken since it was opened.
    written: u64,
    yielded: bool,
    /// The socket took fewer bytes than it was offered.
    blocked: bool,
    /// The stream may still hold bytes that it took (TLS has a buffer of its own): flush before the next write.
    unflushed: bool,
    timer: Pin<Box<Sleep>>,
    last_read: Instant,
    last_traffic: Instant,
    last_sweep: Instant,
    /// When the incomplete frame at the front of `read` began.
    frame_since: Option<Instant>,
    ended: bool,
}

impl ConnectionTask {
    pub(super) fn new(
        connection: Connection,
        stream: Box<dyn ByteStream>,
        handler: Arc<dyn RequestHandler>,
    ) -> Self {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(later(now, connection.shared.options.max_idle)));
        handler.connected(&connection);
        Self {
            stream,
            handler,
            reads_wait_for_writes: connection.accepted().is_some(),
            read: ReadBuffer::default(),
            inbox: Inbox::default(),
            left: false,
            load: 0,
            told: Told::default(),
            due: Vec::new(),
            writing: Outgoing::default(),
            written: 0,
            yielded: false,
            blocked: false,
            unflushed: false,
            timer,
            last_read: now,
            last_traffic: now,
            last_sweep: now,
            frame_since: None,
            ended: false,
            connection,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionEnd> {
        self.read_frames(cx)?;
        self.write_frames(cx)?;
        self.mind_the_time(cx)
    }

    fn read_frames(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionEnd> {
        for _ in 0..READS_PER_TURN {
            if self.reads_wait_for_writes && self.is_behind_with_writing() {
                // The task is woken when the socket is writable; it reads again then.
                return Ok(());
            }
            if !self.left {
                match self.read.poll_read(&mut self.stream, cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(0)) => return Err(ConnectionEnd::ClosedByPeer),
                    Poll::Ready(Ok(_)) => self.hear(),
                    // rustls reports a close without `close_notify` so. Frames carry their length: no frame can be cut
                    // unseen.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Err(ConnectionEnd::ClosedByPeer);
                    }
                    Poll::Ready(Err(error)) => return Err(ConnectionEnd::Io(Arc::new(error))),
                }
            }
            self.take_frames()?;
            if self.left {
                // Let the callers of these answers run and send before the next part is handed out. The yield also
                // stands for the yield before a write.
                self.yielded = true;
                break;
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn is_behind_with_writing(&self) -> bool {
        self.is_writing()
            && self.connection.shared.lock().out.len() >= self.connection.shared.options.write_buffer_limit
    }

    fn is_writing(&self) -> bool {
        self.unflushed || !self.writing.is_empty()
    }

    fn take_frames(&mut self) -> Result<(), ConnectionEnd> {
        let now = Instant::now();
        (self.last_read, self.last_traffic) = (now, now);
        // The serving side hands out all frames: its peers pace themselves. The calling side hands out parts, see
        // `PARTS`.
        let at_most = match self.reads_wait_for_writes {
            true => FRAMES_AT_ONCE,
            false => (self.load / PARTS).clamp(LEAST_OF_A_PART, FRAMES_AT_ONCE),
        };
        let end = self.inbox.fill(&mut self.read, at_most, &self.connection.shared.options.limits);
        let count = self.inbox.len();
        self.left = count == at_most && !self.read.is_empty();
        // Frames before a bad frame are valid: hand them out, then fail.
        let end = self.hand_out(now).and(end);
        if self.read.is_empty() {
            self.frame_since = None;
        } else if count > 0 || self.frame_since.is_none() {
            self.frame_since = Some(now);
            self.wake_by(later(now, self.connection.shared.options.frame_timeout));
        }
        end.map_err(|error| ConnectionEnd::BadFrame(Arc::new(error)))
    }

    /// Records that the peer is alive: it has reacted to everything written so far.
    fn hear(&self) {
        self.connection.shared.heard.store(self.written, Ordering::Relaxed);
    }

    /// Gives requests to the handler and answers to their callers.
    fn hand_out(&mut self, now: Instant) -> Result<(), FrameError> {
        let Self { connection, handler, inbox, told, due, .. } = self;
        let handed = inbox.requests(|request| {
            let responder = Responder::new(connection.clone(), &request);
            handler.handle(request, responder);
        });
        inbox.answers(&connection.shared, now, told, due);
        inbox.clear();
        self.tell();
        handed
    }

    /// Makes sure that the timer fires at `due` or before.
    fn wake_by(&mut self, due: Instant) {
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    /// Tells callers how their requests ended. Runs without the lock: woken callers take it at once.
    fn tell(&mut self) {
        let shared = &self.connection.shared;
        self.told.wakers.drain(..).for_each(Waker::wake);
        for (mut callback, end) in self.told.callbacks.drain(..) {
            let error = CallError::new(end, || self.connection.end_reason());
            if guard(|| callback.failed(error)) {
                self.due.push(callback);
            }
        }
        if !self.due.is_empty() {
            shared.callbacks.add(&mut self.due);
        }
    }

    fn write_frames(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionEnd> {
        loop {
            if self.unflushed {
                match Pin::new(&mut self.stream).poll_flush(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(error)) => return Err(ConnectionEnd::Io(Arc::new(error))),
                }
            }
            // Take the next buffer only when the last is written: callers fill one while the socket drains the other.
            if self.writing.is_empty() && !self.take_outgoing(cx)? {
                return Ok(());
            }
            let mut slices = Outgoing::no_slices();
            let count = self.writing.slices(&mut slices);
            let stream = Pin::new(&mut self.stream);
            let wrote = match &slices[..count] {
                // A single slice needs no vectored write, which not every stream supports.
                [one] => stream.poll_write(cx, one),
                many => stream.poll_write_vectored(cx, many),
            };
            match wrote {
                Poll::Pending => {
                    self.blocked = true;
                    return Ok(());
                }
                Poll::Ready(Ok(0)) => return Err(ConnectionEnd::ClosedByPeer),
                Poll::Ready(Ok(count)) => {
                    if std::mem::take(&mut self.blocked) {
                        // The socket has room again, so the peer's side acknowledged bytes: a slow upload is no
                        // silence.
                        self.hear();
                    }
                    let before = self.written;
                    self.written += count as u64;
                    self.last_traffic = Instant::now();
                    self.connection.shared.note_written(before, self.written, self.last_traffic);
                    // Flush only at the end of the buffer: TLS then packs it into few records.
                    self.unflushed = self.writing.advance(count);
                }
                Poll::Ready(Err(error)) => return Err(ConnectionEnd::Io(Arc::new(error))),
            }
        }
    }

    /// Takes the whole write buffer. Returns false when there is nothing to write in this turn.
    fn take_outgoing(&mut self, cx: &mut Context<'_>) -> Result<bool, ConnectionEnd> {
        let shared = &self.connection.shared;
        let mut core = shared.lock();
        // The waker must be stored before the task sleeps, or a caller could not wake it.
        if !core.io.as_ref().is_some_and(|io| io.will_wake(cx.waker())) {
            core.io = Some(cx.waker().clone());
        }
        self.load = core.session.load();
        if core.out.is_empty() {
            if core.close_requested || core.session.is_over() {
                return Err(ConnectionEnd::ClosedHere);
            }
            core.io_awake = false;
            return Ok(false);
        }
        core.io_awake = true;
        if self.load > YIELD_ABOVE_IN_FLIGHT && !self.yielded {
            self.yielded = true;
            cx.waker().wake_by_ref();
            return Ok(false);
        }
        self.yielded = false;
        let was_full = core.out.len() >= shared.options.write_buffer_limit;
        // Swap, not copy: the lock is held for a few instructions, and both buffers are reused.
        std::mem::swap(&mut core.out, &mut self.writing);
        drop(core);
        if was_full {
            shared.room.notify_waiters();
        }
        Ok(true)
    }

    fn mind_the_time(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionEnd> {
        let earliest = self.connection.shared.lock().session.earliest_deadline();
        if let Some(earliest) = earliest {
            self.wake_by(Instant::from_std(earliest).max(self.last_sweep + SWEEP_EVERY));
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let owed = self.sweep(now);
            if owed.nothing_more {
                // The connection is over: the next turn closes it.
                cx.waker().wake_by_ref();
            }
            let mut next = self.check_traffic(now, &owed)?;
            if let Some(earliest) = owed.earliest {
                next = next.min(earliest.max(now + SWEEP_EVERY));
            }
            self.timer.as_mut().reset(next);
        }
        Ok(())
    }

    /// Ends overdue requests and returns what the peer still owes.
    fn sweep(&mut self, now: Instant) -> Owed {
        let shared = &self.connection.shared;
        let progress = shared.progress(now);
        let mut core = shared.lock();
        core.session.expire(now.into_std(), progress, &mut self.told);
        let session = &core.session;
        let owed = Owed {
            in_flight: session.in_flight(),
            load: session.load(),
            held_until: session.held_until().map(Instant::from_std),
            earliest: session.earliest_deadline().map(Instant::from_std),
            nothing_more: session.is_over(),
        };
        if session.is_retired() {
            // Before the callers are told: their next requests must go to another connection.
            shared.retire();
        }
        drop(core);
        self.last_sweep = now;
        self.tell();
        owed
    }

    /// Ends a connection that is idle, silent or too slow; otherwise returns when to check again.
    fn check_traffic(&self, now: Instant, owed: &Owed) -> Result<Instant, ConnectionEnd> {
        let options = &self.connection.shared.options;
        let writing = self.is_writing();
        let quiet = later(self.last_traffic, options.max_idle);
        let mut silent = later(self.last_read, options.expire);
        // Only long polls are outstanding: silence is expected until the last of them is due.
        if owed.load == 0 && !writing {
            silent = owed.held_until.map_or(silent, |held_until| silent.max(later(held_until, HELD_MARGIN)));
        }
        let outstanding = owed.in_flight > 0 || writing;
        if !outstanding && quiet <= now {
            return Err(ConnectionEnd::Idle(options.max_idle));
        }
        if outstanding && silent <= now {
            return Err(ConnectionEnd::Silent(options.expire));
        }
        let mut next = if outstanding { silent } else { quiet };
        if let Some(since) = self.frame_since {
            let slow = later(since, options.frame_timeout);
            if slow <= now {
                return Err(ConnectionEnd::SlowFrame(options.frame_timeout));
            }
            next = next.min(slow);
        }
        Ok(next)
    }

    /// Fails all requests in flight and refuses new ones.
    fn finish(&mut self, end: ConnectionEnd) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let shared = self.connection.shared.clone();
        shared.usable.store(false, Ordering::Relaxed);
        let mut core = shared.lock();
        core.end = Some(end.clone());
        core.session.end(self.written, &mut self.told);
        core.out = Outgoing::default();
        drop(core);
        self.tell();
        shared.callbacks.close();
        shared.room.notify_waiters();
        self.handler.disconnected(&self.connection, &end);
    }
}

/// The requests that the peer has not answered.
struct Owed {
    /// All requests that have not left the table.
    in_flight: usize,
    /// The requests that are not parked.
    load: usize,
    /// The latest instant until which the peer may hold a parked request.
    held_until: Option<Instant>,
    /// When the next request may be overdue.
    earliest: Option<Instant>,
    /// The connection is retired and no request is in flight: it can close.
    nothing_more: bool,
}

impl Future for ConnectionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.turn(cx) {
            Ok(()) => Poll::Pending,
            Err(end) => {
                // Best effort: a peer that reads the close knows that this was no accident.
                let _ = Pin::new(&mut this.stream).poll_shutdown(cx);
                this.finish(end);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.finish(ConnectionEnd::Stopped);
    }
}
