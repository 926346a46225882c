//! Errors, and whether the message is stored.
//!
//! - `chain`: an error and its causes in one line.
//! - `codes`: the response codes that are worth another attempt.
//! - `context`, `attempts`: the failed operation, its topic, its attempts, and where the time went.
//! - `display`, `debug`: the line that an error prints, and its fields.
//! - `fan_out`: the failures of several servers.
//! - `outcome`: *not stored* or *maybe stored*.

mod attempts;
mod chain;
mod codes;
mod context;
mod debug;
mod display;
mod fan_out;
mod outcome;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

pub use rocketmq_common::compression::{CompressError, DecompressError, UnknownCompressionType};
pub use rocketmq_common::message_batch::BatchError;
pub use rocketmq_common::offset_msg_id::OffsetMsgIdError;
pub use rocketmq_common::record::{RecordError, RecordProblem};
pub use rocketmq_common::validators::{NameError, NameRule, Named};
pub use rocketmq_common::{PropertyError, PropertyProblem};
pub use rocketmq_remoting::client::RemotingError;
#[cfg(feature = "tls")]
pub use rocketmq_remoting::net::tls::{TlsConfigError, TlsError};
pub use rocketmq_remoting::net::{CallError, ConnectionEnd, DialError};
pub use rocketmq_remoting::protocol::body::BodyError;
pub use rocketmq_remoting::protocol::{EncodeError, FrameError, HeaderError, PeerHint, ResponseCode};

use crate::model::{MessageQueue, SendResult};
pub use attempts::{Attempt, NameServerAnswer, SendReport};
pub use chain::with_causes;
pub(crate) use codes::is_retryable;
pub use context::Context;
pub use fan_out::Failure;
pub use outcome::Outcome;

/// An error of any type, shared so that an [`MQClientError`] can be cloned. `source.downcast_ref::<T>()` returns it
/// with its type.
///
/// ```
/// use rocketmq_client::Error;
/// use rocketmq_client::error::PropertyError;
///
/// fn bad_property(error: &Error) -> Option<&PropertyError> {
///     match error {
///         Error::MessageIllegal { source, .. } => source.downcast_ref(),
///         _ => None,
///     }
/// }
/// # assert!(bad_property(&Error::NoRuntime).is_none());
/// ```
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// Any failure of this client. Java: `MQClientException`, `MQBrokerException`, `RemotingException` and their
/// subclasses.
///
/// The variant is the cause of the last attempt; [`attempts`](Self::attempts) lists all attempts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # use rocketmq_client::{model::Message, producer::Producer};
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// let error = producer.send(Message::new("TopicTest", "")).await.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "illegal message for topic TopicTest: the body is empty: a broker stores no message without one"
/// );
/// assert!(!error.is_retryable());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum MQClientError {
    /// `start` was not called, or has not finished.
    NotStarted {
        /// The kind of client.
        client: &'static str,
    },
    /// `start` was called a second time.
    AlreadyStarted {
        /// The kind of client.
        client: &'static str,
    },
    /// `shutdown` was called. A client does not start again: make a new one.
    ShutDown {
        /// The kind of client.
        client: &'static str,
    },
    /// The call is outside a tokio runtime.
    NoRuntime,
    /// An option has an invalid value.
    InvalidOption {
        /// The name of the option: its setter without `set_`.
        option: &'static str,
        /// The reason, and the valid values.
        reason: String,
    },
    /// An argument, such as an id, is malformed.
    InvalidArgument {
        /// The name of the argument.
        argument: &'static str,
        /// The reason.
        source: SharedError,
    },
    /// The message cannot be sent in this form; nothing was tried.
    MessageIllegal {
        /// The reason: an error of this client, or the error that a
        /// [hook](crate::hook::CheckForbiddenHook) returned.
        source: SharedError,
        /// The operation and the topic.
        context: Box<Context>,
    },
    /// A value cannot be written as JSON, or JSON cannot be read as a value; no message was sent. `?` makes it in a
    /// function that serializes and sends, so that the function needs only one error type.
    Json {
        /// The error of serde.
        source: Arc<serde_json::Error>,
    },
    /// No NameServer answered.
    NameServerUnreachable {
        /// Each NameServer that was asked, with its error.
        answers: Box<[NameServerAnswer]>,
        /// The operation that needed the look-up.
        context: Box<Context>,
    },
    /// There is no broker, or no route, for the topic.
    BrokerNotFound {
        /// The topic.
        topic: Arc<str>,
        /// Each NameServer that was asked, with its answer.
        answers: Box<[NameServerAnswer]>,
        /// What to do.
        hint: &'static str,
        /// The operation that needed the route.
        context: Box<Context>,
    },
    /// The broker refuses service (code 14): it is starting, shutting down, a slave, or its disk is full.
    ServiceNotAvailable {
        /// The broker's name or address.
        broker: Arc<str>,
        /// The broker's explanation.
        remark: Option<Box<str>>,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// The broker refused with another code.
    Broker {
        /// The broker's name or address.
        broker: Arc<str>,
        /// The response code.
        code: ResponseCode,
        /// The broker's explanation.
        remark: Option<Box<str>>,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// The broker could not be reached, did not answer in time, or its connection ended.
    Remoting {
        /// The broker's name or address.
        broker: Arc<str>,
        /// The reason.
        source: Arc<RemotingError>,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// The deadline passed before a request could be handed to a broker: while it waited for permits, for a
    /// route, or between attempts.
    TimedOut {
        /// The budget.
        timeout: Duration,
        /// The step that was waiting.
        waited_for: &'static str,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// The heartbeat to the request's broker failed, so no reply could have reached this client: the request was not
    /// sent.
    NotRegistered {
        /// The broker's name or address.
        broker: Arc<str>,
        /// The error of the heartbeat.
        source: Arc<RemotingError>,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// The request is stored, but no reply came in time. Java: `RequestTimeoutException`, code 10006.
    NoReply {
        /// The budget of the request.
        timeout: Duration,
        /// The place of the stored request.
        request: Box<SendResult>,
    },
    /// The request is stored and a reply came, but its body cannot be inflated.
    BadReply {
        /// The place of the stored request.
        request: Box<SendResult>,
        /// The fault of the reply.
        source: SharedError,
    },
    /// The producer was shut down, or its runtime ended, while the message was in flight.
    Abandoned {
        /// The operation. Its progress is unknown.
        context: Box<Context>,
    },
    /// The answer of a broker or NameServer cannot be read.
    BadAnswer {
        /// The name or the address of the sender.
        peer: Arc<str>,
        /// The fault of the answer.
        source: SharedError,
        /// The operation and its attempts.
        context: Box<Context>,
    },
    /// A write needs a master, and the broker has none now: its master is down, or its slaves elect a new one.
    NoMaster {
        /// The broker's name.
        broker: Arc<str>,
    },
    /// The settlement of a message from a stream is not confirmed: the message may come again.
    NotSettled {
        /// The consumer group.
        group: Arc<str>,
        /// The queue that the message came from.
        queue: Box<MessageQueue>,
        /// Its offset.
        offset: i64,
        /// What is not confirmed.
        reason: &'static str,
    },
    /// The broker deleted messages of a queue before they were read: its retention time is over, or its disk was full.
    MessagesDeleted {
        /// The queue.
        queue: Box<MessageQueue>,
        /// The offset of the first message that was deleted.
        from: i64,
        /// The offset behind the last one, where reading goes on.
        to: i64,
    },
    /// All of several servers or queues failed; or some failed where all were needed.
    FanOut {
        /// The number of servers or queues asked.
        asked: usize,
        /// The servers or queues that failed, with their errors.
        failures: Box<[Failure]>,
    },
}

/// The context of an error that has one, for reading or for writing.
macro_rules! context_of {
    ($error:expr) => {
        match $error {
            MQClientError::MessageIllegal { context, .. }
            | MQClientError::NameServerUnreachable { context, .. }
            | MQClientError::BrokerNotFound { context, .. }
            | MQClientError::ServiceNotAvailable { context, .. }
            | MQClientError::Broker { context, .. }
            | MQClientError::Remoting { context, .. }
            | MQClientError::TimedOut { context, .. }
            | MQClientError::NotRegistered { context, .. }
            | MQClientError::Abandoned { context }
            | MQClientError::BadAnswer { context, .. } => Some(context),
            _ => None,
        }
    };
}

/// The error of an option with an invalid value.
pub(crate) fn invalid(option: &'static str, reason: impl Into<String>) -> MQClientError {
    MQClientError::InvalidOption { option, reason: reason.into() }
}

impl MQClientError {
    /// Whether the message may be stored: *maybe stored* if any attempt may have stored it. A request without a reply
    /// is certainly stored; `NoReply` names its place.
    pub fn outcome(&self) -> Outcome {
        match (self, self.report()) {
            (MQClientError::NoReply { .. } | MQClientError::BadReply { .. }, _) => Outcome::MaybeStored,
            (_, Some(report)) if report.maybe_stored() => Outcome::MaybeStored,
            _ => Outcome::NotStored,
        }
    }

    /// Whether the client itself retries after such a failure, within its deadline and its number of retries: a later
    /// call may succeed without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            MQClientError::ServiceNotAvailable { .. }
            | MQClientError::TimedOut { .. }
            | MQClientError::NotRegistered { .. }
            | MQClientError::Remoting { .. }
            | MQClientError::NameServerUnreachable { .. }
            | MQClientError::BrokerNotFound { .. }
            | MQClientError::NoMaster { .. } => true,
            MQClientError::FanOut { failures, .. } => {
                failures.iter().all(|failure| failure.error.is_retryable())
            }
            MQClientError::Broker { code, context, .. } => is_retryable(*code) || context.report().lost_queue,
            _ => false,
        }
    }

    /// The broker's response code, if it answered; of several brokers, the code that all failed ones share.
    ///
    /// ```
    /// use rocketmq_client::Error;
    /// use rocketmq_client::error::ResponseCode;
    ///
    /// fn is_denied(error: &Error) -> bool {
    ///     error.response_code() == Some(ResponseCode::NO_PERMISSION)
    /// }
    /// # assert!(!is_denied(&Error::NoRuntime));
    /// ```
    pub fn response_code(&self) -> Option<ResponseCode> {
        match self {
            MQClientError::ServiceNotAvailable { .. } => Some(ResponseCode::SERVICE_NOT_AVAILABLE),
            MQClientError::Broker { code, .. } => Some(*code),
            MQClientError::FanOut { failures, .. } => fan_out::common_code(failures),
            _ => None,
        }
    }

    /// The broker that failed: its name, or its address if the client knows no name.
    pub fn broker(&self) -> Option<&str> {
        match self {
            MQClientError::ServiceNotAvailable { broker, .. }
            | MQClientError::Broker { broker, .. }
            | MQClientError::Remoting { broker, .. }
            | MQClientError::NotRegistered { broker, .. }
            | MQClientError::NoMaster { broker } => Some(broker),
            MQClientError::BadAnswer { peer, .. } => Some(peer),
            MQClientError::NotSettled { queue, .. } | MQClientError::MessagesDeleted { queue, .. } => {
                Some(queue.broker_name())
            }
            _ => self.context()?.queue().map(|queue| queue.broker_name()),
        }
    }

    /// What the client was doing: the operation, its topic, queue and group, the attempts, and where the time went.
    ///
    /// ```
    /// use rocketmq_client::Error;
    ///
    /// fn topic_of(error: &Error) -> Option<&str> {
    ///     error.context().and_then(|context| context.topic())
    /// }
    /// # assert_eq!(topic_of(&Error::NoRuntime), None);
    /// ```
    pub fn context(&self) -> Option<&Context> {
        context_of!(self).map(|context| &**context)
    }

    /// The attempts, in order. Empty if no broker was asked.
    ///
    /// ```
    /// fn log(error: &rocketmq_client::Error) {
    ///     for attempt in error.attempts() {
    ///         println!("{} at {} after {:?}: {}", attempt.queue, attempt.address, attempt.took, attempt.error);
    ///     }
    /// }
    /// # log(&rocketmq_client::Error::NoRuntime);
    /// ```
    pub fn attempts(&self) -> &[Attempt] {
        self.report().map_or(&[], SendReport::attempts)
    }

    /// The course of a send, and where its time went.
    pub fn report(&self) -> Option<&SendReport> {
        self.context().map(Context::report)
    }

    /// Adds the earlier attempts to the error.
    pub(crate) fn with_report(self, full: SendReport) -> Self {
        self.noting(|context| context.report = full)
    }

    /// Adds the operation, unless a place nearer to the failure has set it.
    pub(crate) fn during(self, operation: &'static str) -> Self {
        self.noting(|context| context.operation = context.operation.or(Some(operation)))
    }

    /// Adds the topic of the operation.
    pub(crate) fn of_topic(self, topic: &str) -> Self {
        self.noting(|context| context.topic = Some(topic.into()))
    }

    /// Adds the filter that a broker cannot read, and its topic.
    pub(crate) fn of_filter(mut self, topic: &str, expression: &str) -> Self {
        if let MQClientError::Broker { remark, .. } = &mut self {
            let said = remark.as_deref().unwrap_or("no remark");
            *remark = Some(format!("{said}; the filter is `{expression}`").into());
        }
        self.of_topic(topic)
    }

    /// Adds the queue of the operation.
    pub(crate) fn of_queue(self, queue: &MessageQueue) -> Self {
        self.noting(|context| context.queue = Some(queue.clone()))
    }

    /// Adds the group of the operation.
    pub(crate) fn of_group(self, group: &str) -> Self {
        self.noting(|context| context.group = Some(group.into()))
    }

    fn noting(mut self, note: impl FnOnce(&mut Context)) -> Self {
        if let Some(context) = context_of!(&mut self) {
            note(context);
        }
        self
    }

    /// A message that cannot be sent.
    pub(crate) fn illegal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        MQClientError::MessageIllegal { source: Arc::from(source.into()), context: Box::default() }
    }

    /// An argument that is malformed.
    pub(crate) fn argument(argument: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        MQClientError::InvalidArgument { argument, source: Arc::from(source.into()) }
    }

    /// An answer that cannot be read.
    pub(crate) fn bad_answer(
        peer: impl Into<Arc<str>>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        MQClientError::BadAnswer {
            peer: peer.into(),
            source: Arc::from(source.into()),
            context: Box::default(),
        }
    }

    /// A reply that cannot be read.
    pub(crate) fn bad_reply(request: Box<SendResult>, source: Box<dyn Error + Send + Sync>) -> Self {
        MQClientError::BadReply { request, source: Arc::from(source) }
    }

    /// The error of an answer with this code.
    pub(crate) fn refused(broker: Arc<str>, code: ResponseCode, remark: &str) -> Self {
        MQClientError::Broker { broker, code, remark: Some(remark.into()), context: Box::default() }
    }

    /// The error of one request to a broker that refused it or did not answer.
    pub(crate) fn from_remoting(broker: &str, error: RemotingError) -> Self {
        let (broker, context) = (Arc::from(broker), Box::default());
        match error {
            RemotingError::Refused { code, remark, .. } => {
                let remark = remark.map(|text| Box::from(&*text));
                if code == ResponseCode::SERVICE_NOT_AVAILABLE {
                    MQClientError::ServiceNotAvailable { broker, remark, context }
                } else {
                    MQClientError::Broker { broker, code, remark, context }
                }
            }
            RemotingError::BadAnswer { source, .. } => MQClientError::bad_answer(broker, source),
            RemotingError::Call { source: CallError::BadAnswer(source), .. } => {
                MQClientError::BadAnswer { peer: broker, source, context }
            }
            other => MQClientError::Remoting { broker, source: Arc::new(other), context },
        }
    }
}

impl From<serde_json::Error> for MQClientError {
    fn from(source: serde_json::Error) -> Self {
        MQClientError::Json { source: Arc::new(source) }
    }
}
