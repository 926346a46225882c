use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use rocketmq_common::MessageSysFlag;

use crate::error::with_causes;
use crate::model::{Message, MessageExt};

/// The state of a local transaction. Java: `LocalTransactionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalTransactionState {
    /// It has committed: the message is delivered.
    Commit,
    /// It was rolled back: the message is never delivered.
    Rollback,
    /// It is not known yet. The broker asks later: by default after 6 s, then every 30 s, 15 times.
    Unknown,
}

impl LocalTransactionState {
    /// `commitOrRollback` of request 37.
    pub(in crate::producer) fn wire(self) -> i32 {
        match self {
            LocalTransactionState::Commit => MessageSysFlag::TRANSACTION_COMMIT.bits(),
            LocalTransactionState::Rollback => MessageSysFlag::TRANSACTION_ROLLBACK.bits(),
            LocalTransactionState::Unknown => 0,
        }
    }

    /// Java: `LocalTransactionState.name`.
    pub(in crate::producer) fn java_name(self) -> &'static str {
        match self {
            LocalTransactionState::Commit => "COMMIT_MESSAGE",
            LocalTransactionState::Rollback => "ROLLBACK_MESSAGE",
            LocalTransactionState::Unknown => "UNKNOW",
        }
    }
}

impl fmt::Display for LocalTransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LocalTransactionState::Commit => "commit",
            LocalTransactionState::Rollback => "rollback",
            LocalTransactionState::Unknown => "unknown",
        })
    }
}

/// The result of a listener. An error counts as [`Unknown`](LocalTransactionState::Unknown), and its text goes to the
/// broker's log.
pub type LocalTransactionResult = Result<LocalTransactionState, Box<dyn std::error::Error + Send + Sync>>;

/// Runs local transactions, and knows their states. Java: `TransactionListener`.
///
/// A panic counts as [`Unknown`](LocalTransactionState::Unknown), too. Methods may be written as `async fn`; two
/// closures make a listener with [`TransactionListenerFn`].
///
/// ```
/// use rocketmq_client::model::{Message, MessageExt};
/// use rocketmq_client::producer::{LocalTransactionResult, LocalTransactionState, TransactionListener};
///
/// struct Orders;
///
/// impl TransactionListener for Orders {
///     async fn execute_local_transaction(&self, message: &Message, id: &str) -> LocalTransactionResult {
///         // Write the order and `id` in one transaction of the database.
///         Ok(LocalTransactionState::Commit)
///     }
///
///     async fn check_local_transaction(&self, message: &MessageExt) -> LocalTransactionResult {
///         // Is `message.transaction_id()` in the database?
///         Ok(LocalTransactionState::Unknown)
///     }
/// }
/// ```
pub trait TransactionListener: Send + Sync + 'static {
    /// Runs the local transaction. The half message is stored, and no consumer sees it; `message` has its id
    /// ([`unique_key`](Message::unique_key)).
    ///
    /// It runs within the future of
    /// [`send_in_transaction`](crate::producer::TransactionProducer::send_in_transaction). If that future is dropped,
    /// this one is dropped at an await point, and the broker asks
    /// [`check_local_transaction`](Self::check_local_transaction) later.
    fn execute_local_transaction(
        &self,
        message: &Message,
        transaction_id: &str,
    ) -> impl Future<Output = LocalTransactionResult> + Send;

    /// Returns the state of a transaction, by [`transaction_id`](MessageExt::transaction_id): the broker asks while it
    /// does not know the state. The transaction may belong to another producer of the group, even to one that has
    /// ended.
    ///
    /// It runs on a task of the producer; a shutdown drops it at an await point, and the broker asks again.
    fn check_local_transaction(
        &self,
        message: &MessageExt,
    ) -> impl Future<Output = LocalTransactionResult> + Send;
}

impl<L: TransactionListener> TransactionListener for Arc<L> {
    fn execute_local_transaction(
        &self,
        message: &Message,
        transaction_id: &str,
    ) -> impl Future<Output = LocalTransactionResult> + Send {
        (**self).execute_local_transaction(message, transaction_id)
    }

    fn check_local_transaction(
        &self,
        message: &MessageExt,
    ) -> impl Future<Output = LocalTransactionResult> + Send {
        (**self).check_local_transaction(message)
    }
}

/// A [`TransactionListener`] made of two closures that return futures.
///
/// ```
/// use rocketmq_client::producer::{LocalTransactionState, TransactionListenerFn};
///
/// let listener = TransactionListenerFn::new(
///     |message, transaction_id| async move { Ok(LocalTransactionState::Commit) },
///     |message| async move { Ok(LocalTransactionState::Unknown) },
/// );
/// ```
#[derive(Clone)]
pub struct TransactionListenerFn<E, C> {
    execute: E,
    check: C,
}

impl<E, EF, C, CF> TransactionListenerFn<E, C>
where
    E: Fn(Message, String) -> EF + Send + Sync + 'static,
    EF: Future<Output = LocalTransactionResult> + Send,
    C: Fn(MessageExt) -> CF + Send + Sync + 'static,
    CF: Future<Output = LocalTransactionResult> + Send,
{
    /// `execute` gets the message and its transaction id, `check` the half message from the broker.
    pub fn new(execute: E, check: C) -> Self {
        Self { execute, check }
    }
}

impl<E, EF, C, CF> TransactionListener for TransactionListenerFn<E, C>
where
    E: Fn(Message, String) -> EF + Send + Sync + 'static,
    EF: Future<Output = LocalTransactionResult> + Send,
    C: Fn(MessageExt) -> CF + Send + Sync + 'static,
    CF: Future<Output = LocalTransactionResult> + Send,
{
    fn execute_local_transaction(
        &self,
        message: &Message,
        transaction_id: &str,
    ) -> impl Future<Output = LocalTransactionResult> + Send {
        (self.execute)(message.clone(), transaction_id.to_owned())
    }

    fn check_local_transaction(
        &self,
        message: &MessageExt,
    ) -> impl Future<Output = LocalTransactionResult> + Send {
        (self.check)(message.clone())
    }
}

impl<E, C> fmt::Debug for TransactionListenerFn<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionListenerFn")
    }
}

/// The state that a listener returned, or why it returned none.
#[derive(Debug)]
pub(in crate::producer) struct Decision {
    pub(in crate::producer) state: LocalTransactionState,
    pub(in crate::producer) remark: Option<String>,
}

type BoxFuture<'a> = Pin<Box<dyn Future<Output = Decision> + Send + 'a>>;

/// A listener of any type.
pub(in crate::producer) trait DynListener: Send + Sync {
    fn execute<'a>(&'a self, message: &'a Message, transaction_id: &'a str) -> BoxFuture<'a>;
    fn check<'a>(&'a self, message: &'a MessageExt) -> BoxFuture<'a>;
}

impl<L: TransactionListener> DynListener for L {
    fn execute<'a>(&'a self, message: &'a Message, transaction_id: &'a str) -> BoxFuture<'a> {
        Box::pin(decision(async move { self.execute_local_transaction(message, transaction_id).await }))
    }

    fn check<'a>(&'a self, message: &'a MessageExt) -> BoxFuture<'a> {
        Box::pin(decision(async move { self.check_local_transaction(message).await }))
    }
}

impl fmt::Debug for dyn DynListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionListener")
    }
}

async fn decision(listener: impl Future<Output = LocalTransactionResult>) -> Decision {
    let mut listener = pin!(listener);
    // After a panic the future is not polled again.
    let outcome = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| listener.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(result.map_err(|error| with_causes(&*error))),
        Err(panic) => Poll::Ready(Err(format!("the listener panicked{}", panic_text(&*panic)))),
    });
    match outcome.await {
        Ok(state) => Decision { state, remark: None },
        Err(reason) => {
            tracing::warn!(reason, "a transaction listener failed: the state is unknown");
            Decision { state: LocalTransactionState::Unknown, remark: Some(shortened(reason)) }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(String::new, |text| format!(": {text}"))
}

/// Cuts a remark: it is a single header field, and the start of a long text is enough.
fn shortened(mut text: String) -> String {
    const LIMIT: usize = 1024;
    if text.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_and_panics_of_a_listener_are_unknown_with_a_reason() {
        let listener = TransactionListenerFn::new(
            |_, _| async { Err("the database is away".into()) },
            |message: MessageExt| async move { panic!("no {} here", message.topic()) },
        );
        let message = Message::new("Orders", "x");
        let executed = DynListener::execute(&listener, &message, "id").await;
        assert_eq!(executed.state, LocalTransactionState::Unknown);
        assert_eq!(executed.remark.as_deref(), Some("the database is away"));
        let stored = MessageExt::new(message, Default::default());
        let checked = DynListener::check(&listener, &stored).await;
        assert_eq!(checked.state, LocalTransactionState::Unknown);
        assert_eq!(checked.remark.as_deref(), Some("the listener panicked: no Orders here"));
    }

    #[tokio::test]
    async fn a_panic_before_the_first_await_is_caught_too() {
        let listener = TransactionListenerFn::new(
            |_, _| -> std::future::Ready<LocalTransactionResult> { panic!("at once") },
            |_| async { Ok(LocalTransactionState::Commit) },
        );
        let executed = DynListener::execute(&listener, &Message::new("T", "x"), "id").await;
        assert_eq!(executed.remark.as_deref(), Some("the listener panicked: at once"));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character_and_says_so() {
        let text = shortened("é".repeat(600));
        assert_eq!(text, format!("{}…", "é".repeat(512)));
        assert_eq!(shortened("short".into()), "short");
    }
}
