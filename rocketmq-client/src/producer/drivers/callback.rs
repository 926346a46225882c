use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rocketmq_remoting::net::{CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::CommandView;
use tokio::task::coop::consume_budget;
use tokio::task::try_id;
use tokio::time::Instant;

use super::admission::{Admitted, abandoned};
use super::{PreparedSend, slot_pool};
use crate::error::MQClientError;
use crate::hook::CommunicationMode;
use crate::model::{Message, SendResult};
use crate::producer::accumulator::Answer;
use crate::producer::default_mq_producer_impl::{
    BoxFuture, DefaultMQProducerImpl, RunningProducer, current_runtime,
};
use crate::producer::machine::{SendPlan, SendStep};
use crate::producer::permits::Taken;
use crate::producer::send_options::SendOptions;
use crate::producer::wire::{Receipt, Submission};

/// The argument of a callback.
type CallbackResult = Result<SendResult, MQClientError>;

/// A user's callback, of any type.
type BoxedCallback = Box<dyn FnOnce(CallbackResult) + Send>;

/// A user's callback. It runs exactly once: with the outcome, or with an error if the send is dropped before.
struct Callback {
    producer: Arc<DefaultMQProducerImpl>,
    /// The permit of the send, if it is held here.
    taken: Taken,
    callback: Option<BoxedCallback>,
}

/// A send with a callback.
///
/// Usually no task waits for it: its first attempt goes into the write buffer at once, and the whole send then waits
/// in its slot of the in-flight table. A send that takes more steps continues in a task.
struct CallbackSend {
    callback: Callback,
    /// The message with its next step, until the callback is about to run.
    on_its_way: Option<(PreparedSend<Receipt>, SendStep<Receipt>)>,
}

/// The reusable memory of a send: holds it while it is in progress, empty before and after.
#[derive(Default)]
pub(super) struct CallbackSlot(Option<CallbackSend>);

/// A send whose frame is not written yet. Dropping it drops the callback without a call.
struct UnwrittenSend(Option<Box<CallbackSlot>>);

/// A send that waits for room in a write buffer.
struct BlockedSend {
    send: UnwrittenSend,
    connection: Connection,
}

impl DefaultMQProducerImpl {
    /// Admits a message, sends it and passes the outcome to a callback. Waits only for its permit and for room in the
    /// write buffer; longer waits happen in a task.
    pub(in crate::producer) async fn send_async<F>(
        self: &Arc<Self>,
        mut message: Message,
        callback: F,
    ) -> Result<(), MQClientError>
    where
        F: FnOnce(CallbackResult) + Send + 'static,
    {
        let running = self.running()?;
        if try_id().is_none() {
            // Outside a task there may be no runtime at all.
            current_runtime()?;
        }
        // Usually nothing below waits: without a yield, a caller that sends in a loop would keep its thread from
        // writing.
        consume_budget().await;
        let mut plan = self.plan(CommunicationMode::Async, SendOptions::new());
        self.begin_span_of(running, &mut plan, &mut message, false);
        let admitted = self.admit(message.body().len(), &plan).await?;
        match self.begin_async(running, message, plan, admitted, Box::new(callback))? {
            None => Ok(()),
            Some(blocked) => self.write_when_unblocked(running, blocked).await,
        }
    }

    /// Begins a send. Returns it if the write buffer is full.
    fn begin_async(
        self: &Arc<Self>,
        running: &RunningProducer,
        mut message: Message,
        plan: SendPlan,
        (permit, report): Admitted<'_>,
        callback: BoxedCallback,
    ) -> Result<Option<BlockedSend>, MQClientError> {
        if let Some(reserved) = running.reserve(&mut message) {
            let permit = permit.held_by(self.permits.clone());
            let mut callback = Callback::new(self, Taken::default(), callback);
            let answer = Answer::Callback(Box::new(move |sent| callback.call(sent)));
            let send = PreparedSend::new(Submission::Message(message), plan, report);
            self.gather(running, reserved, send, permit, answer)?;
            return Ok(None);
        }
        let mut slot = slot_pool::take();
        slot.0 = Some(CallbackSend {
            callback: Callback::new(self, permit.into_taken(), callback),
            on_its_way: Some((
                PreparedSend::new(Submission::Message(message), plan, report),
                SendStep::ChooseQueue,
            )),
        });
        let mut send = UnwrittenSend(Some(slot));
        if let Some((send, _)) = send.on_its_way() {
            self.make_ready(running, send)?;
        }
        Ok(send.begin(self, running))
    }

    /// Writes the frame when there is room for it.
    fn write_when_unblocked<'a>(
        &'a self,
        running: &'a RunningProducer,
        blocked: BlockedSend,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut blocked = Some(blocked);
            while let Some(BlockedSend { mut send, connection }) = blocked {
                let Some((PreparedSend { machine, .. }, SendStep::Write(attempt))) = send.on_its_way() else {
                    break;
                };
                blocked = match connection.wait_for_room(machine.attempt_deadline(attempt)).await {
                    Ok(()) => send.write(self, running, &connection),
                    Err(_) => send.go_on(running),
                };
            }
            Ok(())
        })
    }
}

impl UnwrittenSend {
    fn on_its_way(&mut self) -> Option<&mut (PreparedSend<Receipt>, SendStep<Receipt>)> {
        self.0.as_mut()?.0.as_mut()?.on_its_way.as_mut()
    }

    fn begin(mut self, producer: &DefaultMQProducerImpl, running: &RunningProducer) -> Option<BlockedSend> {
        let (send, step) = self.on_its_way()?;
        match producer.begin_at_once(running, send) {
            Ok((attempt, connection)) => {
                *step = SendStep::Write(attempt);
                self.write(producer, running, &connection)
            }
            Err(later) => {
                *step = later;
                self.go_on(running)
            }
        }
    }

    /// Puts the frame into the write buffer. Returns the send if the buffer is full.
    fn write(
        mut self,
        producer: &DefaultMQProducerImpl,
        running: &RunningProducer,
        connection: &Connection,
    ) -> Option<BlockedSend> {
        let (send, SendStep::Write(attempt)) = self.on_its_way()? else { return None };
        match producer.begin_call(running, send, attempt, connection) {
            Ok(Some(begun)) => {
                begun.then(self.0.take()?);
                None
            }
            Ok(None) => Some(BlockedSend { send: self, connection: connection.clone() }),
            // Nothing was attempted: let the loop take the step again, and report its error.
            Err(_) => self.go_on(running),
        }
    }

    /// Continues in a task.
    fn go_on(mut self, running: &RunningProducer) -> Option<BlockedSend> {
        self.0.take()?.go_on(running);
        None
    }
}

impl Drop for UnwrittenSend {
    fn drop(&mut self) {
        if let Some(send) = self.0.as_mut().and_then(|slot| slot.0.as_mut()) {
            send.callback.forget();
        }
    }
}

impl CallbackSlot {
    /// Continues in a task.
    fn go_on(mut self: Box<Self>, running: &RunningProducer) {
        running.tasks.spawn(async move {
            let Some(CallbackSend { callback, on_its_way: Some((send, step)) }) = &mut self.0 else { return };
            // `started`, not `running`: a producer that shuts down finishes its admitted sends.
            let Some(running) = callback.producer.started() else { return };
            let next = mem::replace(step, SendStep::ChooseQueue);
            let sent = callback.producer.send_default_impl(running, send, next).await;
            self.finish(sent);
        });
    }

    /// Passes the outcome to the callback, and returns the memory to the pool.
    fn finish(mut self: Box<Self>, sent: Result<Receipt, MQClientError>) {
        if let Some(CallbackSend { callback, on_its_way }) = &mut self.0 {
            let option = callback.producer.option();
            let sent = match on_its_way {
                Some((send, _)) => send.outcome(option, sent),
                None => return,
            };
            // Drop the message first: its memory is free before the callback runs.
            *on_its_way = None;
            callback.call(sent);
        }
        slot_pool::give_back(self);
    }

    /// Tells the machine the result of the attempt.
    fn tell(&mut self, answer: Result<&CommandView<'_>, CallError>, now: Instant) {
        let Some(CallbackSend { callback, on_its_way: Some((send, step)) }) = &mut self.0 else { return };
        let Some(running) = callback.producer.started() else { return };
        if let SendStep::Write(attempt) = mem::replace(step, SendStep::ChooseQueue) {
            *step = callback.producer.answered(running, send, attempt, answer, now);
        }
    }
}

impl OnAnswer for CallbackSlot {
    fn answered(&mut self, answer: &CommandView<'_>, received: Instant) {
        self.tell(Ok(answer), received);
    }

    fn failed(&mut self, error: CallError) {
        self.tell(Err(error), Instant::now());
    }

    fn call(mut self: Box<Self>) {
        let Some(CallbackSend { callback, on_its_way: Some((_, step)) }) = &mut self.0 else { return };
        match mem::replace(step, SendStep::ChooseQueue) {
            SendStep::Done(sent) => self.finish(sent),
            next => {
                *step = next;
                let producer = callback.producer.clone();
                if let Some(running) = producer.started() {
                    self.go_on(running);
                }
            }
        }
    }
}

impl Callback {
    fn new(producer: &Arc<DefaultMQProducerImpl>, taken: Taken, callback: BoxedCallback) -> Self {
        Self { producer: producer.clone(), taken, callback: Some(callback) }
    }

    /// Returns the permit and drops the callback without a call.
    fn forget(&mut self) {
        self.callback = None;
        self.producer.permits.give_back(mem::take(&mut self.taken));
    }

    fn call(&mut self, sent: CallbackResult) {
        let Some(callback) = self.callback.take() else { return };
        // Return the permit before the callback runs, so that the callback can send again.
        self.producer.permits.give_back(self.taken);
        if catch_unwind(AssertUnwindSafe(|| callback(sent))).is_err() {
            self.producer.stats.callback_panicked();
            tracing::error!("a send callback panicked");
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if self.callback.is_some() {
            self.call(Err(abandoned()));
        }
    }
}
