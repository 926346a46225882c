use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::callbacks::{Callback, Callbacks};
use super::outgoing::Outgoing;
use super::{BegunCall, CallError, ConnectionEnd, ConnectionOptions, later};
use crate::protocol::{
    CommandFlag, CommandRef, EncodeHeader, FrameHead, NoHeader, RemotingCommand, ResponseCode, SerializeType,
    encode_frame,
};
use crate::session::{Progress, Session, Waiter};

/// One connection to a peer, in both directions: requests with answers, one-way requests, and answers to what
/// the peer asks. A cheap handle; the socket belongs to a task that lives until either side ends it.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
}

/// Both ends of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// The peer as it was dialled, or as the listener saw it.
    pub(crate) peer: Arc<str>,
    /// The socket addresses, where this side listened.
    pub(crate) accepted: Option<Accepted>,
}

/// The socket addresses of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// Where the peer is.
    pub remote: SocketAddr,
    /// Where it connected to.
    pub local: SocketAddr,
}

impl Accepted {
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self { remote, local }
    }
}

/// A peer that owes an answer for a shorter time is not called silent: one lost packet takes 200 ms to be sent again.
const SILENT_AT_LEAST_MS: u64 = 250;

/// What the handles and the task of one connection share.
pub(super) struct Shared {
    id: u64,
    ends: Ends,
    pub(super) options: Arc<ConnectionOptions>,
    /// False once new requests belong elsewhere: the connection ended or is retired.
    pub(super) usable: AtomicBool,
    /// Bytes that the socket took, ever. The connection's task counts them.
    pub(super) written: AtomicU64,
    /// Bytes that the socket had taken when the peer last gave a sign of life.
    pub(super) heard: AtomicU64,
    opened: Instant,
    /// When the first byte after that was written, in ms since the connection was opened.
    owed_since: AtomicU64,
    pub(super) unmatched_answers: AtomicU64,
    /// Told when the write buffer has room again.
    pub(super) room: Notify,
    pub(super) callbacks: Arc<Callbacks>,
    core: Mutex<Core>,
}

/// The part behind the one short lock.
pub(super) struct Core {
    pub(super) session: Session<Callback>,
    pub(super) out: Outgoing,
    /// The stream position at which the next frame will begin.
    enqueued: u64,
    /// The connection task's waker.
    pub(super) io: Option<Waker>,
    /// The task is awake, or already woken: nobody needs to wake it for a new frame.
    pub(super) io_awake: bool,
    pub(super) close_requested: bool,
    pub(super) end: Option<ConnectionEnd>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        // Nothing under this lock runs foreign code, so a poisoned lock still guards a sound state.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the socket took bytes, so that it has taken `written` in all.
    pub(super) fn note_written(&self, before: u64, written: u64, now: Instant) {
        self.written.store(written, Ordering::Relaxed);
        if before == self.heard.load(Ordering::Relaxed) {
            self.owed_since.store(self.since_opened(now), Ordering::Relaxed);
        }
    }

    /// How far the stream has come, to tell whether the peer is silent. A peer that connected here never is: it may
    /// take its time, and this side could not dial it.
    pub(super) fn progress(&self, now: Instant) -> Progress {
        let owed_for = self.since_opened(now).saturating_sub(self.owed_since.load(Ordering::Relaxed));
        let heard = match self.ends.accepted {
            None if owed_for >= SILENT_AT_LEAST_MS => self.heard.load(Ordering::Relaxed),
            _ => u64::MAX,
        };
        Progress { written: self.written.load(Ordering::Relaxed), heard }
    }

    fn since_opened(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.opened).as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends new requests elsewhere, because the peer is silent: the network may have lost it without a word.
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
        let shared = Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            ends,
            options,
            usable: AtomicBool::new(true),
            written: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            opened: Instant::now(),
            owed_since: AtomicU64::new(0),
            unmatched_answers: AtomicU64::new(0),
            room: Notify::new(),
            callbacks: Arc::default(),
            core: Mutex::new(core),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Unique among the connections of this process.
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

    /// Whether new requests may go here. They may not once the connection has ended, the peer has said GO_AWAY, or a
    /// request has timed out and the peer had not sent one byte since that request was written. In the last two cases
    /// requests in flight may still be answered here; the connection closes when none is left.
    pub fn is_usable(&self) -> bool {
        self.shared.usable.load(Ordering::Relaxed)
    }

    /// Answers that matched no waiting request: late, repeated or invented ones.
    pub fn unmatched_answers(&self) -> u64 {
        self.shared.unmatched_answers.load(Ordering::Relaxed)
    }

    /// Requests that wait for an answer, or whose caller has yet to take it.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().session.in_flight()
    }

    /// Sends a request and waits for its answer, whatever response code that has. Dropping the future forgets the
    /// request: the peer may still act on it, and its answer is counted as unmatched.
    ///
    /// # Errors
    /// [`CallError`]; `CallError::is_unsent` tells whether the peer may have seen the request.
    pub async fn call<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<RemotingCommand, CallError> {
        loop {
            let begun = poll_fn(|cx| {
                let begun = self.begin_call(request, deadline);
                Poll::Ready(begun.map(|begun| begun.map(|begun| begun.wait(cx.waker()))))
            });
            match begun.await? {
                Some(pending) => {
                    let answer = pending.await?.into_command();
                    return answer.map_err(|error| CallError::BadAnswer(Arc::new(error)));
                }
                None => self.boxed_wait_for_room(deadline).await?,
            }
        }
    }

    /// Sends a request without waiting for anything. `None`: the write buffer has no room, and nothing was sent.
    ///
    /// What is returned holds the connection's lock: say at once who gets the answer, [a task](BegunCall::wait) or
    /// [a callback](BegunCall::then).
    ///
    /// # Errors
    /// [`CallError`], always of the kind that was not sent.
    pub fn begin_call<H: EncodeHeader + ?Sized>(
        &self,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<Option<BegunCall<'_>>, CallError> {
        let mut core = self.shared.lock();
        self.check_open(&core)?;
        if self.is_full(&core) {
            return Ok(None);
        }
        let frame_start = core.enqueued;
        if core.session.earliest_deadline().is_some_and(|earliest| deadline.into_std() < earliest) {
            // The task's timer may be set to a later time.
            core.io_awake = false;
        }
        let opaque = if request.hold.is_zero() {
            core.session.begin(deadline.into_std(), frame_start, Waiter::Nobody)
        } else {
            let held_until = later(Instant::now(), request.hold).into_std();
            core.session.park(deadline.into_std(), frame_start, held_until, Waiter::Nobody)
        };
        if let Err(error) =
            self.append(&mut core, request, self.head(request.code, opaque, CommandFlag::REQUEST))
        {
            core.session.cancel(opaque);
            return Err(error);
        }
        Ok(Some(BegunCall { connection: self, core: Some(core), opaque }))
    }

    /// Sends a one-way request: `Ok` means that its frame is in the write buffer. Dropping the future before
    /// that sends nothing.
    ///
    /// # Errors
    /// [`CallError`], always of the kind that was not sent.
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

    /// Appends an answer. It does not wait: whoever serves requests stops reading while its write buffer is
    /// full, which bounds it.
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

    /// The same for an answer that another peer gave, whose language and version it keeps.
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

    /// Closes the connection once what is in the write buffer has been written. Requests in flight fail.
    pub fn close(&self) {
        self.shared.usable.store(false, Ordering::Relaxed);
        let mut core = self.shared.lock();
        core.close_requested = true;
        self.notify(core);
    }

    /// The fixed fields of a frame from this side. A binary header has 16 bits for the code: a larger one, as those of
    /// pop (200050 and on), goes out in JSON, which every peer reads.
    fn head(&self, code: i32, opaque: i32, flag: CommandFlag) -> FrameHead {
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
        // The id is not entered anywhere: nobody answers a one-way request.
        self.append(&mut core, request, self.head(request.code, 0, CommandFlag::ONEWAY))?;
        self.notify(core);
        Ok(true)
    }

    fn check_open(&self, core: &Core) -> Result<(), CallError> {
        match &core.end {
            Some(end) => Err(CallError::Ended { written: false, end: end.clone() }),
            None if core.close_requested => {
                Err(CallError::Ended { written: false, end: ConnectionEnd::ClosedHere })
            }
            None => Ok(()),
        }
    }

    fn is_full(&self, core: &Core) -> bool {
        core.out.len() >= self.shared.options.write_buffer_limit
    }

    fn append<H: EncodeHeader + ?Sized>(
        &self,
        core: &mut Core,
        command: &CommandRef<'_, H>,
        head: FrameHead,
    ) -> Result<(), CallError> {
        let CommandRef { remark, header, fields, body, .. } = *command;
        let before = core.out.len();
        core.out.append(body, |out| encode_frame(out, &head, remark, header, fields, body.len()))?;
        core.enqueued += (core.out.len() - before) as u64;
        Ok(())
    }

    /// Releases the lock and wakes the connection's task if it sleeps.
    pub(super) fn notify(&self, mut core: MutexGuard<'_, Core>) {
        let io = if std::mem::replace(&mut core.io_awake, true) { None } else { core.io.clone() };
        drop(core);
        if let Some(io) = io {
            io.wake();
        }
    }

    /// Boxed: it is rare, would make the future of every call larger, and is compiled here alone.
    fn boxed_wait_for_room(
        &self,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<(), CallError>> + Send + '_>> {
        Box::pin(self.wait_for_room(deadline))
    }

    /// Waits until the write buffer has room, at most until the deadline: then a request [can be begun](Self::begin_call),
    /// unless others were faster. Dropping the future gives up no more than a place among those who wait.
    ///
    /// # Errors
    /// The connection has ended, or the deadline passed.
    pub async fn wait_for_room(&self, deadline: Instant) -> Result<(), CallError> {
        let room = self.shared.room.notified();
        tokio::pin!(room);
        // Registered before the check, so that room made in between is not missed.
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
