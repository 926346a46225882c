use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::desk::Desk;
use crate::consumer::listener::{CancelSource, ConsumeContext, ConsumeFailure, Ended, Slot};
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::watch::{ConsumerEvent, MessageIdentity};

/// How a handler came to its end.
#[derive(Debug)]
pub(super) enum Outcome<R> {
    Returned(R),
    Panicked(String),
    /// It was dropped when its time and the grace were over.
    TimedOut(Duration),
}

impl<R> From<Ended<R>> for Outcome<R> {
    fn from(ended: Ended<R>) -> Self {
        match ended {
            Ended::Returned(result) => Outcome::Returned(result),
            Ended::Panicked(text) => Outcome::Panicked(text),
        }
    }
}

impl<T> Outcome<Result<T, ConsumeFailure>> {
    /// Turns each failure into its reason. Tells of a panic, as of one with the message `first`.
    pub(super) fn or_reason(
        self,
        member: &Member,
        owned: &OwnedQueue,
        first: &MessageExt,
    ) -> Result<T, String> {
        match self {
            Outcome::Returned(result) => result.map_err(ConsumeFailure::into_reason),
            Outcome::Panicked(text) => Err(panicked(member, owned, first, &text)),
            Outcome::TimedOut(after) => Err(format!("the listener did not end within {after:?}")),
        }
    }
}

/// The context of a handler, beside its messages.
pub(super) fn context(
    member: &Member,
    owned: &OwnedQueue,
    offset: i64,
    first: &MessageExt,
    source: &mut CancelSource,
    now: Instant,
) -> ConsumeContext {
    let (_, local_times) = member.retries.of(owned.generation, offset);
    ConsumeContext {
        queue: owned.shown_of(first),
        reconsume_times: u32::try_from(first.reconsume_times() + local_times).unwrap_or_default(),
        max_reconsume_times: member.settings.max_reconsume_times,
        cancelled: source.renew(),
        deadline: now + member.settings.consume_timeout,
    }
}

/// Polls a handler once.
pub(super) async fn poll_once<M, R>(desk: &Desk, slot: &mut Slot<M, R>) -> Option<Ended<R>> {
    poll_fn(|cx| match slot.poll(cx) {
        Poll::Ready(ended) => {
            desk.end();
            Poll::Ready(Some(ended))
        }
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Cancels the token of a handler that is dropped before its end: jobs that it started elsewhere see that.
struct CancelOnDrop<'a>(Option<&'a CancelSource>);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(source) = self.0 {
            source.cancel();
        }
    }
}

/// Waits for a handler: until its deadline, then for the grace with its token cancelled. After that it is dropped. The token
/// is cancelled earlier if the queue is released or the consumer shuts down; the handler has the rest of its time then.
pub(super) async fn wait<M, R>(
    member: &Member,
    owned: &OwnedQueue,
    desk: &Desk,
    (slot, source): (&mut Slot<M, R>, &CancelSource),
    (began, deadline): (Instant, Instant),
) -> Outcome<R> {
    let mut dropped = CancelOnDrop(Some(source));
    let outcome = wait_in_time(member, owned, desk, (slot, source), (began, deadline)).await;
    dropped.0 = None;
    desk.end();
    member.recorder.handled(1, began.elapsed());
    outcome
}

async fn wait_in_time<M, R>(
    member: &Member,
    owned: &OwnedQueue,
    desk: &Desk,
    (slot, source): (&mut Slot<M, R>, &CancelSource),
    (began, deadline): (Instant, Instant),
) -> Outcome<R> {
    let ended = async {
        tokio::select! {
            biased;
            ended = poll_fn(|cx| slot.poll(cx)) => return ended,
            () = owned.released() => source.cancel(),
        }
        poll_fn(|cx| slot.poll(cx)).await
    };
    if let Ok(ended) = timeout_at(deadline, ended).await {
        return ended.into();
    }
    source.cancel();
    desk.note_slow(member);
    match timeout(member.settings.timeout_grace, poll_fn(|cx| slot.poll(cx))).await {
        Ok(ended) => ended.into(),
        Err(_) => {
            slot.abort();
            Outcome::TimedOut(began.elapsed())
        }
    }
}

/// Tells that a listener panicked. Returns the reason for the message.
fn panicked(member: &Member, owned: &OwnedQueue, first: &MessageExt, text: &str) -> String {
    member.recorder.panicked(1);
    member.events.emit(ConsumerEvent::ListenerPanicked {
        group: member.events.group(),
        message: Box::new(MessageIdentity::of(first, &owned.queue_of(first))),
        panic: text.into(),
    });
    format!("the listener panicked: {text}")
}
