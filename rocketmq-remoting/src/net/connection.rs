use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::callbacks::{Callback, Callbacks};
use super::outgoing::Outgoing;
use super::{CallError, ConnectionEnd, ConnectionOptions};
use crate::protocol::{
    CommandFlag, CommandRef, EncodeHeader, FrameHead, NoHeader, RemotingCommand, ResponseCode, SerializeType,
    encode_frame,
};
use crate::session::{Progress, Session};

/// One connection to a peer, in both directions: requests with answers, one-way requests, and answers to requests of
/// the peer. A cheap handle: a task owns the socket and lives until either side ends the connection.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
}

/// The addresses of both ends of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// The peer's address as it was dialled, or as the listener saw it.
    pub(crate) peer: Arc<str>,
    /// The socket addresses, if the peer dialled this side.
    pub(crate) accepted: Option<Accepted>,
}

/// The socket addresses of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The peer's address.
    pub remote: SocketAddr,
    /// The local address to which the peer connected.
    pub local: SocketAddr,
}

impl Accepted {
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self { remote, local }
    }
}

/// A peer is not called silent before it owes bytes for this long: a lost packet is sent again after 200 ms.
const SILENT_AT_LEAST: Duration = Duration::from_millis(250);

/// A peer is not called silent this soon after its dial: the network carried the dial, so the peer is busy. Without this
/// limit, a peer that answers nothing for some seconds would be dialled again after each time-out.
const SILENT_AFTER_DIAL: Duration = Duration::from_secs(10);

/// State shared by the handles and the task of one connection. The atomics are apart from the lock because every
/// request reads them; each stands for itself, so `Relaxed` is enough.
pub(super) struct Shared {
    id: u64,
    ends: Ends,
    pub(super) options: Arc<ConnectionOptions>,
    /// False once new requests belong on another connection: this one ended or is retired.
    pub(super) usable: AtomicBool,
    /// Bytes that the socket has taken since it was opened. Written by the connection's task alone.
    pub(super) written: AtomicU64,
    /// Bytes that the socket had taken when the peer last gave a sign of life.
    pub(super) heard: AtomicU64,
    /// When the first byte after `heard` was written. Its lock is held for moments, and mostly by the connection's task.
    owed_since: Mutex<Instant>,
    opened: Instant,
    pub(super) unmatched_answers: AtomicU64,
    /// Notified when the write buffer has room again.
    pub(super) room: Notify,
    pub(super) callbacks: Arc<Callbacks>,
    core: Mutex<Core>,
}

/// The state behind the connection's one lock, which is held only to encode a frame or to match answers.
pub(super) struct Core {
    pub(super) session: Session<Callback>,
    pub(super) out: Outgoing,
    /// The position in the byte stream at which the next frame begins.
    pub(super) enqueued: u64,
    /// Wakes the connection's task.
    pub(super) io: Option<Waker>,
    /// The task runs or has been woken: a new frame needs no further wake-up.
    pub(super) io_awake: bool,
    pub(super) close_requested: bool,
    pub(super) end: Option<ConnectionEnd>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        // No user code runs under this lock and no step of it panics half-way: the state behind a poisoned lock is
        // sound.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the socket has now taken `written` bytes in all, `before` of them earlier.
    pub(super) fn note_written(&self, before: u64, written: u64, now: Instant) {
        self.written.store(written, Ordering::Relaxed);
        // Only the first byte after a sign of life starts the clock: later writes must not reset it.
        if before == self.heard.load(Ordering::Relaxed) {
            *self.owed_since.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }

    /// How far the stream has come, to tell whether the peer is silent. A peer that dialled this side never counts as
    /// silent: it may take its time, and this side could not dial it again.
    pub(super) fn progress(&self, now: Instant) -> Progress {
        let owed_since = *self.owed_since.lock().unwrap_or_else(PoisonError::into_inner);
        let long_enough = now.saturating_duration_since(owed_since) >= SILENT_AT_LEAST
            && now.saturating_duration_since(self.opened) >= SILENT_AFTER_DIAL;
        let heard = match self.ends.accepted {
            None if long_enough => self.heard.load(Ordering::Relaxed),
            // No position is above this: the peer never counts as silent.
            _ => u64::MAX,
        };
        Progress { written: self.written.load(Ordering::Relaxed), heard }
    }

    /// Sends new requests to another connection because the peer is silent: the network may drop its packets without a
    /// sign.
    pub(super) fn retire(&self) {
        if self.usable.swap(false, Ordering::Relaxed) {
            let peer = &self.ends.peer;
            tracing::warn!(%peer, "a request timed out without one byte from the peer: the next one gets a new connection");
        }
    }
}

impl Connection {
    pub(super) fn new(ends: Ends, options: Arc<ConnectionOptions>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let core = Core {
            session: Session::new(0),
            out: Outgoing::default(),
            enqueued: 0,
            io: None,
            io_awake: true,
            close_requested: false,
            end: None,
        };
        let now = Instant::now();
        let shared = Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            ends,
            options,
            usable: AtomicBool::new(true),
            written: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            opened: now,
            owed_since: Mutex::new(now),
            unmatched_answers: AtomicU64::new(0),
            room: Notify::new(),
            callbacks: Arc::default(),
            core: Mutex::new(core),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The connection's id, unique in this process.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The peer's address: as it was dialled, or as the listener saw it.
    pub fn peer(&self) -> &Arc<str> {
        &self.shared.ends.peer
    }

    /// The socket addresses, if this side listened and the peer connected.
    pub fn accepted(&self) -> Option<Accepted> {
        self.shared.ends.accepted
    }

    /// Whether new requests may go here. False once the connection ended, once the peer said GO_AWAY (code 1500), and
    /// once a request timed out without one byte from the peer since that request was written. In the last two cases
    /// the requests in flight may still be answered here; the connection closes after the last of them.
    pub fn is_usable(&self) -> bool {
        self.shared.usable.load(Ordering::Relaxed)
    }

    /// Counts answers that matched no waiting request: late, repeated or invented answers.
    pub fn unmatched_answers(&self) -> u64 {
        self.shared.unmatched_answers.load(Ordering::Relaxed)
    }

    /// Counts requests that wait for an answer, or whose caller has not taken it yet.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().session.in_flight()
    }

    /// Sends a one-way request: `Ok` means that its frame is in the write buffer. Dropping the future before it
    /// resolves sends nothing.
    ///
    /// # Errors
    /// [`CallError`], always of a kind for which nothing was sent.
    pub async fn oneway<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        while !self.append_oneway(request)? {
            self.boxed_wait_for_room(deadline).await?;
        }
        Ok(())
    }

    /// Appends an answer, even to a full write buffer. The serving side stops reading requests while its buffer is
    /// full, which bounds the buffer.
    pub(super) fn answer<H: EncodeHeader + ?Sized>(
        &self,
        opaque: i32,
        answer: &CommandRef<'_, H>,
    ) -> Result<(), CallError> {
        let mut core = self.shared.lock();
        self.check_open(&core)?;
        self.append(&mut core, answer, self.head(answer.code, opaque, CommandFlag::RESPONSE))?;
        self.notify(core);
        Ok(())
    }

    /// Appends an answer that another peer gave; keeps that peer's language and version.
    pub(super) fn forward(&self, opaque: i32, answer: &RemotingCommand) -> Result<(), CallError> {
        let RemotingCommand { code, language, version, .. } = *answer;
        let command = CommandRef::response(ResponseCode(code), &NoHeader)
            .with_remark(answer.remark.as_deref())
            .with_fields(&answer.ext_fields)
            .with_body(&answer.body);
        let head = FrameHead { language, version, ..self.head(code, opaque, CommandFlag::RESPONSE) };
        let mut core = self.shared.lock();
        self.check_open(&core)?;
        self.append(&mut core, &command, head)?;
        self.notify(core);
        Ok(())
    }

    /// Closes the connection after the write buffer is written out. Requests in flight fail.
    pub fn close(&self) {
        self.shared.usable.store(false, Ordering::Relaxed);
        let mut core = self.shared.lock();
        core.close_requested = true;
        self.notify(core);
    }

    /// The fixed fields of a frame from this side. A binary header has 16 bits for the code: a larger code, such as
    /// 200050 (pop), goes out in JSON, which every peer reads.
    pub(super) fn head(&self, code: i32, opaque: i32, flag: CommandFlag) -> FrameHead {
        let options = &self.shared.options;
        let fits = i16::try_from(code).is_ok();
        FrameHead {
            serialize_type: if fits { options.serialize_type } else { SerializeType::Json },
            code,
            language: options.language,
            version: options.version,
            opaque,
            flag,
        }
    }

    /// Why the connection ended.
    pub(super) fn end_reason(&self) -> ConnectionEnd {
        self.shared.lock().end.clone().unwrap_or(ConnectionEnd::ClosedHere)
    }

    /// Puts the frame of a one-way request into the write buffer; false when there is no room.
    fn append_oneway<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
    ) -> Result<bool, CallError> {
        let mut core = self.shared.lock();
        self.check_open(&core)?;
        if self.is_full(&core) {
            return Ok(false);
        }
        // Some brokers answer one-way requests that they refuse: no request may take that answer for its own.
        let opaque = core.session.skip_opaque();
        self.append(&mut core, request, self.head(request.code, opaque, CommandFlag::ONEWAY))?;
        self.notify(core);
        Ok(true)
    }

    pub(super) fn check_open(&self, core: &Core) -> Result<(), CallError> {
        match &core.end {
            Some(end) => Err(CallError::Ended { written: false, end: end.clone() }),
            None if core.close_requested => {
                Err(CallError::Ended { written: false, end: ConnectionEnd::ClosedHere })
            }
            None => Ok(()),
        }
    }

    pub(super) fn is_full(&self, core: &Core) -> bool {
        core.out.len() >= self.shared.options.write_buffer_limit
    }

    pub(super) fn append<H: EncodeHeader + ?Sized>(
        &self,
        core: &mut Core,
        command: &CommandRef<'_, H>,
        head: FrameHead,
    ) -> Result<(), CallError> {
        let CommandRef { remark, header, fields, body, .. } = *command;
        let before = core.out.len();
        core.out.append(body, |out| encode_frame(out, &head, remark, header, fields, body.len()))?;
        // The stream position tells later whether the first byte of a frame was written.
        core.enqueued += (core.out.len() - before) as u64;
        Ok(())
    }

    /// Releases the lock and wakes the connection's task if it sleeps.
    pub(super) fn notify(&self, mut core: MutexGuard<'_, Core>) {
        let io = if std::mem::replace(&mut core.io_awake, true) { None } else { core.io.clone() };
        // Wake after the lock is released: the woken task takes it at once.
        drop(core);
        if let Some(io) = io {
            io.wake();
        }
    }

    /// Boxed: a full buffer is rare, and the wait would make the future of every call larger.
    pub(super) fn boxed_wait_for_room(
        &self,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<(), CallError>> + Send + '_>> {
        Box::pin(self.wait_for_room(deadline))
    }

    /// Waits until the write buffer has room, at most until `deadline`. A request [can then be
    /// begun](Self::begin_call), unless other callers filled the buffer first. Dropping the future loses only the
    /// place among the waiting callers.
    ///
    /// # Errors
    /// The connection has ended, or the deadline passed.
    pub async fn wait_for_room(&self, deadline: Instant) -> Result<(), CallError> {
        let room = self.shared.room.notified();
        tokio::pin!(room);
        // Register before the check: room made in between is not missed.
        room.as_mut().enable();
        {
            let core = self.shared.lock();
            self.check_open(&core)?;
            if !self.is_full(&core) {
                return Ok(());
            }
        }
        timeout_at(deadline, room).await.map_err(|_| CallError::NoRoom)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.shared.id)
            .field("peer", self.peer())
            .field("usable", &self.is_usable())
            .finish_non_exhaustive()
    }
}
