use std::collections::HashMap;
use std::time::Duration;

use crate::error::MQClientError;
use crate::model::{Message, MessageQueue, SendResult};

/// The mode of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommunicationMode {
    /// The caller awaits the result.
    Sync,
    /// A callback gets the result.
    Async,
    /// There is no result.
    Oneway,
}

/// The kind of a message. Java: `MessageType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// An ordinary message.
    Normal,
    /// The half message of a transaction.
    TransactionHalf,
    /// A message that is delivered later, by a delay level or a timer.
    Delay,
}

/// One attempt to send, as hooks see it. Java: `SendMessageContext`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SendMessageContext<'a> {
    /// The producer's group.
    pub producer_group: &'a str,
    /// The message of the caller. For a batch: a message whose body is the encoded batch.
    pub message: &'a Message,
    /// All messages of the request: the message, or the messages of the batch, each with its id.
    pub messages: &'a [Message],
    /// The id, equal in all attempts. For a batch: the ids of its messages, joined by commas.
    pub msg_id: &'a str,
    /// Bytes of the body on the wire, after compression.
    pub body_length: usize,
    /// The queue of this attempt.
    pub queue: &'a MessageQueue,
    /// The broker's address.
    pub broker_address: &'a str,
    /// The mode of the send.
    pub mode: CommunicationMode,
    /// The kind of the message.
    pub message_type: MessageType,
    /// For the hooks' own use: `after` finds the entries that `before` adds.
    pub extensions: HashMap<&'static str, String>,
}

/// How an attempt ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct SendMessageOutcome<'a> {
    /// The result (`None` for a one-way send), or the error.
    pub result: Result<Option<&'a SendResult>, &'a MQClientError>,
    /// The time that the attempt took.
    pub took: Duration,
}

/// Sees every attempt to send before and after. Java: `SendMessageHook`.
///
/// Hooks run on the sending task and should not block. `send_message_after` runs exactly once for each
/// `send_message_before`, even after an error. It does not run if the send's future is dropped in between.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # use rocketmq_client::{model::Message, producer::Producer};
/// use std::sync::Arc;
///
/// use rocketmq_client::hook::{SendMessageContext, SendMessageHook, SendMessageOutcome};
///
/// struct Log;
///
/// impl SendMessageHook for Log {
///     fn send_message_before(&self, _: &mut SendMessageContext<'_>) {}
///
///     fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>) {
///         println!("{} stored: {}, took {:?}", context.msg_id, outcome.result.is_ok(), outcome.took);
///     }
/// }
///
/// let producer = Producer::builder("docs")
///     .name_server_addr(cluster.name_server_addr())
///     .option(|option| { option.add_send_message_hook(Arc::new(Log)); })
///     .start()
///     .await?;
/// producer.send(Message::new("TopicTest", "hello")).await?;
/// # Ok(())
/// # }
/// ```
pub trait SendMessageHook: Send + Sync + 'static {
    /// Runs before the request is made.
    fn send_message_before(&self, context: &mut SendMessageContext<'_>);

    /// Runs after the answer, or after the error.
    fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>);
}

/// May forbid a message. Java: `CheckForbiddenHook`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # use rocketmq_client::{model::Message, producer::Producer};
/// use std::sync::Arc;
///
/// use rocketmq_client::hook::{CheckForbiddenHook, SendMessageContext};
///
/// struct NoSecrets;
///
/// impl CheckForbiddenHook for NoSecrets {
///     fn check_forbidden(&self, context: &SendMessageContext<'_>) -> Result<(), String> {
///         if context.message.tags() == Some("secret") { Err("secrets stay at home".into()) } else { Ok(()) }
///     }
/// }
///
/// let producer = Producer::builder("docs")
///     .name_server_addr(cluster.name_server_addr())
///     .option(|option| { option.add_check_forbidden_hook(Arc::new(NoSecrets)); })
///     .start()
///     .await?;
/// let error = producer.send(Message::new("TopicTest", "hush").with_tags("secret")).await.unwrap_err();
/// assert!(error.to_string().contains("secrets stay at home"));
/// # Ok(())
/// # }
/// ```
pub trait CheckForbiddenHook: Send + Sync + 'static {
    /// Runs once for each attempt, after the message has its id and the body is compressed, before any
    /// [`SendMessageHook`].
    ///
    /// # Errors
    /// The reason why the message must not be sent. The send fails with
    /// [`MessageIllegal`](MQClientError::MessageIllegal) and is not retried.
    fn check_forbidden(&self, context: &SendMessageContext<'_>) -> Result<(), String>;
}
