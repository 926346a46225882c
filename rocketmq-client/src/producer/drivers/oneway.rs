use std::pin::pin;
use std::sync::Arc;

use super::PreparedSend;
use crate::hook::CommunicationMode;
use crate::model::Message;
use crate::producer::default_mq_producer_impl::{BoxFuture, DefaultMQProducerImpl};
use crate::producer::machine::Written;
use crate::producer::send_options::SendOptions;
use crate::producer::wire::Submission;

impl DefaultMQProducerImpl {
    /// Sends without an answer. Java: `DefaultMQProducerImpl.sendOneway`.
    pub(in crate::producer) fn send_oneway(self: &Arc<Self>, mut message: Message) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let running = self.running()?;
            let mut plan = self.plan(CommunicationMode::Oneway, SendOptions::new());
            self.begin_span_of(running, &mut plan, &mut message, false);
            let sending = pin!(async {
                let (_permit, report) = self.admit(message.body().len(), &plan).await?;
                let send = PreparedSend::<Written>::new(Submission::Message(message), plan.clone(), report);
                self.deliver(running, send).await
            });
            self.within_deadline(running, &plan, sending).await
        })
    }
}
