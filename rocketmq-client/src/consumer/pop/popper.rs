use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rocketmq_remoting::net::{CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::header::{PopMessageRequestHeader, PopMessageResponseHeader};
use rocketmq_remoting::protocol::{CommandRef, CommandView, KeptBody, RequestCode, ResponseCode};
use tokio::time::Instant;

use super::decode::{Popped, decode};
use super::{PopHandle, PopHandles, hand_back};
use crate::consumer::member::{Member, OwnedQueue, Ownership, Parked, Stage};
use crate::consumer::pull::{PullAnswer, SLACK, WhatNext, pull, send_held, tell, unreachable};
use crate::consumer::retry::RetryLadder;
use crate::consumer::window::PulledRange;

/// How many places of messages are read of an answer, for each message that was asked for: a broker may find messages in several
/// queues and topics.
const PLACES: usize = 4;

/// Sends a pop (200050). The error is when to try again. Java: `DefaultMQPushConsumerImpl.popMessage`.
pub(crate) fn begin(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    state: &mut Ownership,
    connection: &Connection,
) -> Result<(), Duration> {
    let (settings, queue) = (&member.settings, &owned.queue);
    let data = owned.subscribed.subscription.data();
    let attempt = state.pop.as_ref().map_or(0, |book| book.attempt);
    let attempt = || format!("{}#{:?}#{attempt}", member.instance.client_id(), owned.generation);
    let request = PopMessageRequestHeader {
        consumer_group: (&**member.group()).into(),
        topic: owned.request.topic.clone(),
        queue_id: queue.queue_id(),
        max_msg_nums: settings.pop.batch,
        invisible_time: i64::try_from(settings.pop.invisible.as_millis()).unwrap_or(i64::MAX),
        poll_time: i64::try_from(settings.suspend.as_millis()).unwrap_or(i64::MAX),
        // 0 has the broker take its own clock. By the clock of this client, the request may look too old: the broker would answer
        // at once, and not wait for messages.
        born_time: 0,
        // A new group has its positions already, except for queues that it reads from their first message.
        init_mode: 0,
        exp_type: Some(data.expression_type.as_str().into()),
        exp: Some(data.sub_string.as_str().into()),
        order: Some(settings.orderly),
        attempt_id: settings.orderly.then(|| attempt().into()),
        broker_name: Some(queue.broker_name().into()),
    };
    let command = CommandRef::request(RequestCode::POP_MESSAGE, &request).held_for(settings.suspend);
    let (begun, now) = send_held(member, state, connection, &command, settings.suspend)?;
    begun.then(Box::new(PopCallback {
        member: Arc::downgrade(member),
        owned: owned.clone(),
        sent: now,
        outcome: Outcome::Pending,
    }));
    Ok(())
}

/// Takes the answer of one pop. Java: `PopCallback`.
struct PopCallback {
    member: Weak<Member>,
    owned: Arc<OwnedQueue>,
    sent: Instant,
    outcome: Outcome,
}

enum Outcome {
    Pending,
    Answered {
        code: ResponseCode,
        remark: String,
        header: Box<PopMessageResponseHeader>,
        body: KeptBody,
        received: Instant,
    },
    Failed,
    Done,
}

impl OnAnswer for PopCallback {
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant) {
        self.outcome = Outcome::Answered {
            code: answer.response_code(),
            remark: answer.remark().map(Into::into).unwrap_or_default(),
            header: Box::new(answer.fields().into()),
            body: answer.keep_body(),
            received,
        };
    }

    fn failed(&mut self, error: CallError) {
        tracing::debug!(queue = %self.owned.queue, %error, "a pop has no answer");
        self.outcome = Outcome::Failed;
    }

    fn call(mut self: Box<Self>) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Done);
        let Some(member) = self.member.upgrade() else { return };
        match outcome {
            Outcome::Answered { code, remark, header, body, received } => {
                let asked = usize::try_from(member.settings.pop.batch).unwrap_or(0);
                let mut handles = PopHandles::new(&header, asked.saturating_mul(PLACES));
                let popped = match code {
                    ResponseCode::SUCCESS => decode(&member, &self.owned, &mut handles, body),
                    _ => Popped::default(),
                };
                self.take(&member, (code, &remark), (handles.pop_time(), received), popped);
            }
            _ => self.lose(&member),
        }
    }
}

impl PopCallback {
    fn take(
        &self,
        member: &Arc<Member>,
        (code, remark): (ResponseCode, &str),
        (pop_time, received): (i64, Instant),
        popped: Popped,
    ) {
        let owned = &self.owned;
        let mut state = owned.lock();
        if !matches!(state.stage, Stage::Pulling) {
            drop(state);
            // The queue is not this member's any more.
            let taken = popped.messages.into_iter().map(|(_, handle)| handle);
            return self.refuse(member, taken.chain(popped.unwanted).chain(popped.refused).collect());
        }
        state.enter(Stage::Idle);
        state.lost = None;
        state.topic_gone = false;
        let is_empty =
            [ResponseCode::PULL_NOT_FOUND, ResponseCode::POLLING_TIMEOUT, ResponseCode::POLLING_FULL]
                .contains(&code);
        let next_begin = i64::from(code == ResponseCode::SUCCESS);
        let answer = PullAnswer {
            code: if is_empty { ResponseCode::PULL_NOT_FOUND } else { code },
            remark,
            asked: 0,
            next_begin: (is_empty || next_begin > 0).then_some(next_begin),
            from: 0,
            suggested: None,
            forbidden: None,
            took: received.saturating_duration_since(self.sent),
        };
        let verdict = state.judge.answered(Instant::now(), &answer);
        if !matches!(verdict.next, WhatNext::Refused { .. }) {
            state.refusal = None;
        }
        if let Some(book) = &mut state.pop {
            book.attempt += 1;
        }
        let Popped { messages, unwanted, refused, unread, broken, pinned } = popped;
        let (mut acks, mut parked, mut has_more) = (Vec::new(), Vec::new(), !messages.is_empty());
        if code == ResponseCode::SUCCESS {
            let kept = &mut *state;
            if let (Some(book), Some(window)) = (&mut kept.pop, &mut kept.window) {
                let popped_at = book.popped_at(pop_time, self.sent, received);
                acks.extend(unwanted.into_iter().map(|handle| book.ack_at_once(handle, popped_at)));
                let first = window.next_pull();
                let (messages, handles): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
                handles
                    .into_iter()
                    .zip(first..)
                    .for_each(|(handle, number)| book.add(number, handle, popped_at));
                let range = PulledRange { next_begin: first, pinned };
                let at = |index, _: &_| first.saturating_add_unsigned(index as u64);
                if let Some(put) = window.put(owned.generation, range, messages, at) {
                    member.cached_bytes.fetch_add(put.pinned, Ordering::Relaxed);
                    has_more = put.added > 0;
                }
                for (place, message, reason) in unread {
                    let offset = first + i64::try_from(place).unwrap_or_default();
                    window.take_at(offset);
                    let owned = owned.clone();
                    parked.push(Parked { at: Instant::now(), owned, offset, message, dead: Some(reason) });
                }
            }
        }
        match verdict.next {
            WhatNext::HeartbeatThenAgain { after } => {
                state.tell_first = true;
                member.agenda.add(Instant::now() + after, owned);
            }
            WhatNext::Refused { why, after } => {
                state.refuse(why, remark);
                tracing::warn!(queue = %owned.queue, group = %member.group(), remark, "a broker refuses pops");
                member.agenda.add(Instant::now() + after, owned);
            }
            WhatNext::Advance { after, .. } | WhatNext::Again { after } if after.is_zero() => {
                pull(member, owned, &mut state);
            }
            WhatNext::Advance { after, .. } | WhatNext::Again { after } => {
                member.agenda.add(Instant::now() + after, owned);
            }
            // These are verdicts about pulls; the answers to pops lead to none of them.
            WhatNext::Reset { .. } | WhatNext::Confirm { .. } => {
                member.agenda.add(Instant::now() + SLACK, owned)
            }
        }
        let gets_in_line = state.gets_in_line();
        drop(state);
        member.found_broker(owned.queue.shared_broker_name());
        if is_empty || next_begin > 0 {
            member.found_topic(owned.queue.shared_topic());
        }
        member.acks.add(owned, acks);
        if has_more {
            member.popped.notify_one();
        }
        if gets_in_line {
            member.ready.push(owned.clone());
        } else if has_more {
            member.ready.more();
        }
        broken.into_iter().for_each(|event| member.events.emit(event));
        for parked in parked {
            member.retries.park(parked, RetryLadder::default(), 0);
        }
        self.refuse(member, refused);
        tell(member, owned, verdict.event, remark);
    }

    /// Hands popped messages back, for other members.
    fn refuse(&self, member: &Arc<Member>, handles: Vec<PopHandle>) {
        if !handles.is_empty() {
            let (member, owned) = (member.clone(), self.owned.clone());
            member.clone().tasks.spawn(async move { hand_back(&member, &owned, handles).await });
        }
    }

    fn lose(&self, member: &Arc<Member>) {
        let mut state = self.owned.lock();
        if matches!(state.stage, Stage::Pulling) {
            state.enter(Stage::Idle);
            unreachable(member, &self.owned, &mut state);
        }
    }
}

/// A pop without an answer: the tasks of the connection were stopped.
impl Drop for PopCallback {
    fn drop(&mut self) {
        if matches!(self.outcome, Outcome::Done) {
            return;
        }
        if let Some(member) = self.member.upgrade() {
            self.lose(&member);
        }
    }
}
