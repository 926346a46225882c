use std::sync::Arc;

use bytestring::ByteString;
use rocketmq_common::message_const::PROPERTY_PRODUCER_GROUP;
use rocketmq_common::record::RecordDecoder;
use rocketmq_common::{MessageExt, namespace};
use rocketmq_remoting::net::{Connection, Responder};
use rocketmq_remoting::protocol::header::{CheckTransactionStateRequestHeader, EndTransactionRequestHeader};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use tokio::sync::{Mutex, mpsc};

use super::listener::DynListener;
use crate::error::with_causes;
use crate::factory::BrokerRequestHandler;
use crate::mq_client_api::MQClientApi;
use crate::trace::{EndOfTransaction, TraceDispatcher, TraceRecord};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A broker's transaction check (39), not decoded yet.
#[derive(Debug)]
pub(in crate::producer) struct TransactionCheck {
    request: RemotingCommand,
    /// The connection for the answer.
    connection: Connection,
}

/// Where the questions for one group wait.
#[derive(Debug)]
struct CheckQueue(mpsc::Sender<TransactionCheck>);

/// A handler that queues transaction checks, and the queue, from which up to `limit` checks are taken at a time.
pub(in crate::producer) fn check_queue(
    limit: u32,
) -> ((RequestCode, Arc<dyn BrokerRequestHandler>), mpsc::Receiver<TransactionCheck>) {
    let (checks, waiting) = mpsc::channel(limit as usize);
    ((RequestCode::CHECK_TRANSACTION_STATE, Arc::new(CheckQueue(checks))), waiting)
}

impl BrokerRequestHandler for CheckQueue {
    /// Queues a check. If the queue is full, the check is dropped: the broker asks again.
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let connection = responder.connection().clone();
        if let Err(error) = self.0.try_send(TransactionCheck { request, connection }) {
            let broker = responder.connection().peer();
            let reason = match error {
                mpsc::error::TrySendError::Full(_) => "too many wait: see check_request_hold_max",
                mpsc::error::TrySendError::Closed(_) => "the producer is not ready, or shut down",
            };
            tracing::warn!(%broker, reason, "a question about a transaction is dropped; the broker asks again");
        }
    }
}

/// Answers transaction checks. Java: `DefaultMQProducerImpl.checkTransactionState`.
#[derive(Debug)]
pub(in crate::producer) struct Checker {
    pub(in crate::producer) api: Arc<MQClientApi>,
    pub(in crate::producer) listener: Arc<dyn DynListener>,
    /// The group, under its name at brokers.
    pub(in crate::producer) producer_group: Arc<str>,
    pub(in crate::producer) namespace: Option<String>,
    pub(in crate::producer) trace: Option<Arc<TraceDispatcher>>,
    pub(in crate::producer) waiting: Mutex<mpsc::Receiver<TransactionCheck>>,
}

impl Checker {
    /// Answers one check after the other; several tasks share the queue.
    pub(in crate::producer) async fn work(self: Arc<Self>) {
        loop {
            let next = self.waiting.lock().await.recv().await;
            let Some(check) = next else { return };
            if let Err(error) = self.answer(&check).await {
                let broker = check.connection.peer();
                tracing::warn!(%broker, error = with_causes(&*error), "a question about a transaction is not answered");
            }
        }
    }

    /// Sends the answer on the connection of the check, with the position that the check names: the broker has stored
    /// the half message again before it asked.
    async fn answer(&self, check: &TransactionCheck) -> Result<(), BoxError> {
        let header: CheckTransactionStateRequestHeader = check.request.header()?;
        let message = self.half_message(check, &header)?;
        let group = message.property(PROPERTY_PRODUCER_GROUP);
        if group != Some(&*self.producer_group) {
            tracing::debug!(group, "a question about a transaction of another group");
            return Ok(());
        }
        let decision = self.listener.check(&message).await;
        let msg_id = message.unique_key().map(ByteString::from).or(header.msg_id).unwrap_or_default();
        let end = EndTransactionRequestHeader {
            topic: header.topic,
            producer_group: (&*self.producer_group).into(),
            tran_state_table_offset: header.tran_state_table_offset,
            commit_log_offset: header.commit_log_offset,
            commit_or_rollback: decision.state.wire(),
            from_transaction_check: true,
            msg_id,
            transaction_id: header.transaction_id,
            broker_name: header.broker_name,
        };
        self.api.end_transaction(&check.connection, &end, decision.remark.as_deref()).await?;
        if let Some(trace) = &self.trace {
            let namespace = self.namespace.as_deref().unwrap_or_default();
            trace.append(TraceRecord::of_end(&EndOfTransaction {
                group: &namespace::without_namespace(&self.producer_group, namespace),
                message: &message,
                msg_id: &end.msg_id,
                broker_address: check.connection.peer(),
                transaction_id: end.transaction_id.as_deref().unwrap_or(&end.msg_id),
                state: decision.state.java_name(),
                from_check: true,
            }));
        }
        Ok(())
    }

    /// The half message, under the user's name for the topic.
    fn half_message(
        &self,
        check: &TransactionCheck,
        header: &CheckTransactionStateRequestHeader,
    ) -> Result<MessageExt, BoxError> {
        let record = RecordDecoder::new(check.request.body.clone()).next();
        let mut message = record.ok_or("the half message is missing")??;
        if let Some(namespace) = &self.namespace {
            let topic = namespace::without_namespace(message.topic(), namespace).into_owned();
            message.set_topic(topic);
        }
        if let Some(broker) = &header.broker_name {
            message.set_broker_name(&**broker);
        }
        Ok(message)
    }
}
