//! Drivers carry out the decisions of a send's [machine](super::machine).
//!
//! - [`PreparedSend`]: a message with its machine; the loop over its steps, `send_default_impl`
//! - `admission`: the permit before a send, and the deadline of a send from another runtime
//! - `at_once`: the shortcut for a first attempt that only writes a frame
//! - `send_kernel`: one attempt, with the hooks around it
//! - `awaited`: sends whose caller waits for the result
//! - `callback`, `slot_pool`: sends with a callback, and the pool of their memory
//! - `oneway`: sends without a result
//! - `gathered`: batches of single sends
//! - `request_reply`: requests that wait for the reply of a consumer

mod admission;
mod at_once;
mod awaited;
mod callback;
mod gathered;
mod oneway;
mod request_reply;
mod send_kernel;
mod slot_pool;

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::default_mq_producer_impl::{BoxFuture, DefaultMQProducerImpl, RunningProducer};
use super::machine::{SendEvent, SendMachine, SendPlan, SendStep, is_stale_route};
use super::wire::{Prepared, Submission};
use crate::conf::ProducerOption;
use crate::error::{MQClientError, SendReport};
use crate::factory::TopicPublishInfo;
use send_kernel::Deliver;

pub(super) use gathered::{send_batch, send_due_batches};

/// A message that is ready to be sent, with its machine.
#[derive(Debug)]
struct PreparedSend<T> {
    prepared: Prepared,
    machine: SendMachine<T>,
}

impl<T: Deliver> PreparedSend<T> {
    /// A submission with its permit, not prepared yet.
    #[inline]
    fn new(submission: Submission, plan: SendPlan, report: Option<Box<SendReport>>) -> Self {
        Self { prepared: Prepared::new(submission), machine: SendMachine::new(plan, report) }
    }

    /// The outcome in the caller's form.
    #[inline]
    fn outcome(
        &self,
        option: &ProducerOption,
        sent: Result<T, MQClientError>,
    ) -> Result<T::Outcome, MQClientError> {
        match sent {
            Ok(delivered) => Ok(delivered.into_outcome(option, &self.prepared)),
            Err(error) => Err(error.during("send").of_topic(self.prepared.topic())),
        }
    }
}

impl DefaultMQProducerImpl {
    /// Sends an admitted submission, with as many attempts as needed.
    async fn deliver<T: Deliver>(
        &self,
        running: &RunningProducer,
        mut send: PreparedSend<T>,
    ) -> Result<T::Outcome, MQClientError> {
        self.make_ready(running, &mut send)?;
        let sent = self.send_default_impl(running, &mut send, SendStep::ChooseQueue).await;
        send.outcome(&self.option, sent)
    }

    /// Makes a message ready for all its attempts.
    #[inline]
    fn make_ready<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &mut PreparedSend<T>,
    ) -> Result<(), MQClientError> {
        let ready = running.preparation(&self.option).make_ready(&mut send.prepared);
        let span = &send.machine.plan().span;
        match &ready {
            Ok(()) => span.has_id(send.prepared.msg_id()),
            Err(error) => span.end(Some(error)),
        }
        ready
    }

    /// Carries out steps from `step` on, until there is an outcome. Java: `sendDefaultImpl`.
    fn send_default_impl<'a, T: Deliver>(
        &'a self,
        running: &'a RunningProducer,
        send: &'a mut PreparedSend<T>,
        mut step: SendStep<T>,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            // Once for all attempts; the shortcut sends no such message.
            if running.preparation(&self.option).is_to_be_compressed(&send.prepared) {
                let deadline = send.machine.plan().deadline();
                // In time or not: on this thread the work itself may take longer, and no timer interrupts it.
                timeout_at(deadline, send.prepared.compress(&self.option)).await.unwrap_or(Ok(()))?;
                if Instant::now() >= deadline {
                    let late =
                        SendEvent::Late("compression of the body: it is large, or the threads are busy");
                    step = self.tell(running, &mut send.machine, Instant::now(), late);
                }
            }
            loop {
                let event = match step {
                    SendStep::ChooseQueue => self.choose_queue(running, send).await,
                    SendStep::Register(attempt) => {
                        let deadline = send.machine.attempt_deadline(&attempt);
                        let registered = running.instance.reach(attempt.choice().address, deadline).await;
                        SendEvent::Registered(attempt, registered)
                    }
                    SendStep::Write(attempt) => {
                        // Borrows the attempt: the event takes it back, so that the machine knows which attempt ended.
                        let answered = self.send_kernel_impl(running, send, &attempt).await;
                        SendEvent::Answered(attempt, answered)
                    }
                    SendStep::RefreshRoute(look) => {
                        tokio::time::sleep_until(look.since).await;
                        let topic = send.prepared.topic();
                        running.instance.refresh_route(topic, look.since, look.until).await;
                        SendEvent::RouteRefreshed(look)
                    }
                    SendStep::WaitUntil(time) => {
                        tokio::time::sleep_until(time).await;
                        SendEvent::Waited
                    }
                    SendStep::Done(outcome) => return outcome,
                };
                step = self.tell(running, &mut send.machine, Instant::now(), event);
            }
        })
    }

    async fn choose_queue<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<T>,
    ) -> SendEvent<T> {
        let (asked, plan) = (Instant::now(), send.machine.plan());
        if asked >= plan.deadline() {
            return SendEvent::Late("a thread to run on");
        }
        if let Some((route, place)) = self.choose_known_queue(running, send) {
            return SendEvent::QueueChosen(route, place);
        }
        let route = running.routes.find(send.prepared.topic(), plan.timeout, plan.deadline()).await;
        let found = route.and_then(|route| {
            let place = self.choose(running, send, &route).ok_or_else(|| no_queue(&send.prepared))?;
            Ok((route, place))
        });
        SendEvent::RouteLookedUp { asked, found }
    }

    /// A queue of a known route. `None` if the route must be looked up, or lacks the queue.
    #[inline]
    fn choose_known_queue<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<T>,
    ) -> Option<(Arc<TopicPublishInfo>, usize)> {
        let route = running.routes.known(send.prepared.topic())?;
        let place = self.choose(running, send, &route)?;
        Some((route, place))
    }

    /// The index of the queue for the next attempt.
    #[inline]
    fn choose<T: Deliver>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<T>,
        route: &TopicPublishInfo,
    ) -> Option<usize> {
        let choice = match &send.machine.plan().queue {
            Some(queue) => route.find(queue.broker_name(), queue.queue_id()),
            None => running.faults.select(route, send.machine.avoided_broker()),
        };
        choice.map(|choice| choice.place)
    }

    /// Tells an event to the machine, which decides the next step, and to all others that learn from it: fault
    /// strategy, routes, counters.
    ///
    /// Always inlined: events and steps contain receipts, which each call would copy.
    #[inline(always)]
    fn tell<T: Deliver>(
        &self,
        running: &RunningProducer,
        machine: &mut SendMachine<T>,
        now: Instant,
        event: SendEvent<T>,
    ) -> SendStep<T> {
        if let Some((attempt, failure)) = event.ended_attempt() {
            running.faults.note(attempt.broker(), attempt.began, failure);
            machine.plan().span.attempted(attempt.choice().queue, attempt.choice().address, failure);
            running.instance.api().peers().sent(attempt.choice().address, failure);
            if failure.is_some_and(is_stale_route) {
                // Also for later sends: this send may end without a look-up of its own.
                running.instance.want_fresh_routes();
            }
        }
        let step = machine.step(now, event);
        if let SendStep::Done(outcome) = &step {
            self.stats.retried(machine.retries());
            // Each send of a gathered batch counts by itself, when it gets its outcome.
            if !machine.plan().is_gathered {
                self.note(outcome, machine.plan(), now);
            }
        }
        step
    }
}

#[cold]
fn no_queue(prepared: &Prepared) -> MQClientError {
    MQClientError::BrokerNotFound {
        topic: Arc::from(prepared.message.topic()),
        answers: Box::default(),
        hint: "the topic has a route, but not this queue on a broker with a master: fetch its queues again",
        context: Box::default(),
    }
}
