use std::sync::Arc;

use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::protocol::body::{CMResult, ConsumeMessageDirectlyResult};
use tokio::time::Instant;

use super::desk::{Desk, Messages};
use super::running::{context, wait};
use super::{Pool, Receiver};
use crate::consumer::listener::{
    CancelSource, ConsumeFailure, ConsumeOutcome, Handler, Listener, OrderlyOutcome,
};
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::show_topic;

impl Pool {
    /// Has the listener handle a message that an operator chose (309): beside the workers, whatever its queue does, and without
    /// any effect on offsets and retries. Java: `ConsumeMessageService.consumeMessageDirectly`. The error says why it cannot.
    pub(crate) async fn consume_directly(
        &self,
        mut message: MessageExt,
    ) -> Result<ConsumeMessageDirectlyResult, String> {
        let Receiver::Listener(listener) = &self.receiver else {
            return Err("the messages of this consumer go to a stream, not to a listener".to_owned());
        };
        let _permit =
            self.direct.try_acquire().map_err(|_| "too many messages are consumed directly".to_owned())?;
        let member = &self.member;
        let subscribed = member
            .subscribed(message.topic())
            .ok_or_else(|| format!("the consumer does not subscribe to {}", message.topic()))?;
        let queue = MessageQueue::new(subscribed.topic.clone(), message.broker_name(), message.queue_id());
        show_topic(member, subscribed.is_retry, &mut message);
        let (began, generation) = (Instant::now(), member.generations.next());
        let offset = message.queue_offset();
        let owned = Arc::new(OwnedQueue::starting_at(queue, generation, subscribed, member.group(), offset));
        let message = Arc::new(message);
        let of_outcome = |outcome: &ConsumeOutcome| match outcome {
            ConsumeOutcome::Success => (CMResult::Success, None),
            ConsumeOutcome::Later { .. } => (CMResult::Later, None),
            ConsumeOutcome::DeadLetter { reason } => {
                (CMResult::Later, Some(format!("to the dead letters: {reason}")))
            }
        };
        let said = match listener {
            Listener::Concurrently(handler) => run(member, &owned, &message, handler, message.clone())
                .await
                .map(|outcome| of_outcome(&outcome)),
            Listener::Batch(handler) => {
                let batch = [(*message).clone()].into();
                run(member, &owned, &message, handler, batch).await.map(|outcome| of_outcome(&outcome.of(0)))
            }
            Listener::Orderly(handler) => {
                run(member, &owned, &message, handler, message.clone()).await.map(|outcome| match outcome {
                    OrderlyOutcome::Success => (CMResult::Success, None),
                    OrderlyOutcome::Commit => (CMResult::Commit, None),
                    OrderlyOutcome::Rollback => (CMResult::Rollback, None),
                    OrderlyOutcome::SuspendCurrentQueueAMoment { .. } => (CMResult::Later, None),
                })
            }
        };
        let (consume_result, remark) = said.unwrap_or_else(|why| (CMResult::ThrowException, Some(why)));
        Ok(ConsumeMessageDirectlyResult {
            auto_commit: member.settings.auto_commit,
            consume_result,
            order: member.settings.orderly,
            remark,
            spent_time_mills: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        })
    }
}

/// Runs a handler within its time. The error is why it failed.
async fn run<M: 'static, O: 'static>(
    member: &Member,
    owned: &Arc<OwnedQueue>,
    message: &Arc<MessageExt>,
    handler: &Handler<M, Result<O, ConsumeFailure>>,
    messages: M,
) -> Result<O, String> {
    let (mut slot, mut source, began) = (handler.slot(), CancelSource::default(), Instant::now());
    let context = context(member, owned, message.queue_offset(), message, &mut source, began);
    let deadline = context.deadline;
    let desk = Desk::default();
    desk.begin(owned, Messages::from(message), &context.cancelled, began);
    slot.start(messages, context);
    let outcome = wait(member, owned, &desk, (&mut slot, &source), (began, deadline)).await;
    outcome.or_reason(member, owned, message)
}
