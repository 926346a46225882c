use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::PreparedSend;
use super::admission::{Admitted, abandoned};
use crate::error::MQClientError;
use crate::hook::CommunicationMode;
use crate::model::{Message, SendResult};
use crate::producer::accumulator::{Answer, Reserved, Sender};
use crate::producer::default_mq_producer_impl::{
    BoxFuture, DefaultMQProducerImpl, RunningProducer, current_runtime,
};
use crate::producer::machine::{SendMachine, SendPlan, SendStep};
use crate::producer::send_options::SendOptions;
use crate::producer::wire::{Receipt, Submission};

impl DefaultMQProducerImpl {
    /// Waits for a permit, then sends. The permit is held until the outcome is known.
    ///
    /// Each task that sends holds this future, so all that is rare is in a box, and the shortcut is not.
    pub(in crate::producer) async fn send(
        self: &Arc<Self>,
        submission: Submission,
        options: SendOptions,
    ) -> Result<SendResult, MQClientError> {
        let running = self.running()?;
        let plan = self.plan(CommunicationMode::Sync, options);
        if running.is_elsewhere(current_runtime()?) {
            return self.send_from_elsewhere(running, submission, plan).await;
        }
        let admitted = self.admit(submission.body_len(), &plan).await?;
        let submission = match room_in_batch(running, submission) {
            Ok((reserved, message)) => {
                return self.send_gathered(running, reserved, message, plan, admitted).await;
            }
            Err(submission) => submission,
        };
        let (permit, report) = admitted;
        let prepared = running.preparation(&self.option).prepare(submission)?;
        let mut send = PreparedSend { prepared, machine: SendMachine::new(plan, report) };
        let step = match self.begin_at_once(running, &mut send) {
            Ok((attempt, connection)) => self.attempt_at_once(running, &mut send, attempt, &connection).await,
            Err(step) => step,
        };
        let sent = match step {
            SendStep::Done(outcome) => outcome,
            step => self.send_default_impl(running, &mut send, step).await,
        };
        drop(permit);
        send.outcome(&self.option, sent)
    }

    fn send_from_elsewhere<'a>(
        self: &'a Arc<Self>,
        running: &'a RunningProducer,
        submission: Submission,
        plan: SendPlan,
    ) -> BoxFuture<'a, SendResult> {
        Box::pin(async move {
            let sending = pin!(async {
                let admitted = self.admit(submission.body_len(), &plan).await?;
                match room_in_batch(running, submission) {
                    Ok((reserved, message)) => {
                        self.send_gathered(running, reserved, message, plan.clone(), admitted).await
                    }
                    Err(submission) => {
                        let (_permit, report) = admitted;
                        self.deliver::<Receipt>(running, submission, plan.clone(), report).await
                    }
                }
            });
            self.within_deadline(running, &plan, sending).await
        })
    }

    /// Sends a message in a batch with others.
    fn send_gathered<'a>(
        self: &'a Arc<Self>,
        running: &'a RunningProducer,
        reserved: Reserved<'a>,
        message: Message,
        plan: SendPlan,
        (permit, report): Admitted<'a>,
    ) -> BoxFuture<'a, SendResult> {
        Box::pin(async move {
            running.preparation(&self.option).check(&message)?;
            let (answer, outcome) = oneshot::channel();
            let sender =
                Sender::new(&plan, report, permit.held_by(self.permits.clone()), Answer::Task(answer));
            self.gather(running, reserved, message, sender);
            outcome.await.unwrap_or_else(|_| Err(abandoned()))
        })
    }
}

/// Room in a batch for what is to be sent, if it is a message that may go with others.
#[expect(clippy::result_large_err, reason = "inlined: the message stays where it is")]
#[inline]
fn room_in_batch(
    running: &RunningProducer,
    submission: Submission,
) -> Result<(Reserved<'_>, Message), Submission> {
    match submission {
        Submission::Message(mut message) => match running.reserve(&mut message) {
            Some(reserved) => Ok((reserved, message)),
            None => Err(Submission::Message(message)),
        },
        other => Err(other),
    }
}
