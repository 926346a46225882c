use std::pin::pin;
use std::sync::Arc;

use rocketmq_common::message_const as names;
use rocketmq_common::{Message, MessageProperties, MessageSysFlag, compression, mix_all};
use tokio::time::{Instant, timeout_at};

use super::PreparedSend;
use super::admission::abandoned;
use crate::clock::now_ms;
use crate::error::MQClientError;
use crate::factory::{PendingReply, PushedReply};
use crate::hook::CommunicationMode;
use crate::model::SendResult;
use crate::producer::default_mq_producer_impl::{BoxFuture, DefaultMQProducerImpl, RunningProducer};
use crate::producer::machine::SendPlan;
use crate::producer::send_options::SendOptions;
use crate::producer::wire::{Receipt, Submission};
use crate::waiting::run_blocking;

/// From this size on, a body may inflate to so many bytes that other tasks of the thread would wait.
const INFLATE_ELSEWHERE_FROM: usize = 16 * 1024;

/// The largest part of a request's time for telling other brokers about this client, unless the request goes to such a
/// broker.
const PART_FOR_OTHER_BROKERS: u32 = 4;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl DefaultMQProducerImpl {
    /// Sends a request and waits for its reply. Java: `DefaultMQProducerImpl.request`.
    pub(in crate::producer) fn request(&self, message: Message, timeout_ms: u64) -> BoxFuture<'_, Message> {
        Box::pin(self.request_and_wait(message, timeout_ms))
    }

    async fn request_and_wait(
        &self,
        mut message: Message,
        timeout_ms: u64,
    ) -> Result<Message, MQClientError> {
        let running = self.running()?;
        let options = SendOptions::new().timeout(timeout_ms);
        let mut plan = SendPlan { wants_reply: true, ..self.plan(CommunicationMode::Sync, options) };
        let correlation_id: Arc<str> = Arc::from(running.ids.next(now_ms()).as_str());
        let properties = message.properties_mut();
        properties.take_off_received();
        properties.put_reserved(names::PROPERTY_CORRELATION_ID, &correlation_id);
        properties.put_reserved(names::PROPERTY_MESSAGE_REPLY_TO_CLIENT, running.instance.client_id());
        properties.put_reserved(names::PROPERTY_MESSAGE_TTL, &timeout_ms.to_string());
        self.begin_span_of(running, &mut plan, &mut message, false);
        running.preparation(&self.option).check(&message)?;
        let exchange = pin!(async {
            let (mut permit, report) = self.admit(message.body().len(), &plan).await?;
            // Register after the admission: the permits bound the number of waiting requests.
            let mut pending = running.instance.wait_for_reply(correlation_id);
            self.reach_brokers(running, message.topic(), &plan).await;
            let send = PreparedSend::<Receipt>::new(Submission::Message(message), plan.clone(), report);
            let sent = self.deliver(running, send).await;
            permit.release_bytes();
            tokio::select! {
                reply = reply_to(sent, &mut pending, &plan) => reply,
                // A shared client lives on when this producer ends, so the producer's end must be watched here.
                () = running.tasks.stopped() => Err(abandoned()),
            }
        });
        self.within_deadline(running, &plan, exchange).await
    }

    /// Tells all brokers that may push the reply about this client: the replier may send it to any broker of the
    /// request's cluster. A failure is reported only if the request goes to that broker; otherwise the replier gets an
    /// error from the broker and tries another one.
    async fn reach_brokers(&self, running: &RunningProducer, topic: &str, plan: &SendPlan) {
        let part = Instant::now() + plan.timeout / PART_FOR_OTHER_BROKERS;
        let deadline = part.min(plan.deadline());
        let Ok(info) = self.publish_info(topic).await else { return };
        let mut masters: Vec<Arc<str>> = info.masters().cloned().collect();
        let mut clusters: Vec<&str> =
            info.route().broker_datas.iter().map(|data| data.cluster.as_str()).collect();
        clusters.sort_unstable();
        clusters.dedup();
        for cluster in clusters.into_iter().filter(|cluster| !cluster.is_empty()) {
            let reply_topic = mix_all::reply_topic(cluster);
            if let Ok(info) = running.routes.find(&reply_topic, plan.timeout, deadline).await {
                masters.extend(info.masters().cloned());
            }
        }
        masters.sort_unstable();
        masters.dedup();
        running.instance.reach_all(masters, deadline).await;
    }
}

/// Waits for the reply, given the outcome of the send.
async fn reply_to(
    sent: Result<SendResult, MQClientError>,
    pending: &mut PendingReply,
    plan: &SendPlan,
) -> Result<Message, MQClientError> {
    let request = match (sent, pending.try_reply()) {
        (Ok(request), None) => Box::new(request),
        (Ok(request), Some(reply)) => {
            return into_message(reply, plan.deadline())
                .await
                .map_err(|source| MQClientError::bad_reply(Box::new(request), source));
        }
        // The reply proves that the request was stored, although the answer to its send was lost.
        (Err(error), Some(reply)) => return into_message(reply, plan.deadline()).await.map_err(|_| error),
        (Err(error), None) => return Err(error),
    };
    match timeout_at(plan.deadline(), pending.reply()).await {
        Ok(Some(reply)) => into_message(reply, plan.deadline())
            .await
            .map_err(|source| MQClientError::bad_reply(request, source)),
        Ok(None) => Err(abandoned()),
        Err(_) => Err(MQClientError::NoReply { timeout: plan.timeout, request }),
    }
}

/// The reply as a message. Inflating it ends with the deadline, too: threads for such work may be busy.
async fn into_message(reply: PushedReply, deadline: Instant) -> Result<Message, BoxError> {
    let flag = MessageSysFlag::from_bits(reply.header.sys_flag);
    let mut body = reply.body;
    if flag.is_compressed() {
        let kind = flag.compression_type()?;
        let elsewhere = body.len() >= INFLATE_ELSEWHERE_FROM;
        let inflate = move || compression::decompress(kind, &body, compression::DEFAULT_MAX_INFLATED);
        body = if elsewhere { timeout_at(deadline, run_blocking(inflate)).await??? } else { inflate()? };
    }
    let mut properties = MessageProperties::from_wire(reply.header.properties.unwrap_or_default());
    properties.put_reserved(names::PROPERTY_REPLY_MESSAGE_ARRIVE_TIME, &reply.arrived.to_string());
    properties.mark_received();
    Ok(Message::from_parts(reply.header.topic, reply.header.flag, properties, body))
}
