use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rocketmq_remoting::net::{CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::CommandView;
use tokio::task::coop::consume_budget;
use tokio::task::try_id;
use tokio::time::Instant;

use super::accumulator::{Answer, Sender};
use super::default_mq_producer_impl::{DefaultMQProducerImpl, NO_RESULT, Running, current_runtime};
use super::permits::{HasPermits, Taken};
use super::prepared::Prepared;
use super::send::Admitted;
use super::sending::{Onward, SendPlan, Sending, Step};
use super::stored::Stored;
use super::{SendOptions, spare};
use crate::error::{Context, MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::model::{Message, SendResult};

/// What a callback gets.
type Outcome = Result<SendResult, MQClientError>;

/// A user's callback, whatever it captures.
type BoxedCallback = Box<dyn FnOnce(Outcome) + Send>;

/// A user's callback. It runs exactly once: with the outcome, or, when the send is dropped on the way, with an error.
struct Callback {
    producer: Arc<DefaultMQProducerImpl>,
    /// The permit of the send, if it is held here.
    taken: Taken,
    callback: Option<BoxedCallback>,
}

/// A send that ends in a callback.
///
/// Mostly no task waits for it: its first attempt goes into the write buffer at once, and all of it then waits among the
/// requests in flight. Whatever takes longer than that goes on in a task.
pub(super) struct CallbackSend {
    callback: Callback,
    stage: Stage,
    /// What the answer to the attempt said, until the callback gets it.
    stored: Option<Stored>,
}

#[expect(clippy::large_enum_variant, reason = "nearly all of its life it is the large one")]
enum Stage {
    /// On its way: with an attempt if that is under way, or how it goes on.
    Sending(Sending, Onward),
    /// In another way than by being stored, until the callback gets it.
    Ended(Option<Outcome>),
}

/// Where a send lies while it is on its way: empty before and after.
#[derive(Default)]
pub(super) struct Place(Option<CallbackSend>);

/// A send of which nothing is written yet. Dropped, it is as if it had never been.
struct Unstarted(Option<Box<Place>>);

/// One that waits for room in a write buffer.
pub(super) struct Blocked {
    send: Unstarted,
    connection: Connection,
}

impl DefaultMQProducerImpl {
    /// Admits a message, sends it and has the outcome go to a callback. Waits for room in the write buffer alone: what
    /// takes longer goes on in a task.
    pub(super) async fn send_async<F>(
        self: &Arc<Self>,
        message: Message,
        callback: F,
    ) -> Result<(), MQClientError>
    where
        F: FnOnce(Outcome) + Send + 'static,
    {
        let running = self.running()?;
        if try_id().is_none() {
            // Not in a task, so perhaps outside of all runtimes.
            current_runtime()?;
        }
        // Mostly nothing here waits: whoever sends in a loop would keep the thread from writing what was sent.
        consume_budget().await;
        let plan = self.plan(CommunicationMode::Async, SendOptions::new());
        let admitted = self.admit(message.body().len(), &plan).await?;
        match self.begin_async(running, message, plan, admitted, Box::new(callback))? {
            None => Ok(()),
            Some(blocked) => self.boxed_unblocked(running, blocked).await,
        }
    }

    /// Begins a send, unless the write buffer is full.
    fn begin_async(
        self: &Arc<Self>,
        running: &Running,
        message: Message,
        plan: SendPlan,
        (permit, report): Admitted<'_>,
        callback: BoxedCallback,
    ) -> Result<Option<Blocked>, MQClientError> {
        if let Some(reserved) = running.reserve(&message) {
            self.check(running, &message)?;
            let permit = permit.held_by(self.clone());
            let mut callback = Callback::new(self, Taken::default(), callback);
            let answer = Answer::Callback(Box::new(move |sent| callback.call(sent)));
            reserved.join(self, running, message, Sender::new(&plan, report, permit, answer));
            return Ok(None);
        }
        let mut place = spare::take();
        place.0 = Some(CallbackSend {
            callback: Callback::new(self, permit.into_taken(), callback),
            stage: Stage::Sending(Sending::new(Prepared::new(message), plan, report), Onward::Begin),
            stored: None,
        });
        let mut send = Unstarted(Some(place));
        if let Some(sending) = send.sending() {
            running.preparation(&self.option).make_ready(&mut sending.prepared)?;
        }
        Ok(send.begin(self, running))
    }

    /// Writes a frame as soon as there is room for it.
    pub(super) async fn unblocked(&self, running: &Running, blocked: Blocked) -> Result<(), MQClientError> {
        let mut blocked = Some(blocked);
        while let Some(Blocked { mut send, connection }) = blocked {
            let Some(deadline) = send.deadline(self) else { break };
            blocked = match connection.wait_for_room(deadline).await {
                Ok(()) => send.write(self, running, &connection),
                Err(_) => send.go_on(running),
            };
        }
        Ok(())
    }
}

impl Unstarted {
    fn sending(&mut self) -> Option<&mut Sending> {
        match &mut self.0.as_mut()?.0.as_mut()?.stage {
            Stage::Sending(sending, _) => Some(sending),
            Stage::Ended(_) => None,
        }
    }

    /// When the attempt has to be over.
    fn deadline(&mut self, producer: &DefaultMQProducerImpl) -> Option<Instant> {
        match &self.0.as_mut()?.0.as_mut()?.stage {
            Stage::Sending(sending, Onward::Attempt(attempt)) => {
                Some(sending.deadline(&producer.option, attempt))
            }
            _ => None,
        }
    }

    fn begin(mut self, producer: &DefaultMQProducerImpl, running: &Running) -> Option<Blocked> {
        let Stage::Sending(sending, onward) = &mut self.0.as_mut()?.0.as_mut()?.stage else { return None };
        match producer.begin_lightly(running, sending) {
            Ok((attempt, connection)) => {
                *onward = Onward::Attempt(attempt);
                self.write(producer, running, &connection)
            }
            Err(elsewhere) => {
                *onward = elsewhere;
                self.go_on(running)
            }
        }
    }

    /// Puts the frame into the write buffer.
    fn write(
        mut self,
        producer: &DefaultMQProducerImpl,
        running: &Running,
        connection: &Connection,
    ) -> Option<Blocked> {
        let Stage::Sending(sending, Onward::Attempt(attempt)) = &self.0.as_mut()?.0.as_mut()?.stage else {
            return None;
        };
        match sending.begin_call(producer.means(running), attempt, connection) {
            Ok(Some(begun)) => {
                begun.then(self.0.take()?);
                None
            }
            Ok(None) => Some(Blocked { send: self, connection: connection.clone() }),
            // It cannot be written here, and nothing was attempted.
            Err(_) => self.go_on(running),
        }
    }

    /// Goes on in a task.
    fn go_on(mut self, running: &Running) -> Option<Blocked> {
        self.0.take()?.go_on(running);
        None
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        if let Some(send) = self.0.as_mut().and_then(|place| place.0.as_mut()) {
            send.callback.forget();
        }
    }
}

impl Place {
    /// Goes on in a task.
    fn go_on(mut self: Box<Self>, running: &Running) {
        running.tasks.spawn(async move {
            let Some(CallbackSend { callback, stage, .. }) = &mut self.0 else { return };
            let Stage::Sending(sending, onward) = stage else { return };
            // Also while the producer shuts down and finishes what was admitted.
            let Some(running) = callback.producer.started() else { return };
            let onward = std::mem::replace(onward, Onward::Begin);
            let sent = callback.producer.boxed_deliver_prepared(running, sending, onward).await;
            callback.producer.note(&sent, sending.plan.began);
            *stage = Stage::Ended(None);
            callback.call(sent.and_then(|sent| sent.ok_or(NO_RESULT)));
            spare::give_back(self);
        });
    }
}

impl CallbackSend {
    /// Sees how the attempt ended.
    fn conclude(&mut self, answer: Result<CommandView<'_>, CallError>, now: Instant) {
        let Self { callback: Callback { producer, .. }, stage, stored } = self;
        let Stage::Sending(sending, Onward::Attempt(attempt)) = stage else { return };
        let Some(running) = producer.started() else { return };
        let means = producer.means(running);
        *stored = answer.as_ref().ok().and_then(|answer| sending.stored(means, attempt, answer));
        if stored.is_some() {
            producer.stats.succeeded(now - sending.plan.began);
            producer.retried(sending.retries());
            return;
        }
        let attempt = attempt.clone();
        match sending.read_and_conclude(means, &attempt, answer) {
            Step::Done(outcome) => {
                producer.note_at(&outcome, sending.plan.began, now);
                producer.retried(sending.retries());
                *stage = Stage::Ended(Some(outcome.and_then(|sent| sent.ok_or(NO_RESULT))));
            }
            Step::Again(again) => {
                if let Stage::Sending(_, onward) = stage {
                    *onward = again;
                }
            }
        }
    }
}

impl Callback {
    fn new(producer: &Arc<DefaultMQProducerImpl>, taken: Taken, callback: BoxedCallback) -> Self {
        Self { producer: producer.clone(), taken, callback: Some(callback) }
    }

    /// Gives the permit back, and does not call.
    fn forget(&mut self) {
        self.callback = None;
        self.producer.permits().give_back(std::mem::take(&mut self.taken));
    }

    fn call(&mut self, sent: Outcome) {
        let Some(callback) = self.callback.take() else { return };
        // Before the callback, so that it can send again.
        self.producer.permits().give_back(self.taken);
        if catch_unwind(AssertUnwindSafe(|| callback(sent))).is_err() {
            self.producer.callback_panicked();
            tracing::error!("a send callback panicked");
        }
    }
}

impl OnAnswer for Place {
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant) {
        if let Some(send) = &mut self.0 {
            send.conclude(Ok(*answer), received);
        }
    }

    fn failed(&mut self, error: CallError) {
        if let Some(send) = &mut self.0 {
            send.conclude(Err(error), Instant::now());
        }
    }

    fn call(mut self: Box<Self>) {
        match &mut self.0 {
            Some(CallbackSend { callback, stage, stored: Some(stored) }) => {
                if let Stage::Sending(sending, Onward::Attempt(attempt)) = stage {
                    let result =
                        stored.result(callback.producer.option(), &sending.prepared, attempt.queue());
                    // The message goes first: its bytes are given back before the callback runs.
                    *stage = Stage::Ended(None);
                    callback.call(Ok(result));
                }
                spare::give_back(self);
            }
            Some(CallbackSend { callback, stage: Stage::Ended(outcome), .. }) => {
                if let Some(outcome) = outcome.take() {
                    callback.call(outcome);
                }
                spare::give_back(self);
            }
            Some(CallbackSend { callback, .. }) => {
                let producer = callback.producer.clone();
                if let Some(running) = producer.started() {
                    self.go_on(running);
                }
            }
            None => {}
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if self.callback.is_some() {
            // Its task, or that of its connection, was stopped: by a shutdown whose time was over or with its runtime.
            let context = Context::of(SendReport { given_up: true, ..SendReport::default() });
            self.call(Err(MQClientError::Abandoned { context }));
        }
    }
}
