use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::Connection;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::SendOptions;
use super::accumulator::{Answer, Reserved, Sender, outcome_of};
use super::default_mq_producer_impl::{
    CLIENT, DefaultMQProducerImpl, NO_RESULT, Outgoing, Running, current_runtime,
};
use super::permits::{NoPermit, Permit, Permits};
use super::prepared::Prepared;
use super::sending::{CurrentAttempt, Means, Onward, SendPlan, Sending, Step};
use crate::error::{Context, MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::model::{Message, SendResult};

/// What a send from another runtime gets on top of its deadline, so that the ordinary time-out comes first.
const ELSEWHERE_GRACE: Duration = Duration::from_millis(100);

/// The permit of a send, and a report if it had to wait for it.
pub(super) type Admitted<'a> = (Permit<&'a Permits>, Option<Box<SendReport>>);

/// The way of one send: its permit, its message made ready, its attempts.
impl DefaultMQProducerImpl {
    /// Waits for a permit, then sends. The permit is held until the outcome is known.
    ///
    /// What is rare here is boxed, as it would make the future of every send larger.
    pub(super) async fn send(
        self: &Arc<Self>,
        outgoing: Outgoing,
        options: SendOptions,
    ) -> Result<SendResult, MQClientError> {
        let running = self.running()?;
        let plan = self.plan(CommunicationMode::Sync, options);
        if running.is_elsewhere(current_runtime()?) {
            return self.boxed_send_from_elsewhere(running, outgoing, plan).await;
        }
        let (permit, report) = self.admit(outgoing.body_len(), &plan).await?;
        if let Some(reserved) = running.reserve_any(&outgoing) {
            return self.boxed_send_gathered(running, reserved, outgoing, plan, (permit, report)).await;
        }
        let mut sending = Sending::new(self.prepare(running, outgoing)?, plan, report);
        let step = match self.begin_lightly(running, &mut sending) {
            Ok((attempt, connection)) => {
                sending.attempt_lightly(self.means(running), attempt, &connection).await
            }
            Err(onward) => Step::Again(onward),
        };
        let sent = match step {
            Step::Done(outcome) => outcome,
            Step::Again(onward) => self.boxed_deliver_prepared(running, &mut sending, onward).await,
        };
        self.note(&sent, sending.plan.began);
        drop(permit);
        sent.and_then(|sent| sent.ok_or(NO_RESULT))
    }

    /// Sends without an answer.
    pub(super) async fn send_oneway(self: &Arc<Self>, message: Message) -> Result<(), MQClientError> {
        let running = self.running()?;
        let plan = self.plan(CommunicationMode::Oneway, SendOptions::new());
        let sending = pin!(async {
            let outgoing = Outgoing::Message(message);
            let (_permit, report) = self.admit(outgoing.body_len(), &plan).await?;
            let sent = self.deliver(running, outgoing, &plan, report).await;
            self.note(&sent, plan.began);
            sent.map(|_| ())
        });
        self.within_deadline(running, &plan, sending).await
    }

    pub(super) async fn send_from_elsewhere(
        self: &Arc<Self>,
        running: &Running,
        outgoing: Outgoing,
        plan: SendPlan,
    ) -> Result<SendResult, MQClientError> {
        let sending = pin!(async {
            let (permit, report) = self.admit(outgoing.body_len(), &plan).await?;
            if let Some(reserved) = running.reserve_any(&outgoing) {
                return self.send_gathered(running, reserved, outgoing, plan.clone(), (permit, report)).await;
            }
            let sent = self.deliver(running, outgoing, &plan, report).await;
            self.note(&sent, plan.began);
            drop(permit);
            sent.and_then(|sent| sent.ok_or(NO_RESULT))
        });
        self.within_deadline(running, &plan, sending).await
    }

    /// Sends a message in a batch with others.
    pub(super) async fn send_gathered(
        self: &Arc<Self>,
        running: &Running,
        reserved: Reserved<'_>,
        outgoing: Outgoing,
        plan: SendPlan,
        (permit, report): Admitted<'_>,
    ) -> Result<SendResult, MQClientError> {
        // Nothing else is gathered.
        let Outgoing::Message(message) = outgoing else { return Err(NO_RESULT) };
        self.check(running, &message)?;
        let (answer, outcome) = oneshot::channel();
        reserved.join(
            self,
            running,
            message,
            Sender::new(&plan, report, permit.held_by(self.clone()), Answer::Task(answer)),
        );
        outcome_of(outcome).await
    }

    /// Begins a send that has nothing to do but to write a frame and to wait for its answer, as nearly all. The error says
    /// where any other goes on.
    pub(super) fn begin_lightly(
        &self,
        running: &Running,
        sending: &mut Sending,
    ) -> Result<(CurrentAttempt, Connection), Onward> {
        if self.is_to_be_compressed(running, sending) {
            return Err(Onward::Begin);
        }
        let means = self.means(running);
        let now = if sending.waited_for_nothing() { sending.plan.began } else { Instant::now() };
        let Some(Ok(attempt)) = sending.begin_known(means, now) else { return Err(Onward::Begin) };
        match sending.open_connection(means, &attempt) {
            Some(connection) => Ok((attempt, connection)),
            None => Err(Onward::Attempt(attempt)),
        }
    }

    /// Runs a send. Deadlines are kept by tasks of the runtime that the producer was started on; nobody can tell from
    /// another one whether that still runs.
    pub(super) async fn within_deadline<T>(
        &self,
        running: &Running,
        plan: &SendPlan,
        sending: Pin<&mut impl Future<Output = Result<T, MQClientError>>>,
    ) -> Result<T, MQClientError> {
        if !running.is_elsewhere(current_runtime()?) {
            return sending.await;
        }
        let timed = timeout_at(plan.deadline() + ELSEWHERE_GRACE, sending);
        timed.await.unwrap_or_else(|_| {
            Err(MQClientError::TimedOut {
                timeout: plan.timeout,
                waited_for: "the runtime on which the producer was started: it does not run any more, or is blocked",
                context: Context::of(SendReport { given_up: true, ..SendReport::default() }),
            })
        })
    }

    /// Waits until one more send may be in flight. There is a report if it had to wait.
    pub(super) async fn admit(&self, body: usize, plan: &SendPlan) -> Result<Admitted<'_>, MQClientError> {
        match self.permits.try_acquire(body) {
            Some(permit) => Ok((permit, None)),
            None => self.boxed_wait_for_permit(body, plan).await,
        }
    }

    pub(super) async fn wait_for_permit(
        &self,
        body: usize,
        plan: &SendPlan,
    ) -> Result<Admitted<'_>, MQClientError> {
        let permit = self.permits.acquire(body, plan.deadline()).await;
        let waited_for_permits = plan.began.elapsed();
        let report = Box::new(SendReport { waited_for_permits, ..SendReport::default() });
        match permit {
            Ok(permit) => Ok((permit, Some(report))),
            Err(NoPermit::Closed) => Err(MQClientError::ShutDown { client: CLIENT }),
            Err(NoPermit::TimedOut) => {
                self.stats.failed(false);
                Err(MQClientError::TimedOut {
                    timeout: plan.timeout,
                    waited_for: "permits: too many sends, or bytes, in flight",
                    context: Context::of(*report),
                })
            }
        }
    }

    /// Hands a request to a broker, with as many attempts as it takes.
    pub(super) async fn deliver(
        &self,
        running: &Running,
        outgoing: Outgoing,
        plan: &SendPlan,
        report: Option<Box<SendReport>>,
    ) -> Result<Option<SendResult>, MQClientError> {
        let prepared = self.prepare(running, outgoing)?;
        self.deliver_prepared(running, &mut Sending::new(prepared, plan.clone(), report), Onward::Begin).await
    }

    /// The same with a message that is prepared, and perhaps was attempted before.
    pub(super) async fn deliver_prepared(
        &self,
        running: &Running,
        sending: &mut Sending,
        onward: Onward,
    ) -> Result<Option<SendResult>, MQClientError> {
        if self.is_to_be_compressed(running, sending) {
            sending.prepared.compress(&self.option).await?;
        }
        let sent = sending.send_default_impl(self.means(running), onward).await;
        self.retried(sending.retries());
        sent
    }

    /// Checks a message and gives it what all attempts share.
    pub(super) fn prepare(&self, running: &Running, outgoing: Outgoing) -> Result<Prepared, MQClientError> {
        running.preparation(&self.option).prepare(outgoing)
    }

    pub(super) fn is_to_be_compressed(&self, running: &Running, sending: &Sending) -> bool {
        running.preparation(&self.option).is_to_be_compressed(&sending.prepared)
    }

    pub(super) fn means<'a>(&'a self, running: &'a Running) -> Means<'a> {
        Means {
            instance: &running.instance,
            routes: &running.routes,
            option: &self.option,
            faults: &running.faults,
            producer_group: &running.producer_group,
        }
    }
}
