use std::future::poll_fn;
use std::task::Poll;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{BegunCall, CallError, Connection};
use rocketmq_remoting::protocol::{CommandRef, CommandView};
use tokio::time::Instant;

use super::PreparedSend;
use super::send_kernel::dialled_address;
use crate::error::MQClientError;
use crate::hook::CommunicationMode;
use crate::producer::default_mq_producer_impl::{DefaultMQProducerImpl, RunningProducer};
use crate::producer::machine::{QueueAttempt, SendEvent, SendStep};
use crate::producer::wire::{Receipt, SendAnswer};

/// The shortcut for nearly every send: route and connection are known, no hook watches, nothing is compressed, so the
/// first attempt only writes a frame and waits for its answer. These functions carry out the machine's first steps in
/// place, without the box and the loop of [`send_default_impl`](DefaultMQProducerImpl::send_default_impl), which takes
/// over any other step.
impl DefaultMQProducerImpl {
    /// Chooses the queue of the first attempt, if the attempt can be made at once. An `Err` is the step to continue
    /// with.
    #[inline]
    pub(super) fn begin_at_once(
        &self,
        running: &RunningProducer,
        send: &mut PreparedSend<Receipt>,
    ) -> Result<(QueueAttempt, Connection), SendStep<Receipt>> {
        if running.preparation(&self.option).is_to_be_compressed(&send.prepared) {
            return Err(SendStep::ChooseQueue);
        }
        // Reuse the time of the call: reading the clock takes longer than the rest of this function.
        let now = send.machine.begins_at().unwrap_or_else(Instant::now);
        let Some((route, place)) = self.choose_known_queue(running, send) else {
            return Err(SendStep::ChooseQueue);
        };
        match send.machine.step(now, SendEvent::QueueChosen(route, place)) {
            SendStep::Write(attempt) => match self.open_connection(running, send, &attempt) {
                Some(connection) => Ok((attempt, connection)),
                None => Err(SendStep::Write(attempt)),
            },
            step => Err(step),
        }
    }

    /// Makes an attempt, and returns the step that follows it.
    #[inline]
    pub(super) async fn attempt_at_once(
        &self,
        running: &RunningProducer,
        send: &mut PreparedSend<Receipt>,
        attempt: QueueAttempt,
        connection: &Connection,
    ) -> SendStep<Receipt> {
        let begun = poll_fn(|cx| {
            let begun = self.begin_call(running, send, &attempt, connection);
            Poll::Ready(begun.ok().flatten().map(|begun| begun.wait(cx.waker())))
        });
        // The buffer is full, or the connection has just ended. Nothing was attempted: the loop takes the step again.
        let Some(pending) = begun.await else { return SendStep::Write(attempt) };
        match pending.await {
            Ok(answer) => self.answered(running, send, attempt, Ok(&answer.view()), Instant::now()),
            Err(error) => self.answered(running, send, attempt, Err(error), Instant::now()),
        }
    }

    /// The next step after an attempt has its answer, or its error.
    #[inline]
    pub(super) fn answered(
        &self,
        running: &RunningProducer,
        send: &mut PreparedSend<Receipt>,
        attempt: QueueAttempt,
        answer: Result<&CommandView<'_>, CallError>,
        now: Instant,
    ) -> SendStep<Receipt> {
        let choice = attempt.choice();
        let answered = match answer {
            Ok(answer) => {
                Receipt::read(SendAnswer::Framed(answer), &send.prepared, choice.queue, choice.address)
            }
            Err(source) => {
                let error = RemotingError::call(&dialled_address(&self.option, choice.address), source);
                Err(MQClientError::from_remoting(choice.queue.broker_name(), error))
            }
        };
        self.tell(running, &mut send.machine, now, SendEvent::Answered(attempt, answered))
    }

    /// The connection for an attempt, if it is open and no hook wants to see the attempt.
    fn open_connection(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<Receipt>,
        attempt: &QueueAttempt,
    ) -> Option<Connection> {
        let remoting = running.instance.api().remoting();
        if self.option.hooks().watch_sends() || remoting.has_hooks() {
            return None;
        }
        debug_assert_ne!(send.machine.plan().mode, CommunicationMode::Oneway, "no receipt");
        let choice = attempt.choice();
        choice.connection.get_or(|| remoting.connection(&dialled_address(&self.option, choice.address)))
    }

    /// Puts the frame of an attempt into the write buffer. Nothing was attempted if the buffer is full (`None`) or the
    /// frame cannot be written (an error).
    pub(super) fn begin_call<'c>(
        &self,
        running: &RunningProducer,
        send: &PreparedSend<Receipt>,
        attempt: &QueueAttempt,
        connection: &'c Connection,
    ) -> Result<Option<BegunCall<'c>>, CallError> {
        let properties = send.prepared.properties();
        let header = self.header(running, &send.prepared, attempt, &properties);
        let request = CommandRef::request(header.code(), &header).with_body(send.prepared.body());
        connection.begin_call(&request, send.machine.attempt_deadline(attempt))
    }
}
