use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rocketmq_remoting::net::{CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::RemotingCommand;
use tokio::task::coop::consume_budget;

use super::SendOptions;
use super::accumulator::{Answer, Sender};
use super::default_mq_producer_impl::{DefaultMQProducerImpl, NO_RESULT, Outgoing, Running, current_runtime};
use super::permits::{HasPermits, Taken};
use super::sending::{CurrentAttempt, Onward, Sending, Step};
use crate::error::{MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::model::{Message, SendResult};

/// A user's callback. It runs exactly once: with the outcome, or, when the send is dropped on the way, with an error.
struct Callback<F: FnOnce(Result<SendResult, MQClientError>)> {
    producer: Arc<DefaultMQProducerImpl>,
    /// The permit of the send, if it is held here.
    taken: Taken,
    callback: Option<F>,
}

/// A send that ends in a callback.
///
/// Mostly no task waits for it: its first attempt goes into the write buffer at once, and all of it then waits among the
/// requests in flight. Whatever takes longer than that goes on in a task.
struct CallbackSend<F: FnOnce(Result<SendResult, MQClientError>)> {
    /// Mostly a box that had another one in it before. Empty at the end.
    sending: Box<Option<Sending>>,
    /// The attempt whose answer is waited for.
    attempt: Option<CurrentAttempt>,
    callback: Callback<F>,
}

/// A send of which nothing is written yet. Dropped, it is as if it had never been.
struct Unstarted<F: FnOnce(Result<SendResult, MQClientError>)>(Option<Box<CallbackSend<F>>>);

impl DefaultMQProducerImpl {
    /// Admits a message, sends it and has the outcome go to a callback.
    pub(super) async fn send_async<F>(
        self: &Arc<Self>,
        message: Message,
        callback: F,
    ) -> Result<(), MQClientError>
    where
        F: FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
    {
        let running = self.running()?;
        current_runtime()?;
        // Mostly nothing here waits: whoever sends in a loop would keep the thread from writing what was sent.
        consume_budget().await;
        let plan = self.plan(CommunicationMode::Async, SendOptions::new());
        let outgoing = Outgoing::Message(message);
        let (permit, report) = self.admit(&outgoing, &plan).await?;
        match (running.reserve(&outgoing, plan.mode), outgoing) {
            (Some(reserved), Outgoing::Message(message)) => {
                self.check(running, &message)?;
                let permit = permit.held_by(self.clone());
                let mut callback = Callback::new(self, Taken::default(), callback);
                let answer = Answer::Callback(Box::new(move |sent| callback.call(sent)));
                reserved.join(self, running, message, Sender::new(&plan, report, permit, answer));
            }
            (_, outgoing) => {
                let sending = self.spare.boxed(Sending::new(self.prepare(running, outgoing)?, plan, report));
                let callback = Callback::new(self, permit.into_taken(), callback);
                let send = Box::new(CallbackSend { sending, attempt: None, callback });
                Unstarted(Some(send)).start(running).await;
            }
        }
        Ok(())
    }
}

impl<F> Unstarted<F>
where
    F: FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
{
    /// Sends. It waits for room in the write buffer alone: what takes longer goes on in a task.
    async fn start(mut self, running: &Running) {
        let Some(send) = &mut self.0 else { return };
        let Some(sending) = &mut *send.sending else { return };
        let onward = match send.callback.producer.begin_lightly(running, sending) {
            Ok((attempt, connection)) => match self.write(running, attempt, &connection).await {
                Ok(()) => return,
                Err(attempt) => Onward::Attempt(attempt),
            },
            Err(onward) => onward,
        };
        if let Some(send) = self.0.take() {
            send.go_on(running, onward);
        }
    }

    /// Puts the frame into the write buffer. The error says that it cannot be, and nothing was attempted.
    async fn write(
        &mut self,
        running: &Running,
        attempt: CurrentAttempt,
        connection: &Connection,
    ) -> Result<(), CurrentAttempt> {
        loop {
            let Some(send) = &self.0 else { return Ok(()) };
            let Some(sending) = &*send.sending else { return Ok(()) };
            let means = send.callback.producer.means(running);
            match sending.begin_call(means, &attempt, connection) {
                Ok(Some(begun)) => {
                    if let Some(mut send) = self.0.take() {
                        send.attempt = Some(attempt);
                        begun.then(send);
                    }
                    return Ok(());
                }
                Ok(None) => {}
                Err(_) => return Err(attempt),
            }
            let deadline = sending.deadline(means.option, &attempt);
            if Box::pin(connection.wait_for_room(deadline)).await.is_err() {
                return Err(attempt);
            }
        }
    }
}

impl<F: FnOnce(Result<SendResult, MQClientError>)> Drop for Unstarted<F> {
    fn drop(&mut self) {
        if let Some(send) = &mut self.0 {
            send.callback.forget();
        }
    }
}

impl<F> CallbackSend<F>
where
    F: FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
{
    /// Goes on in a task.
    fn go_on(mut self: Box<Self>, running: &Running, onward: Onward) {
        running.instance.tasks().spawn(async move {
            let producer = self.callback.producer.clone();
            // Also while the producer shuts down and finishes what was admitted.
            let Some(running) = producer.started() else { return };
            let Some(sending) = &mut *self.sending else { return };
            let sent = producer.boxed_deliver_prepared(running, sending, onward).await;
            self.finish(sent);
        });
    }

    fn finish(self, sent: Result<Option<SendResult>, MQClientError>) {
        let Self { sending, mut callback, .. } = self;
        if let Some(sending) = &*sending {
            callback.producer.note(&sent, sending.plan.began);
        }
        callback.producer.spare.give_back(sending);
        callback.call(sent.and_then(|sent| sent.ok_or(NO_RESULT)));
    }
}

impl<F: FnOnce(Result<SendResult, MQClientError>)> Callback<F> {
    fn new(producer: &Arc<DefaultMQProducerImpl>, taken: Taken, callback: F) -> Self {
        Self { producer: producer.clone(), taken, callback: Some(callback) }
    }

    /// Gives the permit back, and does not call.
    fn forget(&mut self) {
        self.callback = None;
        self.producer.permits().give_back(std::mem::take(&mut self.taken));
    }

    fn call(&mut self, sent: Result<SendResult, MQClientError>) {
        let Some(callback) = self.callback.take() else { return };
        // Before the callback, so that it can send again.
        self.producer.permits().give_back(self.taken);
        if catch_unwind(AssertUnwindSafe(|| callback(sent))).is_err() {
            self.producer.callback_panicked();
            tracing::error!("a send callback panicked");
        }
    }
}

impl<F> OnAnswer for CallbackSend<F>
where
    F: FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
{
    fn answered(mut self: Box<Self>, answer: Result<RemotingCommand, CallError>) {
        let (Some(running), Some(attempt)) = (self.callback.producer.started(), self.attempt.take()) else {
            return;
        };
        let means = self.callback.producer.means(running);
        let Some(sending) = &mut *self.sending else { return };
        match sending.read_and_conclude(means, &attempt, answer) {
            Step::Done(outcome) => {
                self.callback.producer.retried(sending.retries());
                self.finish(outcome);
            }
            Step::Again(onward) => {
                let producer = self.callback.producer.clone();
                if let Some(running) = producer.started() {
                    self.go_on(running, onward);
                }
            }
        }
    }
}

impl<F: FnOnce(Result<SendResult, MQClientError>)> Drop for Callback<F> {
    fn drop(&mut self) {
        if self.callback.is_some() {
            // Its task, or that of its connection, was stopped: by a shutdown whose time was over or with its runtime.
            let report = Box::new(SendReport { given_up: true, ..SendReport::default() });
            self.call(Err(MQClientError::Abandoned { report }));
        }
    }
}
