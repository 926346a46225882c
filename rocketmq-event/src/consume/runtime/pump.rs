use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use futures_util::FutureExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::lanes::Lanes;
use super::{Ending, Runtime};
use crate::backend::{BackendError, Tag};
use crate::consume::watch::{ConsumerError, ConsumerEvent};
use crate::error::panic_text;

/// Handlers are told to end when less than this of a shutdown's time is left, or less than a fifth of it.
const LAST_CALL: Duration = Duration::from_secs(5);
/// The time for giving back and leaving, beyond the deadline of the handlers.
const LEAVING: Duration = Duration::from_secs(5);

/// The deliveries that have a task.
#[derive(Debug, Default)]
struct Running {
    tasks: JoinSet<()>,
    of: HashMap<Id, (Tag, Option<ByteString>)>,
}

impl Running {
    /// The delivery whose task ended.
    fn ended(&mut self, joined: Result<(Id, ()), JoinError>) -> Option<(Tag, Option<ByteString>)> {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.of.remove(&id)
    }
}

impl Runtime {
    /// Takes deliveries until the consumer is stopped or cannot go on, then shuts down. A panic of a user's backend ends it as an error
    /// does: nothing would wake the callers that wait for its end otherwise.
    pub(in crate::consume) async fn run(self: Arc<Self>) -> Ending {
        let _over = self.over.clone().drop_guard();
        let pumping = AssertUnwindSafe(self.clone().pump()).catch_unwind().await;
        pumping.unwrap_or_else(|panic| {
            let source = BackendError::new(format!("the backend panicked: {}", panic_text(&*panic)));
            let error = ConsumerError::Backend { group: self.spec.group.to_string(), source };
            self.end(error.clone());
            Ending { error: Some(error), ..Ending::default() }
        })
    }

    async fn pump(self: Arc<Self>) -> Ending {
        let mut lanes = Lanes::new(self.settings.order);
        let mut running = Running::default();
        let mut paused = self.paused.subscribe();
        let mut notices = self.spec.notices.listen();
        loop {
            while let Some(incoming) = lanes.pop() {
                let (tag, key) = (incoming.tag, incoming.envelope.key.clone());
                let task = running.tasks.spawn(self.clone().deliver(incoming));
                running.of.insert(task.id(), (tag, key));
            }
            let in_hand = lanes.len() + running.of.len();
            let takes_more = !*paused.borrow_and_update() && in_hand < self.settings.in_hand();
            tokio::select! {
                biased;
                () = self.stopped() => break,
                Some(joined) = running.tasks.join_next_with_id(), if !running.of.is_empty() => {
                    if let Some((tag, key)) = running.ended(joined) {
                        self.give_back(tag).await;
                        lanes.settled(key.as_ref());
                    }
                }
                _ = paused.changed() => {}
                notice = notices.recv() => match notice {
                    Ok(notice) => self.tell(ConsumerEvent::Connection(notice)),
                    Err(RecvError::Lagged(missed)) => self.tell(ConsumerEvent::Missed(missed)),
                    // This consumer holds a sender.
                    Err(RecvError::Closed) => {}
                },
                next = self.source.next(), if takes_more => match next {
                    Ok(Some(incoming)) => {
                        self.in_hand.insert(incoming.tag);
                        lanes.push(incoming);
                    }
                    // The bus was closed before the consumer.
                    Ok(None) => break,
                    Err(source) => {
                        self.end(ConsumerError::Backend { group: self.spec.group.to_string(), source });
                        break;
                    }
                },
            }
        }
        self.wind_up(lanes, running).await
    }

    async fn wind_up(&self, mut lanes: Lanes, mut running: Running) -> Ending {
        let mut ending = Ending::default();
        for incoming in lanes.drain() {
            self.give_back(incoming.tag).await;
            ending.released += 1;
        }
        // A consumer that ends by itself has no deadline: its handlers finish as in a shutdown, unless one is called meanwhile.
        let mut stopping = self.stopping.subscribe();
        let last_call = |deadline: Instant| {
            let notice = LAST_CALL.min(deadline.saturating_duration_since(Instant::now()) / 5);
            (deadline - notice, notice)
        };
        let called = *stopping.borrow_and_update();
        let mut deadline = called.unwrap_or_else(|| Instant::now() + Duration::from_secs(30));
        let (mut call, mut notice) = last_call(deadline);
        loop {
            tokio::select! {
                joined = running.tasks.join_next_with_id() => {
                    let Some(joined) = joined else { break };
                    if let Some((tag, _)) = running.ended(joined) {
                        if self.give_back(tag).await { ending.released += 1 } else { ending.finished += 1 }
                    }
                }
                Ok(()) = stopping.changed() => {
                    deadline = stopping.borrow_and_update().unwrap_or(deadline);
                    (call, notice) = last_call(deadline);
                }
                () = sleep_until(call), if !self.cancelled.is_cancelled() => {
                    self.cancelled.cancel();
                    // On a busy machine the call comes late: the handlers have their time all the same.
                    deadline = deadline.max(Instant::now() + notice);
                }
                () = sleep_until(deadline), if self.cancelled.is_cancelled() => break,
            }
        }
        running.tasks.shutdown().await;
        for tag in self.in_hand.drain() {
            ending.left += 1;
            _ = timeout_at(deadline + LEAVING, self.source.release(tag)).await;
        }
        let closed = self.source.close(LEAVING.max(deadline.saturating_duration_since(Instant::now()))).await;
        let group = self.spec.group.to_string();
        let known = self.ended.borrow().clone();
        ending.error = known.or_else(|| closed.err().map(|source| ConsumerError::Backend { group, source }));
        ending
    }

    /// Gives a delivery back that its task did not settle. True: it did not.
    async fn give_back(&self, tag: Tag) -> bool {
        let is_unsettled = self.in_hand.remove(tag);
        if is_unsettled && let Err(error) = self.source.release(tag).await {
            tracing::warn!(group = %self.spec.group, "a delivery was not given back: {error}");
        }
        is_unsettled
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use async_trait::async_trait;
    use futures_util::StreamExt;
    use serde::{Deserialize, Serialize};
    use tokio::sync::{Notify, mpsc};

    use super::*;
    use crate::backend::memory::{MemoryBackend, MemoryBroker};
    use crate::backend::{
        Abilities, Backend, DeadQueue, Destination, Incoming, LogError, LogReader, Outgoing, Positions,
        Source, Stored, SubscriptionSpec,
    };
    use crate::{Bus, Event, EventType, Order, PublishError};

    #[derive(Serialize, Deserialize)]
    struct Row(u64);

    impl EventType for Row {
        const NAMES: &'static [&'static str] = &["row"];

        fn key(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_that_waits_for_a_handler_to_end_is_given_back_by_a_shutdown() {
        let bus = Bus::connect("memory:").await.unwrap();
        let (tell, mut seen) = mpsc::channel(8);
        let finish = Arc::new(Notify::new());
        let wait = finish.clone();
        let handler = move |event: Event<Row>, _| {
            let (tell, wait) = (tell.clone(), wait.clone());
            async move {
                tell.send(event.data.0).await?;
                wait.notified().await;
                Ok(())
            }
        };
        let consumer = bus.consumer("rows", "group").order(Order::ByKey).on(handler).start().await.unwrap();
        let producer = bus.producer("rows").await.unwrap();
        for number in 0..3 {
            producer.send(&Row(number)).await.unwrap();
        }
        assert_eq!(seen.recv().await, Some(0));
        while consumer.health().in_flight < 3 {
            tokio::task::yield_now().await;
        }
        // Each delivery has its task, which waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let shutdown = consumer.shutdown(Duration::from_secs(10));
        let (report, ()) = tokio::join!(shutdown, async { finish.notify_one() });
        let report = report.unwrap();
        assert_eq!((report.finished, report.released, report.left), (1, 2, 0), "{report:?}");
        assert!(seen.try_recv().is_err(), "no handler begins during a shutdown");
    }

    /// A backend whose members panic.
    #[derive(Debug)]
    struct Broken(MemoryBackend);

    #[async_trait]
    impl Backend for Broken {
        fn abilities(&self) -> Abilities {
            self.0.abilities()
        }

        async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
            self.0.ensure(destination).await
        }

        async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
            self.0.publish(batch).await
        }

        async fn subscribe(&self, _: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
            Ok(Box::new(BrokenMember))
        }

        async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
            self.0.dead(stream, group).await
        }

        async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
            self.0.log(stream, from).await
        }

        async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
            self.0.close(deadline).await
        }
    }

    #[derive(Debug)]
    struct BrokenMember;

    #[async_trait]
    impl Source for BrokenMember {
        async fn next(&self) -> Result<Option<Incoming>, BackendError> {
            panic!("out of order")
        }

        async fn acknowledge(&self, _: Tag) -> Result<(), BackendError> {
            Ok(())
        }

        async fn release(&self, _: Tag) -> Result<(), BackendError> {
            Ok(())
        }

        fn is_connected(&self) -> bool {
            true
        }

        async fn close(&self, _: Duration) -> Result<(), BackendError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_panics_ends_the_consumer_for_all_who_wait() {
        let bus = Bus::new(Broken(MemoryBroker::new().connect()));
        let handler = |_: Event<Row>, _| std::future::ready(Ok(()));
        let consumer = bus.consumer("rows", "group").on(handler).start().await.unwrap();
        let error = consumer.wait().await.unwrap_err();
        assert!(crate::error::with_causes(&error).contains("out of order"), "{error:?}");
        assert!(consumer.health().ended.is_some());
        assert!(std::pin::pin!(consumer.events()).next().await.is_none());
        assert!(consumer.shutdown(Duration::from_secs(1)).await.is_err());
    }
}
