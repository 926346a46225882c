use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::PreparedSend;
use super::admission::abandoned;
use crate::error::MQClientError;
use crate::hook::CommunicationMode;
use crate::model::SendResult;
use crate::producer::accumulator::{Answer, Reserved};
use crate::producer::default_mq_producer_impl::{
    BoxFuture, DefaultMQProducerImpl, RunningProducer, current_runtime,
};
use crate::producer::machine::{SendPlan, SendStep};
use crate::producer::permits::{Permit, Permits};
use crate::producer::send_options::SendOptions;
use crate::producer::wire::{Receipt, Submission};

impl DefaultMQProducerImpl {
    /// Waits for a permit, then sends. The permit is held until the outcome is known.
    ///
    /// Each sending task holds this future: rare steps are boxed to keep it small, the shortcut is not.
    pub(in crate::producer) async fn send(
        self: &Arc<Self>,
        mut submission: Submission,
        options: SendOptions,
    ) -> Result<SendResult, MQClientError> {
        let running = self.running()?;
        let mut plan =
            SendPlan { messages: submission.messages(), ..self.plan(CommunicationMode::Sync, options) };
        let runtime = current_runtime()?;
        self.begin_span(running, &mut plan, &mut submission);
        if running.is_elsewhere(runtime) {
            // Rare, and needs a timer of its own: boxed, so that the usual future stays small.
            return self.send_from_elsewhere(running, submission, plan).await;
        }
        let (permit, report) = self.admit(submission.body_len(), &plan).await?;
        let mut send = PreparedSend::new(submission, plan, report);
        if let Some(reserved) = send.prepared.as_message().and_then(|message| running.reserve(message)) {
            return self.send_gathered(running, reserved, send, permit).await;
        }
        self.make_ready(running, &mut send)?;
        let step = match self.begin_at_once(running, &mut send) {
            Ok((attempt, connection)) => self.attempt_at_once(running, &mut send, attempt, &connection).await,
            Err(step) => step,
        };
        let sent = match step {
            SendStep::Done(outcome) => outcome,
            step => self.send_default_impl(running, &mut send, step).await,
        };
        // Return the permit before the texts of the result are made: another send can start.
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
                let (permit, report) = self.admit(submission.body_len(), &plan).await?;
                let mut send = PreparedSend::<Receipt>::new(submission, plan.clone(), report);
                match send.prepared.as_message().and_then(|message| running.reserve(message)) {
                    Some(reserved) => self.send_gathered(running, reserved, send, permit).await,
                    None => self.deliver(running, send).await,
                }
            });
            self.within_deadline(running, &plan, sending).await
        })
    }

    /// Sends a message as part of a gathered batch.
    fn send_gathered<'a>(
        self: &'a Arc<Self>,
        running: &'a RunningProducer,
        reserved: Reserved<'a>,
        send: PreparedSend<Receipt>,
        permit: Permit<&'a Permits>,
    ) -> BoxFuture<'a, SendResult> {
        Box::pin(async move {
            let (answer, outcome) = oneshot::channel();
            let permit = permit.held_by(self.permits.clone());
            self.gather(running, reserved, send, permit, Answer::Task(answer))?;
            outcome.await.unwrap_or_else(|_| Err(abandoned()))
        })
    }
}
