//! Carries out the ladder of a message that failed.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_remoting::protocol::header::{ConsumerSendMsgBackRequestHeader, SendMessageRequestHeaderV2};
use tokio::time::Instant;

use super::{RetryEvent, RetryLadder, RetryPlan, RetrySend, RetryStep, StepFailure};
use crate::consumer::member::{Member, OwnedQueue, Parked};
use crate::consumer::pop::{AT_ONCE, put_off};
use crate::consumer::pull::{give_back, settle};
use crate::consumer::watch::{ConsumerEvent, MessageIdentity};
use crate::error::MQClientError;
use crate::otel::{self, Operation};
use crate::waiting;

/// The number of parked messages that are sent at the same time.
const AT_A_TIME: usize = 16;

/// Why a message failed, and what its listener wants.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) reason: String,
    pub(crate) delay_level: Option<i32>,
    pub(crate) dead_letter: bool,
}

/// Finds a place for a message that failed. True: a broker has stored it, and its offset is finished. Otherwise it is parked,
/// and its offset stands.
pub(crate) async fn place(
    member: &Member,
    owned: &Arc<OwnedQueue>,
    offset: i64,
    message: &Arc<MessageExt>,
    failing: &Failing,
) -> bool {
    let Some(until) = mine_until(owned, offset) else {
        member.retries.forget(owned.generation, offset);
        return true;
    };
    let (mut ladder, local_times) = member.retries.of(owned.generation, offset);
    let plan = RetryPlan {
        group: member.group(),
        namespace: member.settings.namespace.as_deref().unwrap_or_default(),
        max_reconsume_times: max(member),
        local_times,
        delay_level: failing.delay_level,
        reason: &failing.reason,
        dead_letter: failing.dead_letter,
        may_hold_locks: member.settings.orderly || member.company().may_hold_locks(Instant::now()),
    };
    // A handler that was told to stop leaves its message to other members: that is no failure of the message.
    let is_left = owned.is_pop && !failing.dead_letter && owned.lock().is_released();
    if is_left || owned.is_pop && !plan.is_dead(message) {
        // The message is its broker's again, at the latest when its time is over.
        let after = if is_left { AT_ONCE } else { plan.delay(message) };
        match put_off(member, owned, offset, (after, is_left)).await {
            Ok(is_sent) if is_left => member.recorder.handed_back(u64::from(is_sent)),
            Ok(is_sent) => member.recorder.sent_back(u64::from(is_sent)),
            Err(error) => tell_failed(member, owned, message, 1, &RetryStep::HandleAgain(until), error),
        }
        member.retries.forget(owned.generation, offset);
        return true;
    }
    let mut step = ladder.begin(message, &plan);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let stored = match &step {
            RetryStep::SendBack(back) => send_back(member, owned, message, back).await,
            RetryStep::Send(send) => send_to_retry_topic(member, owned, message, send).await,
            RetryStep::HandleAgain(at) | RetryStep::BeginAgain(at) => {
                let dead = matches!(step, RetryStep::BeginAgain(_)).then(|| failing.reason.clone());
                let times = local_times + i32::from(dead.is_none());
                let parked = Parked { at: *at, owned: owned.clone(), offset, message: message.clone(), dead };
                member.retries.park(parked, ladder, times);
                if owned.lock().is_released() {
                    member.retries.hand_back(owned);
                }
                return false;
            }
        };
        match stored {
            Ok(()) => {
                member.retries.forget(owned.generation, offset);
                tell_end(member, owned, message, &failing.reason, ladder.stored(&step).event);
                return true;
            }
            Err(error) => {
                let (next, event) = ladder.failed(Instant::now(), &step, failure(&error), message, &plan);
                if event == Some(RetryEvent::SendBackFailed) {
                    tell_failed(member, owned, message, attempt, &next, error);
                }
                step = next;
            }
        }
    }
}

/// Until when a message is this member's to place; `None` if it was popped, and its broker hands it out again already.
fn mine_until(owned: &OwnedQueue, offset: i64) -> Option<Instant> {
    let (mut state, now) = (owned.lock(), Instant::now());
    let Some(book) = &mut state.pop else { return Some(now) };
    let until = book.live_until(offset, now);
    if until.is_none() {
        book.give_up(offset, now);
    }
    until
}

/// Parks a message of a broadcast consumer, to be tried again here, or gives it up after its last try.
/// True: it is given up, and its offset is finished.
pub(crate) fn try_here_or_skip(
    member: &Member,
    owned: &Arc<OwnedQueue>,
    offset: i64,
    message: &Arc<MessageExt>,
    failing: Failing,
) -> bool {
    let (mut ladder, times) = member.retries.of(owned.generation, offset);
    if !failing.dead_letter && times < max(member) {
        let (at, owned, message) = (ladder.try_here(Instant::now()), owned.clone(), message.clone());
        member.retries.park(Parked { at, owned, offset, message, dead: None }, ladder, times + 1);
        return false;
    }
    member.retries.forget(owned.generation, offset);
    skip(member, owned, message, failing);
    true
}

/// Tells that a message of a broadcast consumer is given up.
pub(crate) fn skip(member: &Member, owned: &OwnedQueue, message: &MessageExt, failing: Failing) {
    member.events.emit(ConsumerEvent::MessageSkipped {
        group: member.events.group(),
        message: Box::new(MessageIdentity::of(message, &owned.queue_of(message))),
        reason: failing.reason.into(),
    });
}

/// Stores a message of an orderly consumer as a dead letter. False: no broker took it, and its queue waits.
pub(crate) async fn store_dead_letter(
    member: &Member,
    owned: &Arc<OwnedQueue>,
    message: &Arc<MessageExt>,
    failures: u32,
    failing: &Failing,
) -> bool {
    let plan = RetryPlan {
        group: member.group(),
        namespace: member.settings.namespace.as_deref().unwrap_or_default(),
        max_reconsume_times: max(member),
        local_times: i32::try_from(failures).unwrap_or(i32::MAX),
        delay_level: None,
        reason: &failing.reason,
        dead_letter: true,
        may_hold_locks: true,
    };
    let ladder = RetryLadder::default();
    let step = ladder.begin(message, &plan);
    let stored = match &step {
        RetryStep::SendBack(back) => send_back(member, owned, message, back).await,
        RetryStep::Send(send) => send_to_retry_topic(member, owned, message, send).await,
        RetryStep::HandleAgain(_) | RetryStep::BeginAgain(_) => return false,
    };
    match stored {
        Ok(()) => {
            tell_end(member, owned, message, &failing.reason, ladder.stored(&step).event);
            true
        }
        Err(error) => {
            let again = RetryStep::HandleAgain(Instant::now() + member.settings.suspend_queue);
            tell_failed(member, owned, message, failures + 1, &again, error);
            false
        }
    }
}

/// Tries parked messages again.
pub(crate) async fn mind_parked(member: Arc<Member>) {
    loop {
        let due = member.retries.due().await;
        for some in due.chunks(AT_A_TIME) {
            waiting::all(some.iter().map(|parked| try_again(&member, parked))).await;
        }
    }
}

async fn try_again(member: &Arc<Member>, parked: &Parked) {
    let Parked { owned, offset, message, dead, .. } = parked;
    // The end of the ownership does not know messages that are on their way through this task.
    let Some(reason) = dead.as_ref().filter(|_| !owned.lock().is_released()) else {
        return give_back(member, owned, [(*offset, MessageExt::clone(message))]);
    };
    let failing = Failing { reason: reason.clone(), delay_level: None, dead_letter: true };
    if place(member, owned, *offset, message, &failing).await {
        settle(member, owned, &mut vec![*offset]);
    }
}

async fn send_back(
    member: &Member,
    owned: &OwnedQueue,
    message: &MessageExt,
    back: &ConsumerSendMsgBackRequestHeader,
) -> Result<(), MQClientError> {
    let master = member.master(&owned.queue).ok_or_else(|| no_master(message))?;
    let header = ConsumerSendMsgBackRequestHeader { unit_mode: member.data.unit_mode, ..back.clone() };
    let began = Instant::now();
    let sent = member.instance.api().asking().send_back(&master, &header).await;
    let took = (began.elapsed(), sent.as_ref().err());
    otel::done(member.about(), Operation::Settle("send_back"), &owned.shown, [message], took);
    if sent.is_ok() {
        member.recorder.sent_back(1);
    }
    sent.map_err(|error| error.of_queue(&owned.queue))
}

async fn send_to_retry_topic(
    member: &Member,
    owned: &OwnedQueue,
    message: &MessageExt,
    send: &RetrySend,
) -> Result<(), MQClientError> {
    let api = member.instance.api();
    let view =
        member.instance.find_subscribe_info(&send.topic, api.timeout(), Instant::now() + api.timeout());
    // The retry topic may not exist yet: the broker that stored the message makes it.
    let master = match view.await {
        Ok(view) => view.server(owned.queue.broker_name(), 0).cloned(),
        Err(_) => None,
    };
    let master = master.or_else(|| member.master(&owned.queue)).ok_or_else(|| no_master(message))?;
    let header = SendMessageRequestHeaderV2 {
        unit_mode: Some(member.data.unit_mode),
        ..send.header(message, message.broker_name())
    };
    let began = Instant::now();
    let sent = api.asking().send_to_retry_topic(&master, &header, message.body()).await;
    let operation = Operation::Settle(if send.dead_letter { "dead_letter" } else { "send_back" });
    otel::done(member.about(), operation, &owned.shown, [message], (began.elapsed(), sent.as_ref().err()));
    sent
}

/// A code of the broker is a refusal; any other error leaves open whether the message is stored.
fn failure(error: &MQClientError) -> StepFailure {
    if error.response_code().is_some() { StepFailure::Refused } else { StepFailure::Unanswered }
}

fn no_master(message: &MessageExt) -> MQClientError {
    MQClientError::NoMaster { broker: message.broker_name().into() }
}

/// The limit as brokers understand it.
fn max(member: &Member) -> i32 {
    member.settings.max_reconsume_times.map_or(i32::MAX, |max| i32::try_from(max).unwrap_or(i32::MAX))
}

fn tell_end(
    member: &Member,
    owned: &OwnedQueue,
    message: &MessageExt,
    reason: &str,
    event: Option<RetryEvent>,
) {
    if event == Some(RetryEvent::DeadLettered) {
        member.recorder.dead_lettered(1);
        member.events.emit(ConsumerEvent::DeadLettered {
            group: member.events.group(),
            message: Box::new(MessageIdentity::of(message, &owned.queue_of(message))),
            reason: reason.into(),
        });
    }
}

fn tell_failed(
    member: &Member,
    owned: &OwnedQueue,
    message: &MessageExt,
    attempt: u32,
    next: &RetryStep,
    error: MQClientError,
) {
    member.recorder.send_back_failed(1);
    let retry_in = match next {
        RetryStep::HandleAgain(at) | RetryStep::BeginAgain(at) => {
            at.saturating_duration_since(Instant::now())
        }
        _ => Duration::ZERO,
    };
    member.events.emit(ConsumerEvent::SendBackFailed {
        group: member.events.group(),
        message: Box::new(MessageIdentity::of(message, &owned.queue_of(message))),
        attempt,
        retry_in,
        error,
    });
}
