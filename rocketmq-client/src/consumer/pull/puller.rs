use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rocketmq_common::{MessageExt, MessageQueue, PullSysFlag};
use rocketmq_remoting::net::{BegunCall, CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::header::{PullMessageAnswer, PullMessageRequestHeader};
use rocketmq_remoting::protocol::{
    CommandRef, CommandView, EncodeHeader, KeptBody, RequestCode, ResponseCode,
};
use tokio::time::Instant;

use super::decode::{Pulled, decode};
use super::{PullAnswer, PullEvent, PullVerdict, ReadFrom, Throttle, WhatNext};
use crate::consumer::lock::locker;
use crate::consumer::member::{Member, OwnedQueue, Ownership, Parked, Stage};
use crate::consumer::pop;
use crate::consumer::position::CorrectionMachine;
use crate::consumer::retry::RetryLadder;
use crate::consumer::watch::ConsumerEvent;
use crate::consumer::window::PulledRange;
use crate::error::MQClientError;
use crate::otel::{self, Operation};

/// A broker looks at the pulls that it holds every 5 s, so an answer may come 5 s later.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// How much longer than its broker holds it a pull or a pop may take.
pub(crate) const SLACK: Duration = Duration::from_secs(10);
/// When a request is tried again for which the write buffer had no room.
const NO_ROOM: Duration = Duration::from_millis(10);

/// Pulls, if the queue may pull and the way to its server is known; leaves it to the attendants otherwise.
pub(crate) fn pull(member: &Arc<Member>, owned: &Arc<OwnedQueue>, state: &mut Ownership) {
    if !matches!(state.stage, Stage::Idle) || state.paused || member.ready.is_suspended() {
        return;
    }
    // The locker comes back with the lock.
    if state.order.as_ref().is_some_and(|order| !order.lock.may_start(Instant::now())) {
        return;
    }
    if let Some(throttle) = throttle(member, owned, state) {
        state.enter(Stage::Throttled(throttle));
        return;
    }
    if let Err(after) = begin(member, owned, state) {
        state.way = None;
        member.agenda.add(Instant::now() + after, owned);
    }
}

/// The limit that forbids a queue to pull. A queue that waits for the budget is counted before the second look: a handler that
/// gives bytes back after that look finds the queue.
fn throttle(member: &Member, owned: &OwnedQueue, state: &Ownership) -> Option<Throttle> {
    let first = member.throttle(owned, state)?;
    if first != Throttle::Budget {
        return Some(first);
    }
    member.budget_waits.fetch_add(1, Ordering::SeqCst);
    let second = member.throttle(owned, state);
    if second != Some(Throttle::Budget) {
        member.budget_waits.fetch_sub(1, Ordering::SeqCst);
    }
    second
}

/// Sends the request. The error is the pause before the next try, which looks for a connection.
fn begin(member: &Arc<Member>, owned: &Arc<OwnedQueue>, state: &mut Ownership) -> Result<(), Duration> {
    let version = member.instance.groups_version();
    let at_once = !state.tell_first && !state.commit_first && !state.topic_gone;
    let way =
        state.way.as_ref().filter(|way| at_once && way.connection.is_usable() && way.version == version);
    let connection = way.ok_or(Duration::ZERO)?.connection.clone();
    if owned.is_pop {
        return pop::begin(member, owned, state, &connection);
    }
    let window = state.window.as_ref().ok_or(Duration::ZERO)?;
    let (offset, lowest) = (window.next_pull(), window.lowest_unfinished());
    let rides = (state.read_from == 0).then(|| rides(member, owned, lowest)).flatten();
    let settings = &member.settings;
    let flags = PullSysFlag::SUSPEND.with_if(PullSysFlag::COMMIT_OFFSET, rides.is_some());
    let request = PullMessageRequestHeader {
        queue_id: owned.queue.queue_id(),
        queue_offset: offset,
        commit_offset: rides.unwrap_or(0),
        sys_flag: flags.bits(),
        max_msg_nums: if state.one_by_one { 1 } else { settings.pull_batch_size },
        suspend_timeout_millis: i64::try_from(settings.suspend.as_millis()).unwrap_or(i64::MAX),
        ..PullMessageRequestHeader::clone(&owned.request)
    };
    let hold = settings.suspend + LOOKS_EVERY;
    let command = CommandRef::request(RequestCode::PULL_MESSAGE, &request).held_for(hold);
    let (begun, now) = send_held(member, state, &connection, &command, hold)?;
    begun.then(Box::new(PullCallback {
        member: Arc::downgrade(member),
        owned: owned.clone(),
        sent: now,
        asked: offset,
        from: state.read_from,
        alone: state.one_by_one,
        rides,
        outcome: Outcome::Pending,
    }));
    Ok(())
}

/// Sends a pull or a pop, which the broker holds for up to `hold`. Returns the call and its beginning. The error is when to try
/// again.
pub(crate) fn send_held<'c, H: EncodeHeader>(
    member: &Member,
    state: &mut Ownership,
    connection: &'c Connection,
    command: &CommandRef<'_, H>,
    hold: Duration,
) -> Result<(BegunCall<'c>, Instant), Duration> {
    let now = Instant::now();
    let remoting = member.instance.api().remoting();
    let begun = match remoting.begin_on(connection, command, now + hold + SLACK) {
        Ok(Some(begun)) => begun,
        Ok(None) => return Err(NO_ROOM),
        Err(_) => return Err(Duration::ZERO),
    };
    state.last_connection = Some(connection.id());
    state.pulled_at = now;
    state.enter(Stage::Pulling);
    Ok((begun, now))
}

/// The offset that a pull from the master carries with it. Offsets of a broadcast consumer lie here.
fn rides(member: &Member, owned: &OwnedQueue, lowest: i64) -> Option<i64> {
    if member.settings.broadcast || member.settings.user_commits() {
        return None;
    }
    let mut commits = member.commits();
    commits.advance(&owned.queue, owned.generation, lowest);
    commits.ride(&owned.queue, owned.generation)
}

/// Takes the answer of one pull. Java: `PullCallback`.
struct PullCallback {
    member: Weak<Member>,
    owned: Arc<OwnedQueue>,
    sent: Instant,
    asked: i64,
    from: u64,
    /// It asked for a single message.
    alone: bool,
    rides: Option<i64>,
    outcome: Outcome,
}

enum Outcome {
    Pending,
    /// In a box: most pulls are parked and have no answer yet.
    Answered(Box<Answered>),
    Failed,
    Done,
}

struct Answered {
    code: ResponseCode,
    remark: String,
    numbers: PullMessageAnswer,
    body: KeptBody,
    took: Duration,
}

impl OnAnswer for PullCallback {
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant) {
        let code = answer.response_code();
        // Brokers explain each answer; only refusals and resets are looked at.
        let usual =
            [ResponseCode::SUCCESS, ResponseCode::PULL_NOT_FOUND, ResponseCode::PULL_RETRY_IMMEDIATELY];
        let remark = if usual.contains(&code) { None } else { answer.remark() };
        self.outcome = Outcome::Answered(Box::new(Answered {
            code,
            remark: remark.map(Into::into).unwrap_or_default(),
            numbers: answer.fields().into(),
            body: answer.keep_body(),
            took: received.saturating_duration_since(self.sent),
        }));
    }

    fn failed(&mut self, error: CallError) {
        tracing::debug!(queue = %self.owned.queue, %error, "a pull has no answer");
        self.outcome = Outcome::Failed;
    }

    fn call(mut self: Box<Self>) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Done);
        let Some(member) = self.member.upgrade() else { return };
        match outcome {
            Outcome::Answered(answered) => {
                let Answered { code, remark, numbers, body, took } = *answered;
                let pulled = if code == ResponseCode::SUCCESS {
                    let range = (self.asked, numbers.next_begin_offset);
                    let pulled = decode(&member, &self.owned, range, self.alone, body);
                    if otel::is_on() && !member.settings.polls && !pulled.messages.is_empty() {
                        let (pull, messages) = (Operation::Receive("pull"), &pulled.messages);
                        otel::done(member.about(), pull, &self.owned.shown, messages, (took, None));
                    }
                    pulled
                } else {
                    Pulled::default()
                };
                let answer = PullAnswer {
                    code,
                    remark: &remark,
                    asked: self.asked,
                    next_begin: pulled.read_to.or(numbers.next_begin_offset),
                    from: self.from,
                    suggested: numbers.suggest_which_broker_id.and_then(|id| u64::try_from(id).ok()),
                    forbidden: numbers.forbidden_type,
                    took,
                };
                self.take(&member, &answer, pulled, numbers.max_offset);
            }
            _ => self.lose(&member),
        }
    }
}

impl PullCallback {
    fn take(&self, member: &Arc<Member>, answer: &PullAnswer<'_>, pulled: Pulled, max: Option<i64>) {
        let owned = &self.owned;
        let mut state = owned.lock();
        if !matches!(state.stage, Stage::Pulling) {
            return;
        }
        state.enter(Stage::Idle);
        state.broker_max = max.or(state.broker_max);
        state.lost = None;
        state.topic_gone |= answer.code == ResponseCode::TOPIC_NOT_EXIST;
        state.one_by_one = pulled.one_by_one;
        let progress =
            [ResponseCode::SUCCESS, ResponseCode::PULL_NOT_FOUND, ResponseCode::PULL_RETRY_IMMEDIATELY];
        if let Some(offset) = self.rides.filter(|_| progress.contains(&answer.code)) {
            member.commits().rode(&owned.queue, owned.generation, offset);
        }
        let verdict = state.judge.answered(Instant::now(), answer);
        follow(&mut state, verdict.read_from);
        if !matches!(verdict.next, WhatNext::Refused { .. }) {
            state.refusal = None;
        }
        let event = verdict.event;
        let (mut gets_in_line, mut has_more, mut unread) = (false, false, pulled.unread);
        match verdict.next {
            WhatNext::Advance { next_begin, after } => {
                let range = PulledRange { next_begin, pinned: pulled.pinned };
                let messages = pulled.messages;
                let at = |_, message: &MessageExt| message.queue_offset();
                let put = state.window.as_mut();
                let put = put.and_then(|window| window.put(owned.generation, range, messages, at));
                if let Some(put) = put {
                    member.cached_bytes.fetch_add(put.pinned, Ordering::Relaxed);
                    has_more = put.added > 0;
                }
                hold_back(&mut state, &mut unread);
                pull_after(member, owned, &mut state, after + member.settings.pull_interval);
                gets_in_line = state.gets_in_line();
            }
            WhatNext::Again { after } => pull_after(member, owned, &mut state, after),
            WhatNext::HeartbeatThenAgain { after } => {
                state.tell_first = true;
                member.agenda.add(Instant::now() + after, owned);
            }
            WhatNext::Reset { target } => {
                drop(state);
                reset(member, &owned.queue, target);
                return;
            }
            WhatNext::Confirm { claimed } => {
                state.enter(Stage::Correcting(Some(CorrectionMachine::new(self.asked, claimed))));
                member.agenda.add(Instant::now(), owned);
            }
            WhatNext::Refused { why, after } => {
                state.refuse(why, answer.remark);
                tracing::warn!(queue = %owned.queue, group = %member.group(), remark = answer.remark, "a broker refuses pulls");
                member.agenda.add(Instant::now() + after, owned);
            }
        }
        drop(state);
        member.found_broker(owned.queue.shared_broker_name());
        if progress.contains(&answer.code) {
            member.found_topic(owned.queue.shared_topic());
        }
        if gets_in_line {
            member.ready.push(owned.clone());
        } else if has_more {
            member.ready.more();
        }
        for error in pulled.broken {
            member.events.emit(error);
        }
        for (offset, message, reason) in unread {
            let parked =
                Parked { at: Instant::now(), owned: owned.clone(), offset, message, dead: Some(reason) };
            member.retries.park(parked, RetryLadder::default(), 0);
        }
        tell(member, owned, event, answer.remark);
    }

    fn lose(&self, member: &Arc<Member>) {
        let owned = &self.owned;
        let mut state = owned.lock();
        if !matches!(state.stage, Stage::Pulling) {
            return;
        }
        state.enter(Stage::Idle);
        unreachable(member, owned, &mut state);
        drop(state);
        if member.settings.orderly && !member.settings.broadcast {
            locker::doubt(member, owned.queue.broker_name());
        }
    }
}

/// Takes what cannot be read out of the hands of listeners: its offset stands until it is a dead letter. Entries that are not
/// in the window, because an earlier answer brought them or the queue is being released, are dropped.
fn hold_back(state: &mut Ownership, unread: &mut Vec<(i64, Arc<MessageExt>, String)>) {
    let window = &mut state.window;
    unread.retain(|(offset, _, _)| window.as_mut().is_some_and(|window| window.take_at(*offset).is_some()));
}

/// A pull without an answer: the tasks of the connection were stopped.
impl Drop for PullCallback {
    fn drop(&mut self) {
        if matches!(self.outcome, Outcome::Done) {
            return;
        }
        if let Some(member) = self.member.upgrade() {
            self.lose(&member);
        }
    }
}

/// The server did not answer: another of the broker, or this one again, gets the next pull.
pub(crate) fn unreachable(member: &Arc<Member>, owned: &Arc<OwnedQueue>, state: &mut Ownership) {
    let PullVerdict { next, read_from, event } = state.judge.unanswered(Instant::now(), state.read_from);
    state.way = None;
    state.refusal = None;
    let since = *state.lost.get_or_insert_with(Instant::now);
    follow(state, read_from);
    let after = if let WhatNext::Again { after } = next { after } else { Duration::from_secs(1) };
    member.agenda.add(Instant::now() + after, owned);
    if event.is_some() {
        member.lost_broker(owned.queue.shared_broker_name(), since);
    }
}

fn follow(state: &mut Ownership, read_from: ReadFrom) {
    let wanted = match read_from {
        ReadFrom::Broker(id) => id,
        // The attendant takes the next that there is.
        ReadFrom::AnotherThan(id) => id.wrapping_add(1),
    };
    if wanted != state.read_from {
        state.read_from = wanted;
        state.way = None;
    }
}

fn pull_after(member: &Arc<Member>, owned: &Arc<OwnedQueue>, state: &mut Ownership, after: Duration) {
    if after.is_zero() {
        pull(member, owned, state);
    } else {
        member.agenda.add(Instant::now() + after, owned);
    }
}

/// Moves a queue to the target of an operator's reset, at once: later results of its handlers change nothing. The target is
/// committed before the next pull.
pub(crate) fn reset(member: &Member, queue: &MessageQueue, target: i64) {
    // Another task may move the queue in between: then it is moved again.
    while let Some(owned) = member.queues.get(queue).filter(|owned| !owned.is_pop) {
        let from = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
        if member.move_to(&owned, target) {
            member.recorder.offset_moved(1);
            let (group, queue) = (member.events.group(), queue.clone());
            return member.events.emit(ConsumerEvent::OffsetReset { group, queue, from, to: target });
        }
    }
}

/// Tells the user that the topic is missing; logs other failures of a pull.
pub(crate) fn tell(member: &Member, owned: &OwnedQueue, event: Option<PullEvent>, remark: &str) {
    let queue = &owned.queue;
    match event {
        Some(PullEvent::TopicMissing) => {
            let (broker, code) = (queue.shared_broker_name().clone(), ResponseCode::TOPIC_NOT_EXIST);
            member.lost_topic(queue.shared_topic(), MQClientError::refused(broker, code, remark));
        }
        Some(event) => tracing::warn!(%queue, group = %member.group(), ?event, "a queue cannot be pulled"),
        None => {}
    }
}
