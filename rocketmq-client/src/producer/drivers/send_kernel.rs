use std::borrow::Cow;
use std::collections::HashMap;
use std::slice;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::protocol::{CommandRef, RemotingCommand};
use tokio::time::Instant;

use super::PreparedSend;
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::hook::{SendMessageContext, SendMessageOutcome};
use crate::model::SendStatus;
use crate::model::{MessageQueue, SendResult};
use crate::mq_client_api::MQClientApi;
use crate::producer::default_mq_producer_impl::{DefaultMQProducerImpl, RunningProducer};
use crate::producer::machine::{Delivery, QueueAttempt, Written};
use crate::producer::wire::{Prepared, Receipt, SendAnswer, SendHeader};

/// A kind of delivery: how its requests are exchanged, and the result for the caller.
pub(super) trait Deliver: Delivery + Sized + Send + Sync {
    type Answer: Send + Sync;
    type Outcome;

    fn exchange(
        api: &MQClientApi,
        address: &str,
        request: &CommandRef<'_, SendHeader<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Answer, RemotingError>> + Send;

    /// Reads the answer of a queue's broker, at this address.
    fn read(
        answer: &Self::Answer,
        prepared: &Prepared,
        queue: &MessageQueue,
        address: &str,
    ) -> Result<Self, MQClientError>;

    /// The result that hooks see.
    fn result(&self, option: &ProducerOption, prepared: &Prepared) -> Option<SendResult>;

    fn into_outcome(self, option: &ProducerOption, prepared: &Prepared) -> Self::Outcome;
}

impl Deliver for Receipt {
    type Answer = RemotingCommand;
    type Outcome = SendResult;

    fn exchange(
        api: &MQClientApi,
        address: &str,
        request: &CommandRef<'_, SendHeader<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Answer, RemotingError>> + Send {
        api.send_message(address, request, deadline)
    }

    fn read(
        answer: &Self::Answer,
        prepared: &Prepared,
        queue: &MessageQueue,
        address: &str,
    ) -> Result<Self, MQClientError> {
        Self::read(SendAnswer::Apart(answer), prepared, queue, address)
    }

    fn result(&self, option: &ProducerOption, prepared: &Prepared) -> Option<SendResult> {
        Some(self.clone().into_result(option, prepared))
    }

    fn into_outcome(self, option: &ProducerOption, prepared: &Prepared) -> SendResult {
        self.into_result(option, prepared)
    }
}

impl Delivery for Receipt {
    #[inline]
    fn is_weak(&self) -> bool {
        self.status != SendStatus::SendOk
    }
}

impl Deliver for Written {
    type Answer = ();
    type Outcome = ();

    fn exchange(
        api: &MQClientApi,
        address: &str,
        request: &CommandRef<'_, SendHeader<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), RemotingError>> + Send {
        api.send_message_oneway(address, request, deadline)
    }

    fn read((): &(), _: &Prepared, _: &MessageQueue, _: &str) -> Result<Self, MQClientError> {
        Ok(Self)
    }

    fn result(&self, _: &ProducerOption, _: &Prepared) -> Option<SendResult> {
        None
    }

    fn into_outcome(self, _: &ProducerOption, _: &Prepared) {}
}

impl DefaultMQProducerImpl {
    /// Makes one attempt to send a prepared message to one queue, with the hooks around it. Java: `sendKernelImpl`.
    pub(super) async fn send_kernel_impl<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<T>,
        attempt: &QueueAttempt,
    ) -> Result<T, MQClientError> {
        let (hooks, prepared, choice) = (self.option.hooks(), &send.prepared, attempt.choice());
        if !hooks.watch_sends() {
            // Most producers have no hooks: skip the context, which allocates.
            return self.exchange(running, send, attempt).await;
        }
        let mut context = SendMessageContext {
            producer_group: self.option.group_name().unwrap_or_default(),
            message: &prepared.message,
            messages: match &prepared.batch {
                Some(batch) => batch.messages(),
                None => slice::from_ref(&prepared.message),
            },
            msg_id: prepared.msg_id(),
            body_length: prepared.body().len(),
            queue: choice.queue,
            broker_address: choice.address,
            mode: send.machine.plan().mode,
            message_type: prepared.message_type,
            extensions: HashMap::new(),
        };
        for hook in &hooks.forbidden {
            hook.check_forbidden(&context).map_err(MQClientError::illegal)?;
        }
        for hook in &hooks.send {
            hook.send_message_before(&mut context);
        }
        let began = Instant::now();
        let sent = self.exchange(running, send, attempt).await;
        let took = began.elapsed();
        // Made only for hooks: without them the texts of a result are made once, at the end.
        let result = sent.as_ref().map(|sent| sent.result(&self.option, prepared));
        let outcome =
            SendMessageOutcome { result: result.as_ref().map(Option::as_ref).map_err(|error| *error), took };
        for hook in &hooks.send {
            hook.send_message_after(&context, &outcome);
        }
        sent
    }

    async fn exchange<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<T>,
        attempt: &QueueAttempt,
    ) -> Result<T, MQClientError> {
        let (prepared, choice) = (&send.prepared, attempt.choice());
        let properties = prepared.properties();
        let header = self.header(running, prepared, attempt, &properties);
        let request = CommandRef::request(header.code(), &header).with_body(prepared.body());
        let address = dialled_address(&self.option, choice.address);
        let deadline = send.machine.attempt_deadline(attempt);
        let answer = T::exchange(running.instance.api(), &address, &request, deadline).await;
        let answer = answer.map_err(|error| MQClientError::from_remoting(attempt.broker(), error))?;
        T::read(&answer, prepared, choice.queue, choice.address)
    }

    /// The header of an attempt, with all properties in their wire form.
    #[inline]
    pub(super) fn header<'a>(
        &'a self,
        running: &'a RunningProducer,
        prepared: &Prepared,
        attempt: &'a QueueAttempt,
        properties: &'a [&'a str],
    ) -> SendHeader<'a> {
        let (group, route) = (&running.producer_group, attempt.route());
        SendHeader::new(&self.option, group, route, attempt.choice(), prepared, properties)
    }
}

/// The address to dial for messages to the broker at this address.
pub(super) fn dialled_address<'a>(option: &ProducerOption, address: &'a str) -> Cow<'a, str> {
    let vip = option.vip_channel_enabled().then(|| vip_channel(address)).flatten();
    vip.map_or(Cow::Borrowed(address), Cow::Owned)
}

/// The address of a broker's VIP channel: its port minus two. Java: `MixAll.brokerVIPChannel`.
fn vip_channel(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(format!("{host}:{}", port.checked_sub(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vip_channel_is_two_ports_below() {
        assert_eq!(vip_channel("10.0.0.1:10911").as_deref(), Some("10.0.0.1:10909"));
        assert_eq!(vip_channel("[::1]:10911").as_deref(), Some("[::1]:10909"));
        assert_eq!(vip_channel("host:1"), None);
    }
}
