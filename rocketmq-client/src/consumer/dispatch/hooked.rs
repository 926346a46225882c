use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rocketmq_common::{MessageExt, MessageQueue};
use tokio::time::Instant;

use super::spanned::spanned;
use crate::consumer::listener::{
    BatchOutcome, ConsumeContext, ConsumeFailure, ConsumeOutcome, Ended, OrderlyOutcome, Run, Slot,
};
use crate::consumer::member::Member;
use crate::hook::{ConsumeReturnType, Consumed, Kept, Seen};
use crate::otel::About;

/// Puts the consumer's hooks around a listener, if there are any, and a span around both.
pub(super) fn hooked<M: Messages, O: Judged>(
    member: &Arc<Member>,
    slot: Slot<M, Result<O, ConsumeFailure>>,
) -> Slot<M, Result<O, ConsumeFailure>> {
    if member.settings.hooks.consume.is_empty() {
        return spanned(member, slot);
    }
    spanned(member, Box::new(Hooked { slot, member: member.clone(), running: None }))
}

/// A listener between hooks.
struct Hooked<M, O> {
    slot: Slot<M, Result<O, ConsumeFailure>>,
    member: Arc<Member>,
    running: Option<Handled<M>>,
}

/// Messages between hooks.
struct Handled<M> {
    messages: M,
    queue: MessageQueue,
    kept: Kept,
    began: Instant,
}

/// The messages of one call of a listener.
pub(super) trait Messages: Clone + Send + 'static {
    fn all(&self) -> &[MessageExt];
}

impl Messages for Arc<MessageExt> {
    fn all(&self) -> &[MessageExt] {
        slice::from_ref(self)
    }
}

impl Messages for Arc<[MessageExt]> {
    fn all(&self) -> &[MessageExt] {
        self
    }
}

/// The outcome of one call of a listener.
pub(super) trait Judged: 'static {
    /// Whether the message at this index is done, or why not if the listener says so.
    fn judge(&self, index: usize) -> Result<(), Option<String>>;
}

impl Judged for ConsumeOutcome {
    fn judge(&self, _: usize) -> Result<(), Option<String>> {
        match self {
            ConsumeOutcome::Success => Ok(()),
            ConsumeOutcome::Later { .. } => Err(None),
            ConsumeOutcome::DeadLetter { reason } => Err(Some(reason.clone())),
        }
    }
}

impl Judged for BatchOutcome {
    fn judge(&self, index: usize) -> Result<(), Option<String>> {
        self.of(index).judge(index)
    }
}

impl Judged for OrderlyOutcome {
    fn judge(&self, _: usize) -> Result<(), Option<String>> {
        match self {
            OrderlyOutcome::Success | OrderlyOutcome::Commit => Ok(()),
            OrderlyOutcome::SuspendCurrentQueueAMoment { .. } | OrderlyOutcome::Rollback => Err(None),
        }
    }
}

impl<M: Messages, O: Judged> Run<M, Result<O, ConsumeFailure>> for Hooked<M, O> {
    fn start(&mut self, messages: M, context: ConsumeContext) {
        let queue = context.queue.clone();
        let kept = self.member.settings.hooks.before(self.member.seen(messages.all(), &queue));
        self.running = Some(Handled { messages: messages.clone(), queue, kept, began: Instant::now() });
        self.slot.start(messages, context);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<Result<O, ConsumeFailure>>> {
        let ended = ready!(self.slot.poll(cx));
        self.end(Some(&ended));
        Poll::Ready(ended)
    }

    fn abort(&mut self) {
        self.slot.abort();
        self.end(None);
    }
}

impl<M: Messages, O: Judged> Hooked<M, O> {
    /// Runs the hooks at the end of a handler; `None`: it was dropped out of time.
    fn end(&mut self, ended: Option<&Ended<Result<O, ConsumeFailure>>>) {
        let Some(Handled { messages, queue, kept, began }) = self.running.take() else { return };
        let (took, count) = (began.elapsed(), messages.all().len());
        let (mut status, mut succeeded, mut reason) =
            (ConsumeReturnType::Exception, vec![false; count], None);
        match ended {
            None => status = ConsumeReturnType::TimeOut,
            Some(Ended::Panicked(text)) => reason = Some(text.clone()),
            Some(Ended::Returned(Err(failure))) => reason = Some(failure.to_string()),
            Some(Ended::Returned(Ok(outcome))) => {
                for (index, succeeded) in succeeded.iter_mut().enumerate() {
                    match outcome.judge(index) {
                        Ok(()) => *succeeded = true,
                        Err(why) => reason = reason.or(why),
                    }
                }
                status = if took >= self.member.settings.consume_timeout {
                    ConsumeReturnType::TimeOut
                } else if succeeded.iter().all(|succeeded| *succeeded) {
                    ConsumeReturnType::Success
                } else {
                    ConsumeReturnType::Failed
                };
            }
        }
        let consumed = Consumed { succeeded: &succeeded, status, reason: reason.as_deref(), took };
        self.member.settings.hooks.after(self.member.seen(messages.all(), &queue), kept, consumed);
    }
}

impl Member {
    /// The member that makes spans.
    pub(crate) fn about(&self) -> About<'_> {
        let (client_id, namespace) = (self.instance.client_id(), self.settings.namespace.as_deref());
        About { client_id, namespace, consumer: Some((&self.settings.plain_group, self.settings.broadcast)) }
    }

    /// The context that hooks are shown.
    pub(crate) fn seen<'a>(&'a self, messages: &'a [MessageExt], queue: &'a MessageQueue) -> Seen<'a> {
        let (consumer_group, namespace) = (&*self.settings.plain_group, self.settings.namespace.as_deref());
        Seen { consumer_group, namespace, messages, queue }
    }
}
