use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::Hooks;
use crate::model::{MessageExt, MessageQueue};

/// Messages that are handled together, as hooks see them. Java: `ConsumeMessageContext`.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConsumeMessageContext<'a> {
    /// The consumer's group, without the namespace.
    pub consumer_group: &'a str,
    /// The namespace of the client (version 1), if it has one. No other name of this context contains it.
    pub namespace: Option<&'a str>,
    /// One message for a listener, an orderly listener or a stream; the batch of a batch listener; what one poll took from
    /// one queue. A message that comes again has its original topic.
    pub messages: &'a [MessageExt],
    /// The queue that they came from: of the retry topic, if they come again.
    pub queue: &'a MessageQueue,
    /// For the hooks' own use: `after` finds the entries that `before` adds.
    pub extensions: HashMap<&'static str, String>,
}

/// How the handling of messages ended. Java: `ConsumeReturnType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConsumeReturnType {
    /// All messages are done.
    Success,
    /// It took `consume_timeout` or longer, whatever came out.
    TimeOut,
    /// The listener returned an error or panicked, or the delivery of a stream was dropped.
    Exception,
    /// The listener asked for another delivery of one or more messages, or for a dead letter.
    Failed,
}

/// The outcome.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConsumeMessageOutcome<'a> {
    /// Whether each message of the context is done, in their order.
    pub succeeded: &'a [bool],
    /// How the handling ended.
    pub status: ConsumeReturnType,
    /// The reason of a failure: the text of its error or panic, or the reason for a dead letter.
    pub reason: Option<&'a str>,
    /// From `before` to the end of the handler, or of the delivery.
    pub took: Duration,
}

impl ConsumeMessageOutcome<'_> {
    /// Whether all messages are done. Java: `ConsumeMessageContext.isSuccess`.
    pub fn is_success(&self) -> bool {
        self.succeeded.iter().all(|succeeded| *succeeded)
    }
}

/// Sees messages before and after they are handled. Java: `ConsumeMessageHook`.
///
/// For a listener, `before` runs when its call begins and `after` when its future is ready or is dropped out of time, before
/// the outcome takes effect: for each delivery once more, if a message comes again. For a stream, `before` runs when the reader
/// takes a delivery and `after` when it settles. For a pull consumer both run, back to back and with success, when `poll`
/// takes messages, as in Java.
///
/// Hooks run on the consumer's tasks and should not block. `after` runs once for each `before`, but not for handlers that a
/// shutdown drops. A hook that panics is logged and changes nothing: the other hooks run, and the messages are consumed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # cluster.create_topic("Orders", 1)?;
/// use std::sync::Arc;
///
/// use rocketmq_client::consumer::PushConsumer;
/// use rocketmq_client::hook::{ConsumeMessageContext, ConsumeMessageHook, ConsumeMessageOutcome};
///
/// struct Log;
///
/// impl ConsumeMessageHook for Log {
///     fn consume_message_before(&self, _: &mut ConsumeMessageContext<'_>) {}
///
///     fn consume_message_after(&self, context: &ConsumeMessageContext<'_>, outcome: &ConsumeMessageOutcome<'_>) {
///         for message in context.messages {
///             println!("{} {:?} after {:?}", message.msg_id(), outcome.status, outcome.took);
///         }
///     }
/// }
///
/// let consumer = PushConsumer::builder("billing")
///     .name_server_addr(cluster.name_server_addr())
///     .subscribe("Orders", "*")
///     .listener(|_, _| async {})
///     .option(|option| { option.add_consume_message_hook(Arc::new(Log)); })
///     .start()
///     .await?;
/// # consumer.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub trait ConsumeMessageHook: Send + Sync + 'static {
    /// Runs before the messages are handled.
    fn consume_message_before(&self, context: &mut ConsumeMessageContext<'_>);

    /// Runs after they were handled.
    fn consume_message_after(&self, context: &ConsumeMessageContext<'_>, outcome: &ConsumeMessageOutcome<'_>);
}

/// A message that was received, as filters see it. Java: `FilterMessageContext`.
#[derive(Debug)]
#[non_exhaustive]
pub struct FilterMessageContext<'a> {
    /// The consumer's group, without the namespace.
    pub consumer_group: &'a str,
    /// The message. Its subscription wants it.
    pub message: &'a MessageExt,
    /// The queue that it came from: of the retry topic, if it comes again.
    pub queue: &'a MessageQueue,
    /// The option of this name.
    pub unit_mode: bool,
}

/// May leave messages out before they are cached. Java: `FilterMessageHook`.
///
/// It runs where answers of brokers are read, so a filter that takes long delays all queues of the broker. A message that comes
/// again after a failure is looked at again. When a filter panics, the panic is logged and the message stays.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # cluster.create_topic("Orders", 1)?;
/// use std::sync::Arc;
///
/// use rocketmq_client::consumer::PushConsumer;
/// use rocketmq_client::hook::{FilterMessageContext, FilterMessageHook};
///
/// /// Leaves out what tests have sent.
/// struct NoTests;
///
/// impl FilterMessageHook for NoTests {
///     fn filter_message(&self, context: &FilterMessageContext<'_>) -> bool {
///         context.message.property("test").is_none()
///     }
/// }
///
/// let consumer = PushConsumer::builder("billing")
///     .name_server_addr(cluster.name_server_addr())
///     .subscribe("Orders", "*")
///     .listener(|_, _| async {})
///     .option(|option| { option.add_filter_message_hook(Arc::new(NoTests)); })
///     .start()
///     .await?;
/// # consumer.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub trait FilterMessageHook: Send + Sync + 'static {
    /// Whether the consumer gets the message, like the closure of [`Iterator::filter`]. A message that it does not get counts
    /// as finished: its offset is committed, and it does not come again. `ConsumerStats::filtered_count` counts it.
    fn filter_message(&self, context: &FilterMessageContext<'_>) -> bool;
}

/// The context of handled messages for hooks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) consumer_group: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) messages: &'a [MessageExt],
    pub(crate) queue: &'a MessageQueue,
}

/// Values that hooks keep between the beginning and the end.
#[derive(Debug, Clone)]
pub(crate) struct Kept(HashMap<&'static str, String>);

/// The outcome for hooks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consumed<'a> {
    pub(crate) succeeded: &'a [bool],
    pub(crate) status: ConsumeReturnType,
    pub(crate) reason: Option<&'a str>,
    pub(crate) took: Duration,
}

impl<'a> Seen<'a> {
    fn context(self, extensions: HashMap<&'static str, String>) -> ConsumeMessageContext<'a> {
        let Self { consumer_group, namespace, messages, queue } = self;
        ConsumeMessageContext { consumer_group, namespace, messages, queue, extensions }
    }
}

impl Hooks {
    /// Runs the hooks before messages are handled. Returns what [`after`](Self::after) gives back to them.
    pub(crate) fn before(&self, seen: Seen<'_>) -> Kept {
        let mut context = seen.context(HashMap::new());
        for hook in &self.consume {
            guard(|| hook.consume_message_before(&mut context));
        }
        Kept(context.extensions)
    }

    /// Runs the hooks after messages were handled.
    pub(crate) fn after(
        &self,
        seen: Seen<'_>,
        Kept(extensions): Kept,
        Consumed { succeeded, status, reason, took }: Consumed<'_>,
    ) {
        let context = seen.context(extensions);
        let outcome = ConsumeMessageOutcome { succeeded, status, reason, took };
        for hook in &self.consume {
            guard(|| hook.consume_message_after(&context, &outcome));
        }
    }

    /// Whether all filters let a message pass.
    pub(crate) fn let_pass(
        &self,
        consumer_group: &str,
        message: &MessageExt,
        queue: &MessageQueue,
        unit_mode: bool,
    ) -> bool {
        let context = FilterMessageContext { consumer_group, message, queue, unit_mode };
        self.filter.iter().all(|filter| guard(|| filter.filter_message(&context)).unwrap_or(true))
    }
}

/// Calls a hook. `None`: it panicked.
fn guard<T>(call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    if called.is_err() {
        tracing::warn!("a hook of a consumer panicked");
    }
    called.ok()
}
