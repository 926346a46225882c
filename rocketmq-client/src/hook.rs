//! Looking at, and refusing, what a producer sends.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::MQClientError;
use crate::model::{Message, MessageQueue, SendResult};

pub use rocketmq_remoting::client::RpcHook;

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommunicationMode {
    /// The caller awaits the result.
    Sync,
    /// A callback gets the result.
    Async,
    /// Nobody gets one.
    Oneway,
}

/// What kind of message it is. Java: `MessageType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// An ordinary one.
    Normal,
    /// The half of a transaction.
    TransactionHalf,
    /// One that is delivered later: by a delay level or a timer.
    Delay,
}

/// One attempt to send, as hooks see it. Java: `SendMessageContext`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SendMessageContext<'a> {
    /// The producer's group.
    pub producer_group: &'a str,
    /// The message as the caller gave it; of a batch, one whose body is the whole batch.
    pub message: &'a Message,
    /// All messages of the request: that one, or those of the batch, each with its id.
    pub messages: &'a [Message],
    /// Its id: the same in all attempts. Of a batch: the ids of its messages, with commas between them.
    pub msg_id: &'a str,
    /// Bytes of the body as it is sent, after compression.
    pub body_length: usize,
    /// The queue of this attempt.
    pub queue: &'a MessageQueue,
    /// The broker's address.
    pub broker_address: &'a str,
    /// How it is sent.
    pub mode: CommunicationMode,
    /// What kind of message it is.
    pub message_type: MessageType,
    /// For the hooks' own use: what `before` puts here, `after` finds.
    pub extensions: HashMap<&'static str, String>,
}

/// How an attempt ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct SendMessageOutcome<'a> {
    /// The result (none for a one-way send), or the error.
    pub result: Result<Option<&'a SendResult>, &'a MQClientError>,
    /// How long the attempt took.
    pub took: Duration,
}

/// Sees every attempt to send before and after. Java: `SendMessageHook`.
///
/// Hooks run on the sending task and should not block. `send_message_after` runs exactly once for each
/// `send_message_before`, on every path, errors included; only when the send's future is dropped in between it does
/// not.
pub trait SendMessageHook: Send + Sync + 'static {
    /// Before the request is made.
    fn send_message_before(&self, context: &mut SendMessageContext<'_>);

    /// After the answer, or the failure to get one.
    fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>);
}

/// May forbid a message to be sent. Java: `CheckForbiddenHook`.
pub trait CheckForbiddenHook: Send + Sync + 'static {
    /// Runs once for each attempt, after the id was given and the body compressed, before any
    /// [`SendMessageHook`].
    ///
    /// # Errors
    /// The reason why the message must not be sent. The send fails with
    /// [`MessageIllegal`](MQClientError::MessageIllegal) and is not tried again.
    fn check_forbidden(&self, context: &SendMessageContext<'_>) -> Result<(), String>;
}

/// The hooks of one producer.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) rpc: Vec<Arc<dyn RpcHook>>,
    pub(crate) send: Vec<Arc<dyn SendMessageHook>>,
    pub(crate) forbidden: Vec<Arc<dyn CheckForbiddenHook>>,
}

impl Hooks {
    /// Whether anybody looks at single attempts.
    pub(crate) fn watch_sends(&self) -> bool {
        !self.send.is_empty() || !self.forbidden.is_empty()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("rpc", &self.rpc.len())
            .field("send", &self.send.len())
            .field("forbidden", &self.forbidden.len())
            .finish()
    }
}
