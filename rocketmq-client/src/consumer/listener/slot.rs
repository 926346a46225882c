//! Runs a listener whose type is not known, without an allocation for each message.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{BatchResult, ConsumeContext, ConsumeFailure, ConsumeResult, IntoOutcome, OrderlyResult};
use crate::model::MessageExt;

/// The listener of a consumer, of one of three kinds.
#[derive(Clone)]
pub(crate) enum Listener {
    /// Any number of messages at a time.
    Concurrently(Handler<Arc<MessageExt>, ConsumeResult>),
    /// One message of a queue at a time.
    Orderly(Handler<Arc<MessageExt>, OrderlyResult>),
    /// Batches, several at a time.
    Batch(Handler<Arc<[MessageExt]>, BatchResult>),
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Listener::Concurrently(_) => "Concurrently",
            Listener::Orderly(_) => "Orderly",
            Listener::Batch(_) => "Batch",
        })
    }
}

/// A listener, its type erased, from which slots are made. `M`: what it handles; `R`: what comes out.
pub(crate) struct Handler<M, R>(Arc<dyn MakeSlot<M, R>>);

impl<M, R> Clone for Handler<M, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: 'static, O: 'static> Handler<M, Result<O, ConsumeFailure>> {
    pub(super) fn new<F, Fut>(listener: F) -> Self
    where
        F: Fn(M, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<O>> + Send + 'static,
    {
        Self(Arc::new(Closure(Arc::new(listener))))
    }
}

impl<M, R> Handler<M, R> {
    pub(super) fn of(slots: impl MakeSlot<M, R> + 'static) -> Self {
        Self(Arc::new(slots))
    }

    /// A place in which the listener runs, for one message after the other: the only allocation, of the size of the
    /// listener's future.
    pub(crate) fn slot(&self) -> Slot<M, R> {
        self.0.slot()
    }
}

/// A place in which a listener handles one message after the other.
///
/// [`start`](Run::start), then [`poll`](Run::poll) until it is ready; or [`abort`](Run::abort). Panics are caught.
pub(crate) type Slot<M, R> = Box<dyn Run<M, R>>;

/// How a handler ended.
#[derive(Debug)]
pub(crate) enum Ended<R> {
    /// It returned.
    Returned(R),
    /// It panicked, with this text.
    Panicked(String),
}

/// The duties of a [`Slot`].
pub(crate) trait Run<M, R>: Send {
    /// Calls the listener. What ran before is dropped.
    fn start(&mut self, messages: M, context: ConsumeContext);
    /// Goes on. Ready once for each start; pending for ever while nothing was started.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<R>>;
    /// Drops what runs, at its await point.
    fn abort(&mut self);
}

pub(super) trait MakeSlot<M, R>: Send + Sync {
    fn slot(&self) -> Slot<M, R>;
}

struct Closure<F>(Arc<F>);

impl<M, O, F, Fut> MakeSlot<M, Result<O, ConsumeFailure>> for Closure<F>
where
    F: Fn(M, ConsumeContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome<O>> + Send + 'static,
{
    fn slot(&self) -> Slot<M, Result<O, ConsumeFailure>> {
        Box::new(Running { listener: self.0.clone(), future: Box::pin(None::<Fut>), panicked: None })
    }
}

struct Running<F, Fut> {
    listener: Arc<F>,
    /// Pinned and kept: each message's future is written over the one before.
    future: Pin<Box<Option<Fut>>>,
    /// The listener panicked before it returned a future.
    panicked: Option<String>,
}

impl<M, O, F, Fut> Run<M, Result<O, ConsumeFailure>> for Running<F, Fut>
where
    F: Fn(M, ConsumeContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome<O>> + Send + 'static,
{
    fn start(&mut self, messages: M, context: ConsumeContext) {
        let started = catch_unwind(AssertUnwindSafe(|| {
            let future = (self.listener)(messages, context);
            self.future.set(Some(future));
        }));
        self.panicked = started.err().map(|panic| panic_text(&*panic));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<Result<O, ConsumeFailure>>> {
        if let Some(panic) = self.panicked.take() {
            return Poll::Ready(Ended::Panicked(panic));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| match self.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => Ended::Returned(outcome.into_outcome()),
            Err(panic) => Ended::Panicked(panic_text(&*panic)),
        };
        // The future holds the message: both are dropped now, and not when the next message comes.
        clear(&mut self.future);
        Poll::Ready(ended)
    }

    fn abort(&mut self) {
        self.panicked = None;
        clear(&mut self.future);
    }
}

/// Drops the future, and survives a panic of its destructors.
fn clear<Fut>(future: &mut Pin<Box<Option<Fut>>>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| future.set(None))) {
        tracing::warn!(panic = panic_text(&*panic), "a listener panicked while its future was dropped");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no text)").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::listener::{
        BatchOutcome, ConsumeOutcome, MessageListener, MessageListenerConcurrently, OrderlyOutcome,
    };
    use crate::model::{Message, MessageQueue, RecordHeader};
    use std::task::Waker;

    fn message(body: &'static str) -> Arc<MessageExt> {
        Arc::new(MessageExt::new(Message::new("T", body), RecordHeader::default()))
    }

    fn context() -> ConsumeContext {
        ConsumeContext::new(MessageQueue::new("T", "b", 0))
    }

    async fn run<M, R>(slot: &mut Slot<M, R>, messages: M) -> Ended<R> {
        slot.start(messages, context());
        std::future::poll_fn(|cx| slot.poll(cx)).await
    }

    fn concurrently(listener: MessageListener) -> Slot<Arc<MessageExt>, ConsumeResult> {
        let Listener::Concurrently(handler) = listener.0 else { panic!("{listener:?}") };
        handler.slot()
    }

    #[derive(Clone)]
    struct Database;

    impl Database {
        async fn save(&self, message: &MessageExt) -> Result<(), std::num::ParseIntError> {
            tokio::task::yield_now().await;
            str::from_utf8(message.body()).unwrap().parse::<u32>().map(drop)
        }
    }

    #[tokio::test]
    async fn a_closure_that_clones_and_asks_needs_no_types() {
        let db = Database;
        let mut slot = concurrently(MessageListener::concurrently(move |message, _| {
            let db = db.clone();
            async move {
                db.save(&message).await?;
                Ok(())
            }
        }));
        assert!(matches!(run(&mut slot, message("7")).await, Ended::Returned(Ok(ConsumeOutcome::Success))));
        let Ended::Returned(Err(failure)) = run(&mut slot, message("x")).await else { panic!() };
        assert_eq!(failure.to_string(), "invalid digit found in string");
        assert!(
            matches!(run(&mut slot, message("8")).await, Ended::Returned(Ok(_))),
            "the slot is used again"
        );
    }

    #[tokio::test]
    async fn closures_of_each_form_are_listeners() {
        async fn named(message: Arc<MessageExt>, _: ConsumeContext) -> Result<(), ConsumeFailure> {
            if message.body().is_empty() { Err("empty".into()) } else { Ok(()) }
        }
        let later = ConsumeOutcome::Later { delay_level: Some(3) };
        let listeners = [
            (MessageListener::concurrently(|_, _| async {}), ConsumeOutcome::Success),
            (
                MessageListener::concurrently(|_, _| async {
                    ConsumeOutcome::Later { delay_level: Some(3) }
                }),
                later.clone(),
            ),
            (
                MessageListener::concurrently(|_, _| async {
                    Ok(ConsumeOutcome::Later { delay_level: Some(3) })
                }),
                later,
            ),
            (MessageListener::concurrently(named), ConsumeOutcome::Success),
            (
                MessageListener::concurrently(|message, context| async move {
                    let _: (&str, bool) = (message.topic(), context.is_last_attempt());
                    Ok(())
                }),
                ConsumeOutcome::Success,
            ),
        ];
        for (listener, expected) in listeners {
            let Ended::Returned(Ok(outcome)) = run(&mut concurrently(listener), message("x")).await else {
                panic!()
            };
            assert_eq!(outcome, expected);
        }
    }

    #[tokio::test]
    async fn orderly_and_batch_closures_infer_too() {
        let MessageListener(Listener::Orderly(orderly)) = MessageListener::orderly(|message, _| async move {
            let _number: i64 = str::from_utf8(message.body())?.parse()?;
            Ok(OrderlyOutcome::Success)
        }) else {
            panic!()
        };
        assert!(matches!(run(&mut orderly.slot(), message("x")).await, Ended::Returned(Err(_))));
        assert!(matches!(
            run(&mut orderly.slot(), message("1")).await,
            Ended::Returned(Ok(OrderlyOutcome::Success))
        ));

        let MessageListener(Listener::Batch(batch)) = MessageListener::batch(|messages, _| async move {
            let failed = messages.iter().position(|message| message.body().is_empty());
            Ok(failed.map_or(BatchOutcome::default(), BatchOutcome::UpTo))
        }) else {
            panic!()
        };
        let messages: Arc<[MessageExt]> =
            [message("a"), message(""), message("c")].map(|m| (*m).clone()).into();
        let Ended::Returned(Ok(outcome)) = run(&mut batch.slot(), messages).await else { panic!() };
        assert_eq!(outcome, BatchOutcome::UpTo(1));
    }

    #[tokio::test]
    async fn types_and_shared_types_are_listeners() {
        struct Fails;
        impl MessageListenerConcurrently for Fails {
            fn consume_message(
                &self,
                _: Arc<MessageExt>,
                _: ConsumeContext,
            ) -> super::super::BoxFuture<'_, ConsumeResult> {
                Box::pin(async { Err("no".into()) })
            }
        }
        let shared: Arc<dyn MessageListenerConcurrently> = Arc::new(Fails);
        for listener in [MessageListener::of_concurrently(Fails), MessageListener::of_concurrently(shared)] {
            assert!(matches!(run(&mut concurrently(listener), message("x")).await, Ended::Returned(Err(_))));
        }
    }

    #[tokio::test]
    async fn panics_end_one_message_and_not_the_slot() {
        let mut slot = concurrently(MessageListener::concurrently(|message, _| {
            assert_ne!(&message.body()[..], b"early", "at once");
            async move {
                tokio::task::yield_now().await;
                assert_ne!(&message.body()[..], b"late", "after an await");
            }
        }));
        for (body, text) in [("early", "at once"), ("late", "after an await")] {
            let Ended::Panicked(panic) = run(&mut slot, message(body)).await else { panic!() };
            assert!(panic.contains(text), "{panic}");
        }
        assert!(matches!(run(&mut slot, message("fine")).await, Ended::Returned(Ok(_))));
    }

    #[tokio::test]
    async fn what_ended_or_was_aborted_holds_no_message() {
        let mut slot = concurrently(MessageListener::concurrently(|message, context| async move {
            if message.body() == "waits" {
                context.cancelled.cancelled().await;
            }
        }));
        let done = message("done");
        run(&mut slot, done.clone()).await;
        assert_eq!(Arc::strong_count(&done), 1);

        let waits = message("waits");
        slot.start(waits.clone(), context());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(slot.poll(&mut cx).is_pending());
        slot.abort();
        assert_eq!(Arc::strong_count(&waits), 1);
        assert!(slot.poll(&mut cx).is_pending(), "nothing runs");
    }
}
