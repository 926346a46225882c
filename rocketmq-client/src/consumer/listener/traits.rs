use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{BatchResult, ConsumeContext, ConsumeResult, OrderlyResult};
use crate::model::MessageExt;

/// A future in a box, which lives as long as its listener.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

macro_rules! listener_trait {
    ($(#[$meta:meta])* $name:ident: fn $method:ident($argument:ident: $messages:ty) -> $result:ty) => {
        $(#[$meta])*
        pub trait $name: Send + Sync + 'static {
            /// Handles what it is given. A panic counts as a failure. When its time is over, or at a shutdown, the future is
            /// dropped at an await point, after the token of `context` said so.
            fn $method(&self, $argument: $messages, context: ConsumeContext) -> BoxFuture<'_, $result>;
        }

        impl<L: $name + ?Sized> $name for Arc<L> {
            fn $method(&self, $argument: $messages, context: ConsumeContext) -> BoxFuture<'_, $result> {
                (**self).$method($argument, context)
            }
        }
    };
}

listener_trait! {
    /// Handles messages, several at a time, in any order. Java: `MessageListenerConcurrently`.
    ///
    /// A closure needs no type of its own: the `listener` of a builder takes it, and costs no box for each message.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use rocketmq_client::consumer::{
    ///     BoxFuture, ConsumeContext, ConsumeOutcome, ConsumeResult, MessageListenerConcurrently,
    /// };
    /// use rocketmq_client::model::MessageExt;
    ///
    /// struct Billing;
    ///
    /// impl MessageListenerConcurrently for Billing {
    ///     fn consume_message(&self, message: Arc<MessageExt>, _: ConsumeContext) -> BoxFuture<'_, ConsumeResult> {
    ///         Box::pin(async move {
    ///             println!("{}", message.msg_id());
    ///             Ok(ConsumeOutcome::Success)
    ///         })
    ///     }
    /// }
    /// ```
    MessageListenerConcurrently: fn consume_message(message: Arc<MessageExt>) -> ConsumeResult
}

listener_trait! {
    /// Handles the messages of each queue one by one, in their order. Java: `MessageListenerOrderly`.
    MessageListenerOrderly: fn consume_message(message: Arc<MessageExt>) -> OrderlyResult
}

listener_trait! {
    /// Handles up to `consume_message_batch_max_size` messages of one queue at a time. Java: `MessageListenerConcurrently`
    /// with a list of several messages.
    MessageListenerBatch: fn consume_messages(messages: Arc<[MessageExt]>) -> BatchResult
}
