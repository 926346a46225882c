use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Subscribed;
use crate::consumer::lock::{LockClock, LockState, QueueOrder};
use crate::consumer::pop::PopBook;
use crate::consumer::position::{CorrectionMachine, StartMachine, StartRule};
use crate::consumer::pull::{PullJudge, PullRefusal, Refusal, Throttle};
use crate::consumer::window::{Generation, ProcessQueue};

/// An ownership of a queue. A queue that is lost and taken again, or whose position is set anew, gets a new ownership. Answers,
/// results and commits hold the ownership that they belong to: a stale answer changes nothing.
#[derive(Debug)]
pub(crate) struct OwnedQueue {
    pub(crate) queue: MessageQueue,
    /// The queue as users name it: its topic is without the namespace.
    pub(crate) shown: MessageQueue,
    /// The request of each pull, but for its queue and its offsets.
    pub(crate) request: Arc<PullMessageRequestHeader>,
    pub(crate) generation: Generation,
    /// Its messages are popped: the broker keeps no position for this member, and its number may stand for all queues of the
    /// broker. The window counts its messages, in place of offsets.
    pub(crate) is_pop: bool,
    pub(crate) subscribed: Arc<Subscribed>,
    /// Told when a released queue has no message in hand any more, when a position was found, and when messages are finished
    /// while a caller waits for their commit.
    pub(crate) settled: Notify,
    /// The number of callers that wait for the commit of a message.
    pub(crate) awaited: AtomicUsize,
    /// Told when the ownership ends.
    ended: Arc<Notify>,
    state: Mutex<Ownership>,
}

/// The state of an ownership.
#[derive(Debug)]
pub(crate) struct Ownership {
    /// Of its [`OwnedQueue`].
    ended: Arc<Notify>,
    pub(crate) stage: Stage,
    /// The cached messages, once the position is known.
    pub(crate) window: Option<ProcessQueue<MessageExt>>,
    /// The handles of popped messages without an acknowledgement, if messages are popped.
    pub(crate) pop: Option<PopBook>,
    pub(crate) judge: PullJudge,
    /// Which server of the broker to read from: 0 is the master.
    pub(crate) read_from: u64,
    /// The connection on which the server knows this member.
    pub(crate) way: Option<Way>,
    /// The connection that the last pull went out on: another one means that the broker may have restarted.
    pub(crate) last_connection: Option<u64>,
    /// A heartbeat comes before the next pull, whatever the server was told.
    pub(crate) tell_first: bool,
    /// The position was set anew: it is committed before the next pull.
    pub(crate) commit_first: bool,
    /// When the broker may have a lower offset than ours: it is committed once more.
    pub(crate) commit_again: Option<Instant>,
    /// The broker did not know the topic: when it does, the topic may be another, with offsets from 0.
    pub(crate) topic_gone: bool,
    /// The broker refuses this member, by its last answer.
    pub(crate) refusal: Option<Refusal>,
    /// Since when no server of the broker answers.
    pub(crate) lost: Option<Instant>,
    /// The next pull asks for one message: a broken record hides the records behind it.
    pub(crate) one_by_one: bool,
    /// Lock, handler and pauses of the queue, for an orderly consumer.
    pub(crate) order: Option<QueueOrder>,
    /// Messages that an orderly listener has done and not committed, in their order.
    pub(crate) uncommitted: Vec<(i64, Arc<MessageExt>)>,
    /// Popped messages whose time was over before a handler took them.
    pub(crate) lapsed: Vec<i64>,
    /// It is in line for workers, or a worker has it.
    pub(crate) in_line: bool,
    pub(crate) paused: bool,
    /// Since when it is at this stage.
    pub(crate) since: Instant,
    /// When the last pull went out, and when messages were last finished; the beginning of the ownership before.
    pub(crate) pulled_at: Instant,
    pub(crate) consumed_at: Instant,
    /// The end of the queue as the last answer had it.
    pub(crate) broker_max: Option<i64>,
}

/// The next event that a queue waits for.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Its position is looked up; without the machine, an attendant does it now.
    Locating(Option<StartMachine>),
    /// A claim of the broker about its position is checked; without the machine, an attendant does it now.
    Correcting(Option<CorrectionMachine>),
    /// The next pull has to be sent.
    Idle,
    /// A pull is under way.
    Pulling,
    /// A limit has to be left.
    Throttled(Throttle),
    /// It is not owned any more.
    Released,
}

/// A connection on which a server knows this member.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) connection: Connection,
    /// The version of the registry that the server was told.
    pub(crate) version: u64,
}

impl OwnedQueue {
    /// An ownership whose position has to be looked up.
    pub(crate) fn new(
        queue: MessageQueue,
        generation: Generation,
        subscribed: Arc<Subscribed>,
        group: &str,
        rule: StartRule,
    ) -> Self {
        let stage = Stage::Locating(Some(StartMachine::new(rule)));
        Self::at_stage(queue, generation, subscribed, group, stage, None)
    }

    /// An ownership that begins at an offset.
    pub(crate) fn starting_at(
        queue: MessageQueue,
        generation: Generation,
        subscribed: Arc<Subscribed>,
        group: &str,
        offset: i64,
    ) -> Self {
        Self::with_window(queue, generation, subscribed, group, ProcessQueue::new(generation, offset))
    }

    /// An ownership that goes on with what is cached.
    pub(crate) fn with_window(
        queue: MessageQueue,
        generation: Generation,
        subscribed: Arc<Subscribed>,
        group: &str,
        window: ProcessQueue<MessageExt>,
    ) -> Self {
        Self::at_stage(queue, generation, subscribed, group, Stage::Idle, Some(window))
    }

    fn at_stage(
        queue: MessageQueue,
        generation: Generation,
        subscribed: Arc<Subscribed>,
        group: &str,
        stage: Stage,
        window: Option<ProcessQueue<MessageExt>>,
    ) -> Self {
        let request = subscribed.request(group, queue.broker_name());
        let (ended, now) = (Arc::new(Notify::new()), Instant::now());
        let state = Ownership {
            ended: ended.clone(),
            stage,
            window,
            pop: None,
            judge: PullJudge::default(),
            read_from: 0,
            way: None,
            last_connection: None,
            tell_first: false,
            commit_first: false,
            commit_again: None,
            topic_gone: false,
            one_by_one: false,
            refusal: None,
            lost: None,
            order: None,
            uncommitted: Vec::new(),
            lapsed: Vec::new(),
            in_line: false,
            paused: false,
            since: now,
            pulled_at: now,
            consumed_at: now,
            broker_max: None,
        };
        let shown = if subscribed.plain == subscribed.topic {
            queue.clone()
        } else {
            queue.with_topic(subscribed.plain.clone())
        };
        Self {
            queue,
            shown,
            request,
            generation,
            is_pop: false,
            subscribed,
            settled: Notify::new(),
            awaited: AtomicUsize::new(0),
            ended,
            state: Mutex::new(state),
        }
    }

    /// Has its messages popped.
    pub(crate) fn popping(mut self) -> Self {
        self.is_pop = true;
        self.lock().pop = Some(PopBook::new(Instant::now()));
        self
    }

    /// The queue that a message of it is stored in.
    pub(crate) fn queue_of(&self, message: &MessageExt) -> MessageQueue {
        self.with_number(&self.queue, message)
    }

    /// The queue that a message of it is stored in, with the topic that the user names.
    pub(crate) fn shown_of(&self, message: &MessageExt) -> MessageQueue {
        self.with_number(&self.shown, message)
    }

    fn with_number(&self, queue: &MessageQueue, message: &MessageExt) -> MessageQueue {
        match self.is_pop {
            true => MessageQueue::new(
                queue.shared_topic().clone(),
                queue.shared_broker_name().clone(),
                message.queue_id(),
            ),
            false => queue.clone(),
        }
    }

    /// Waits until the ownership ends.
    pub(crate) async fn released(&self) {
        let mut ended = std::pin::pin!(self.ended.notified());
        // Registers before the look: an end in between wakes it.
        ended.as_mut().enable();
        if !self.lock().is_released() {
            ended.await;
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Ownership> {
        // Nothing under this lock runs foreign code.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ownership {
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }

    /// Notes that the broker refuses this member.
    pub(crate) fn refuse(&mut self, why: PullRefusal, remark: &str) {
        self.refusal = Some(Refusal::after(self.refusal.take(), Instant::now(), why, remark));
    }

    pub(crate) fn is_released(&self) -> bool {
        matches!(self.stage, Stage::Released)
    }

    /// Whether it has to get in line for workers; it is in line then.
    pub(crate) fn gets_in_line(&mut self) -> bool {
        let waits = self.window.as_ref().is_some_and(|window| window.waiting() > 0);
        let may =
            self.order.as_ref().is_none_or(|order| !order.is_handling() && order.may_start(Instant::now()));
        let gets = waits && may && !self.in_line && !self.paused && !self.is_released();
        self.in_line |= gets;
        gets
    }

    /// The next messages for a worker, until it has `n`, and their offsets. Without any more of them, the queue leaves the line.
    pub(crate) fn take(&mut self, n: usize, offsets: &mut Vec<i64>, taken: &mut Vec<MessageExt>) {
        if let Some(window) = self.handing_out() {
            while taken.len() < n && window.take(n - taken.len(), offsets, taken) > 0 {}
        }
        self.leave_out_lapsed(offsets, taken);
    }

    /// The next messages of one answer.
    pub(crate) fn take_of_one_answer(
        &mut self,
        n: usize,
        offsets: &mut Vec<i64>,
        taken: &mut Vec<MessageExt>,
    ) {
        if let Some(window) = self.handing_out() {
            window.take(n, offsets, taken);
        }
        self.leave_out_lapsed(offsets, taken);
    }

    /// The next message.
    pub(crate) fn take_one(&mut self) -> Option<(i64, MessageExt)> {
        loop {
            let (offset, message) = self.handing_out()?.take_one()?;
            if self.pop.as_ref().is_none_or(|book| book.live_until(offset, Instant::now()).is_some()) {
                return Some((offset, message));
            }
            self.lapsed.push(offset);
        }
    }

    /// Popped messages whose time is over come again: they are not handed out.
    fn leave_out_lapsed(&mut self, offsets: &mut Vec<i64>, taken: &mut Vec<MessageExt>) {
        let Some(book) = &self.pop else { return };
        let (mut at, now) = (0, Instant::now());
        while let Some(&offset) = offsets.get(at) {
            if book.live_until(offset, now).is_some() {
                at += 1;
            } else {
                offsets.remove(at);
                taken.remove(at);
                self.lapsed.push(offset);
            }
        }
    }

    fn handing_out(&mut self) -> Option<&mut ProcessQueue<MessageExt>> {
        self.in_line = false;
        if self.paused || self.is_released() { None } else { self.window.as_mut() }
    }

    /// The next message of an orderly consumer, and how often it failed here, if a handler may start.
    pub(crate) fn take_in_order(&mut self, now: Instant) -> Option<(i64, Arc<MessageExt>, u32)> {
        let order = self.order.as_ref().filter(|order| order.may_start(now))?;
        if self.paused || self.is_released() {
            return None;
        }
        loop {
            let (offset, message) = self.window.as_mut()?.take_one()?;
            if self.pop.as_mut().is_none_or(|book| book.may_begin(offset, now)) {
                let failures = order.failures((offset, message.store_timestamp()));
                return Some((offset, Arc::new(message), failures));
            }
            self.lapsed.push(offset);
        }
    }

    /// Whether its committed offset has to be read, because it has its lock anew.
    pub(crate) fn must_reread(&self, now: Instant) -> bool {
        let order = self.order.as_ref();
        order.is_some_and(|order| order.lock.must_reread() && order.lock.state(now) == LockState::Held)
    }

    /// Whether a commit is surely ours to make. After the broker or the lock was lost, another member may have committed more:
    /// the committed offset is read before the next commit, unless an operator or a chosen start has set it.
    pub(crate) fn may_commit(&self, now: Instant) -> bool {
        let is_ours = |lock: &LockClock| {
            lock.state(now) != LockState::Missing && (self.commit_first || !lock.must_reread())
        };
        self.lost.is_none() && self.order.as_ref().is_none_or(|order| is_ours(&order.lock))
    }

    /// Whether it waits for its lock.
    pub(crate) fn waits_for_lock(&self, now: Instant) -> bool {
        self.order.as_ref().is_some_and(|order| order.lock.state(now) != LockState::Held)
    }

    /// Ends the ownership: no message is handed out or added any more.
    pub(crate) fn release(&mut self) {
        self.enter(Stage::Released);
        self.ended.notify_waiters();
        if let Some(window) = &mut self.window {
            window.stop_handing_out();
        }
    }

    /// How many messages handlers or readers have. Messages that wait for the listener's commit do not count.
    pub(crate) fn in_hand(&self) -> usize {
        self.window.as_ref().map_or(0, |window| window.in_hand() - self.uncommitted.len())
    }
}
