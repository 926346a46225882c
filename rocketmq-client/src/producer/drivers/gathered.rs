use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::PreparedSend;
use crate::error::MQClientError;
use crate::model::{Message, MessageBatch, SendResult};
use crate::producer::accumulator::{
    Accumulator, Answer, GatheredBatch, Member, Reserved, Sender, outcome_of_each,
};
use crate::producer::default_mq_producer_impl::{DefaultMQProducerImpl, RunningProducer};
use crate::producer::machine::SendPlan;
use crate::producer::permits::{Permit, Permits};
use crate::producer::wire::{Receipt, Submission};

impl DefaultMQProducerImpl {
    /// Adds a message to a batch, in its reserved room.
    pub(super) fn gather(
        self: &Arc<Self>,
        running: &RunningProducer,
        reserved: Reserved<'_>,
        PreparedSend { prepared, machine }: PreparedSend<Receipt>,
        permit: Permit<Arc<Permits>>,
        answer: Answer,
    ) -> Result<(), MQClientError> {
        running.preparation(&self.option).check(&prepared.message)?;
        let (plan, report) = machine.into_plan();
        if let Some(full) = reserved.join(prepared.message, Sender::new(plan, report, permit, answer)) {
            send_batch(self, running, full);
        }
        Ok(())
    }

    async fn send_together(&self, running: &RunningProducer, members: Vec<Member>, began: Instant) {
        let (messages, senders): (Vec<_>, Vec<_>) = members.into_iter().map(Member::split).unzip();
        let Some((first, _)) = senders.first() else { return };
        let plan = SendPlan { began, is_gathered: true, ..first.plan.clone() };
        let id = |message: &Message| message.unique_key().unwrap_or_default().to_owned();
        let ids = messages.iter().map(id).collect();
        let sent: Result<SendResult, _> = match MessageBatch::new(messages) {
            Ok(batch) => {
                self.deliver::<Receipt>(running, PreparedSend::new(Submission::Batch(batch), plan, None))
                    .await
            }
            Err(error) => Err(MQClientError::illegal(error)),
        };
        let outcomes = outcome_of_each(sent, ids, senders.iter().map(|(sender, _)| &sender.report));
        for (own, (sender, room)) in outcomes.into_iter().zip(senders) {
            if let Ok(own) = &own {
                sender.plan.span.has_id(&own.msg_id);
            }
            self.note(&own, &sender.plan, Instant::now());
            drop(room);
            sender.finish(own);
        }
    }
}

/// Sends each batch when it is due. Runs as long as the producer.
pub(in crate::producer) async fn send_due_batches(
    accumulator: Arc<Accumulator>,
    producer: Weak<DefaultMQProducerImpl>,
) {
    loop {
        let (due, next) = accumulator.take_due(Instant::now());
        if !due.is_empty() {
            let Some(producer) = producer.upgrade() else { return };
            let Some(running) = producer.started() else { return };
            due.into_iter().for_each(|batch| send_batch(&producer, running, batch));
        }
        accumulator.opened_or(next).await;
    }
}

/// Sends a batch in a task of its own: a slow broker then delays no other batch, and a dropped future stops no other
/// sender.
pub(in crate::producer) fn send_batch(
    producer: &Arc<DefaultMQProducerImpl>,
    running: &RunningProducer,
    batch: GatheredBatch,
) {
    running.tasks.spawn(send(producer.clone(), batch));
}

async fn send(producer: Arc<DefaultMQProducerImpl>, batch: GatheredBatch) {
    let Some(running) = producer.started() else { return };
    let (began, mut members) = (batch.began(), batch.items);
    members.retain(Member::is_wanted);
    members.iter_mut().for_each(|member| member.note_wait(Instant::now()));
    if members.len() > 1 {
        return producer.send_together(running, members, began).await;
    }
    if let Some((message, (mut sender, room))) = members.pop().map(Member::split) {
        let (plan, report) = (sender.plan.clone(), Some(Box::new(std::mem::take(&mut sender.report))));
        let send = PreparedSend::<Receipt>::new(Submission::Message(message), plan, report);
        let sent = producer.deliver(running, send).await;
        drop(room);
        sender.finish(sent);
    }
}
