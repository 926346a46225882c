use std::pin::Pin;
use std::sync::Arc;

use super::ShutdownReport;
use super::accumulator::Reserved;
use super::callback::Blocked;
use super::default_mq_producer_impl::{DefaultMQProducerImpl, Outgoing, Running};
use super::send::Admitted;
use super::sending::{Onward, SendPlan, Sending};
use crate::error::MQClientError;
use crate::factory::TopicPublishInfo;
use crate::model::{Message, RecallResult, SendResult};

/// A future in a box, of which nobody outside needs to know the code.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MQClientError>> + Send + 'a>>;

/// What is not on the way of every awaited or called-back message, in boxes.
///
/// The code of an async function is compiled where it is polled: in every program that uses this crate, again and again.
/// That of a future which a plain function puts into a box of this type is compiled here, once. And what is in a box
/// makes no other future larger.
impl DefaultMQProducerImpl {
    pub(super) fn boxed_start(self: &Arc<Self>) -> BoxFuture<'_, ()> {
        Box::pin(self.start())
    }

    pub(crate) fn boxed_shutdown(self: &Arc<Self>) -> BoxFuture<'_, ShutdownReport> {
        Box::pin(self.shutdown())
    }

    pub(super) fn boxed_publish_info<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Arc<TopicPublishInfo>> {
        Box::pin(self.publish_info(topic))
    }

    pub(super) fn boxed_wait_for_permit<'a: 'b, 'b>(
        &'a self,
        body: usize,
        plan: &'b SendPlan,
    ) -> BoxFuture<'b, Admitted<'a>> {
        Box::pin(self.wait_for_permit(body, plan))
    }

    pub(super) fn boxed_send_from_elsewhere<'a>(
        self: &'a Arc<Self>,
        running: &'a Running,
        outgoing: Outgoing,
        plan: SendPlan,
    ) -> BoxFuture<'a, SendResult> {
        Box::pin(self.send_from_elsewhere(running, outgoing, plan))
    }

    pub(super) fn boxed_send_gathered<'a>(
        self: &'a Arc<Self>,
        running: &'a Running,
        reserved: Reserved<'a>,
        outgoing: Outgoing,
        plan: SendPlan,
        admitted: Admitted<'a>,
    ) -> BoxFuture<'a, SendResult> {
        Box::pin(self.send_gathered(running, reserved, outgoing, plan, admitted))
    }

    pub(super) fn boxed_deliver_prepared<'a>(
        &'a self,
        running: &'a Running,
        sending: &'a mut Sending,
        onward: Onward,
    ) -> BoxFuture<'a, Option<SendResult>> {
        Box::pin(self.deliver_prepared(running, sending, onward))
    }

    pub(super) fn boxed_unblocked<'a>(&'a self, running: &'a Running, blocked: Blocked) -> BoxFuture<'a, ()> {
        Box::pin(self.unblocked(running, blocked))
    }

    pub(super) fn boxed_send_oneway(self: &Arc<Self>, message: Message) -> BoxFuture<'_, ()> {
        Box::pin(self.send_oneway(message))
    }

    pub(super) fn boxed_request(&self, message: Message, timeout_ms: u64) -> BoxFuture<'_, Message> {
        Box::pin(self.request(message, timeout_ms))
    }

    pub(super) fn boxed_recall<'a>(
        &'a self,
        topic: &'a str,
        recall_handle: &'a str,
    ) -> BoxFuture<'a, RecallResult> {
        Box::pin(self.recall(topic, recall_handle))
    }
}
