//! Messages that are delivered if, and only if, a local transaction commits.

use std::ops::Deref;
use std::sync::Arc;

use rocketmq_common::OffsetMsgId;
use rocketmq_common::message_const as names;
use rocketmq_remoting::protocol::header::EndTransactionRequestHeader;
use tokio::time::Instant;

use super::default_mq_producer::{Producer, ProducerBuilder};
use super::default_mq_producer_impl::{DefaultMQProducerImpl, RunningProducer};
use super::send_options::SendOptions;
use super::transaction::{Decision, DynListener, LocalTransactionState, TransactionListener};
use super::wire::Submission;
use crate::client::MQClient;
use crate::conf::ProducerOption;
use crate::error::{MQClientError, with_causes};
use crate::life_cycle::ShutdownReport;
use crate::model::{Message, SendResult, SendStatus};
use crate::trace::{EndOfTransaction, TraceRecord};

/// Java's name of [`TransactionProducer`].
pub type TransactionMQProducer = TransactionProducer;

/// Sends messages that are delivered if, and only if, a local transaction commits. Java: `TransactionMQProducer`.
///
/// [`send_in_transaction`](Self::send_in_transaction) stores the message as a half message that no consumer sees, lets
/// the [`TransactionListener`] run the local transaction, and tells the broker its state. If the broker hears nothing,
/// or "unknown", it asks any producer of the group, even after a restart of the producer. [`producer`](Self::producer)
/// sends ordinary messages. Clones share everything.
///
/// ```
/// # use rocketmq_client::model::Message;
/// # use rocketmq_client::producer::{LocalTransactionState, TransactionListenerFn, TransactionProducer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// let listener = TransactionListenerFn::new(
///     |_order, _transaction_id| async { Ok(LocalTransactionState::Commit) },
///     |_order| async { Ok(LocalTransactionState::Unknown) },
/// );
/// let producer = TransactionProducer::builder("orders", listener)
///     .name_server_addr(cluster.name_server_addr())
///     .start()
///     .await?;
/// let sent = producer.send_in_transaction(Message::new("Orders", "order 1")).await?;
/// assert_eq!(sent.local_transaction_state, LocalTransactionState::Commit);
/// # producer.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TransactionProducer {
    producer: Producer,
    listener: Arc<dyn DynListener>,
}

/// The place of a half message, and the state of its transaction. Dereferences to the [`SendResult`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionSendResult {
    /// The place of the half message. `message_queue` is the queue for the message; `queue_offset` and `offset_msg_id`
    /// belong to the half message.
    pub send_result: SendResult,
    /// The state of the local transaction. If the half message was stored weakly (a status other than `SendOk`), it is
    /// [`Rollback`](LocalTransactionState::Rollback), and the listener was not called.
    pub local_transaction_state: LocalTransactionState,
    /// Whether the state was sent to the broker: its frame is in the write buffer, one way. If not, the broker will
    /// ask.
    pub end_sent: bool,
}

impl Deref for TransactionSendResult {
    type Target = SendResult;

    fn deref(&self) -> &SendResult {
        &self.send_result
    }
}

// Features that exclude each other.
#[derive(Debug, thiserror::Error)]
#[error(
    "a message of a transaction cannot have a delay level or a timer: the broker would delay the half message. Send \
     it without, or outside a transaction"
)]
struct DelayedHalf;

impl MQClient {
    /// Builds a transaction producer of this client.
    pub fn transaction_producer(
        &self,
        group: impl Into<String>,
        listener: impl TransactionListener,
    ) -> TransactionProducerBuilder {
        TransactionProducerBuilder::new(self.producer(group), listener)
    }
}

impl TransactionProducer {
    /// A producer with these options, which `start` checks. The listener runs and knows its transactions.
    pub fn new(option: ProducerOption, listener: impl TransactionListener) -> Self {
        let listener: Arc<dyn DynListener> = Arc::new(listener);
        let inner = Arc::new(DefaultMQProducerImpl::new(option, Some(listener.clone())));
        Self { producer: Producer { inner }, listener }
    }

    /// Makes and starts a producer in one expression.
    pub fn builder(
        group: impl Into<String>,
        listener: impl TransactionListener,
    ) -> TransactionProducerBuilder {
        TransactionProducerBuilder::new(Producer::builder(group), listener)
    }

    /// Starts the producer, like [`Producer::start`]. From now on brokers can ask about transactions of the group. All
    /// brokers of the topic `create_topic_key` and of the `topics` in the options soon get a heartbeat; other brokers
    /// get it with the first message to them. If the start fails or its future is dropped, `start` may be called again.
    ///
    /// # Errors
    /// The errors of [`Producer::start`].
    pub async fn start(&self) -> Result<(), MQClientError> {
        self.producer.start().await
    }

    /// The producer for ordinary messages and all other calls.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Stores a half message, runs the local transaction, and tells the broker its state once.
    ///
    /// The half message is sent like with [`Producer::send`], with its deadline and retries; the local transaction has
    /// no deadline. Brokers do not notice if a transaction ends twice, so the state is sent once, without a retry: if
    /// it is lost, the broker asks. If an attempt failed with an unknown outcome and a retry stored the half message,
    /// the broker may also ask about the first one.
    ///
    /// Dropping the future leaves the half message stored or not, and drops the local transaction at an await point.
    /// The broker then asks [`check_local_transaction`](TransactionListener::check_local_transaction), which decides.
    ///
    /// # Errors
    /// The half message was not stored, or may not be stored: the local transaction did not run.
    /// [`MQClientError::MessageIllegal`] if the message has a delay level or a timer.
    pub async fn send_in_transaction(
        &self,
        message: Message,
    ) -> Result<TransactionSendResult, MQClientError> {
        let inner = &self.producer.inner;
        let running = inner.running()?;
        let mut half = half_message(message, &running.producer_group)?;
        let submission = Submission::Half(half.clone());
        let sent = inner.send(submission, SendOptions::new()).await?;
        let decision = if sent.send_status == SendStatus::SendOk {
            let transaction_id = sent.transaction_id.as_deref().unwrap_or(&sent.msg_id);
            half.properties_mut().put_reserved(names::UNIQ_KEY, &sent.msg_id);
            half.properties_mut().put_reserved(names::PROPERTY_TRANSACTION_ID, transaction_id);
            self.listener.execute(&half, transaction_id).await
        } else {
            let remark = Some(format!("the half message was stored with status {}", sent.send_status));
            Decision { state: LocalTransactionState::Rollback, remark }
        };
        let ended = inner.end_transaction(running, &half, &sent, &decision).await;
        if let Err(error) = &ended {
            let error = with_causes(&**error);
            tracing::warn!(
                msg_id = sent.msg_id,
                error,
                "the broker is not told how a transaction ended: it will ask"
            );
        }
        Ok(TransactionSendResult {
            send_result: sent,
            local_transaction_state: decision.state,
            end_sent: ended.is_ok(),
        })
    }

    /// Shuts down like [`Producer::shutdown`]. Brokers ask other producers of the group about open transactions.
    /// Dropping the future leaves the producer closed for new messages; call it again to finish.
    ///
    /// # Errors
    /// `NotStarted`.
    pub async fn shutdown(&self) -> Result<ShutdownReport, MQClientError> {
        self.producer.shutdown().await
    }
}

/// Builds a transaction producer.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct TransactionProducerBuilder {
    producer: ProducerBuilder,
    listener: Arc<dyn DynListener>,
}

impl TransactionProducerBuilder {
    pub(crate) fn new(producer: ProducerBuilder, listener: impl TransactionListener) -> Self {
        Self { producer, listener: Arc::new(listener) }
    }

    /// The NameServers, as `host:port;host:port`.
    pub fn name_server_addr(self, addresses: impl Into<String>) -> Self {
        Self { producer: self.producer.name_server_addr(addresses), ..self }
    }

    /// Sets any other option.
    pub fn option(self, change: impl FnOnce(&mut ProducerOption)) -> Self {
        Self { producer: self.producer.option(change), ..self }
    }

    /// Starts the producer; see [`TransactionProducer::start`].
    ///
    /// # Errors
    /// The errors of [`Producer::start`].
    pub async fn start(self) -> Result<TransactionProducer, MQClientError> {
        let Self { producer, listener } = self;
        let producer = producer.build(Some(listener.clone()))?;
        producer.start().await?;
        Ok(TransactionProducer { producer, listener })
    }
}

impl DefaultMQProducerImpl {
    /// Tells the broker that stored the half message the state of its transaction (37).
    async fn end_transaction(
        &self,
        running: &RunningProducer,
        half: &Message,
        sent: &SendResult,
        decision: &Decision,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (topic, queue) = (half.topic(), &sent.message_queue);
        let header = EndTransactionRequestHeader {
            topic: Some((&*self.wrap_topic(topic)).into()),
            producer_group: (&*running.producer_group).into(),
            tran_state_table_offset: sent.queue_offset,
            commit_log_offset: OffsetMsgId::parse(&sent.offset_msg_id)?.commit_log_offset,
            commit_or_rollback: decision.state.wire(),
            from_transaction_check: false,
            msg_id: sent.msg_id.as_str().into(),
            transaction_id: sent.transaction_id.as_deref().map(Into::into),
            broker_name: Some(queue.broker_name().into()),
        };
        let api = running.instance.api();
        let info = self.publish_info(topic).await?;
        let choice = info.find(queue.broker_name(), queue.queue_id());
        let choice = choice.ok_or("the broker that stores the half message is in the route no more")?;
        let connection = api.remoting().connect(choice.address, Instant::now() + api.timeout()).await?;
        api.end_transaction(&connection, &header, decision.remark.as_deref()).await?;
        if let Some(trace) = self.trace() {
            trace.append(TraceRecord::of_end(&EndOfTransaction {
                group: self.option().group_name().unwrap_or_default(),
                message: half,
                msg_id: &sent.msg_id,
                broker_address: choice.address,
                transaction_id: sent.transaction_id.as_deref().unwrap_or(&sent.msg_id),
                state: decision.state.java_name(),
                from_check: false,
            }));
        }
        Ok(())
    }
}

/// The form in which the message is stored until its transaction ends.
fn half_message(mut message: Message, producer_group: &str) -> Result<Message, MQClientError> {
    message.properties_mut().take_off_received();
    let properties = message.properties();
    if properties.contains(names::PROPERTY_DELAY_TIME_LEVEL) || message.is_timer() {
        return Err(MQClientError::illegal(DelayedHalf));
    }
    let properties = message.properties_mut();
    properties.put_reserved(names::PROPERTY_TRANSACTION_PREPARED, "true");
    properties.put_reserved(names::PROPERTY_PRODUCER_GROUP, producer_group);
    Ok(message)
}
