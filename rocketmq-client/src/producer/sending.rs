use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use tokio::time::Instant;

use super::prepared::Prepared;
use super::retry::{Verdict, pause};
use super::send_kernel::{Attempted, send_kernel_impl};
use crate::conf::{ProducerOption, millis};
use crate::error::{Attempt, MQClientError, SendReport, with_causes};
use crate::factory::{Choice, MQClientInstance, TopicPublishInfo};
use crate::hook::CommunicationMode;
use crate::latency::MQFaultStrategy;
use crate::model::{SendResult, SendStatus};

/// How a message is to be sent.
#[derive(Debug, Clone)]
pub(super) struct SendPlan {
    pub(super) mode: CommunicationMode,
    pub(super) began: Instant,
    /// The whole budget.
    pub(super) timeout: Duration,
    /// Attempts after the first one.
    pub(super) retries: u32,
    /// The only queue that it may go to.
    pub(super) queue: Option<MessageQueue>,
    /// The broker must be able to push to this client: it is a request.
    pub(super) wants_reply: bool,
}

impl SendPlan {
    pub(super) fn deadline(&self) -> Instant {
        self.began + self.timeout
    }
}

/// The outcome of an attempt that another one may better. Boxed, as all that is rare.
type SoFar = Box<Result<SendResult, MQClientError>>;

/// When another attempt begins.
#[derive(Debug, Clone, Copy)]
struct Next {
    /// When the last one failed.
    failed: Instant,
    /// Not before this.
    resume: Instant,
    /// Not before the route was looked at: there is no other broker, and this one looks as if the route were old.
    fresh_route: bool,
}

/// One message on its way: as many attempts as it takes and its deadline allows. Java: `sendDefaultImpl`.
pub(super) struct Sending<'a> {
    pub(super) instance: &'a MQClientInstance,
    pub(super) option: &'a ProducerOption,
    pub(super) faults: &'a MQFaultStrategy,
    pub(super) prepared: Prepared,
    pub(super) plan: &'a SendPlan,
    pub(super) report: SendReport,
    pub(super) attempts: usize,
}

impl Sending<'_> {
    /// The outcome, and how many attempts it took.
    pub(super) async fn send_default_impl(&mut self) -> (Result<Option<SendResult>, MQClientError>, usize) {
        let sent = self.attempt_all().await;
        let attempts = self.attempts;
        (sent.map_err(|error| error.with_report(std::mem::take(&mut self.report))), attempts)
    }

    async fn attempt_all(&mut self) -> Result<Option<SendResult>, MQClientError> {
        let mut last_broker: Option<Arc<str>> = None;
        // What there is unless a later attempt does better.
        let mut so_far: Option<SoFar> = None;
        for number in 0..=self.plan.retries {
            let asked = Instant::now();
            let route = self.route().await;
            let began = Instant::now();
            self.report.waited_for_route += began - asked;
            let route = match route {
                Ok(route) => route,
                Err(error) => return end(so_far, Some(error)),
            };
            let choice = match self.choose(&route, last_broker.as_deref()) {
                Ok(choice) => choice,
                Err(error) => return end(so_far, Some(error)),
            };
            let attempt = Attempted {
                queue: choice.queue,
                address: choice.address,
                deadline: self.attempt_deadline(began, number),
                mode: self.plan.mode,
            };
            self.attempts += 1;
            let sent = self.attempt(&attempt).await;
            self.faults.note(choice.queue.broker_name(), began.elapsed(), &sent);
            match sent {
                Ok(Some(result)) if self.is_too_weak(&result, &route) => so_far = Some(Box::new(Ok(result))),
                Ok(result) => return Ok(result),
                Err(error) => {
                    let next = self.after_failure(&route, choice, (number, began), &error);
                    // Stored weakly is better than an error.
                    if so_far.as_deref().is_none_or(Result::is_err) {
                        so_far = Some(Box::new(Err(error)));
                    }
                    match next {
                        Some(next) => Box::pin(self.wait_for(next)).await,
                        None => break,
                    }
                }
            }
            last_broker = Some(choice.queue.shared_broker_name().clone());
        }
        end(so_far, None)
    }

    /// What another attempt has to wait for; `None` if there is to be none.
    fn after_failure(
        &mut self,
        route: &TopicPublishInfo,
        choice: Choice<'_>,
        (number, began): (u32, Instant),
        error: &MQClientError,
    ) -> Option<Next> {
        let verdict = self.note_failure(route, choice, began, error);
        let same_broker = self.plan.queue.is_some() || !route.has_other_broker(choice.queue.broker_name());
        let failed = Instant::now();
        let resume = failed + pause(error, number + 1, same_broker);
        let again = number < self.plan.retries && verdict.again && resume < self.plan.deadline();
        let fresh_route = same_broker && verdict.stale_route;
        again.then_some(Next { failed, resume, fresh_route })
    }

    async fn wait_for(&mut self, next: Next) {
        if next.fresh_route {
            // A NameServer that says nothing leaves half of the time to the other attempts.
            let half = self.plan.deadline().saturating_duration_since(next.failed) / 2;
            self.instance.refresh_route(self.prepared.topic(), next.failed, next.failed + half).await;
            self.report.waited_for_route += next.failed.elapsed();
        }
        // Even a timer that is due takes until the next millisecond.
        if next.resume > Instant::now() {
            tokio::time::sleep_until(next.resume).await;
        }
    }

    async fn attempt(&self, attempt: &Attempted<'_>) -> Result<Option<SendResult>, MQClientError> {
        if self.plan.wants_reply {
            // Boxed: it would make the future of every send larger.
            Box::pin(self.instance.reach(attempt.address, attempt.deadline)).await?;
        }
        send_kernel_impl(self.instance, self.option, &self.prepared, attempt).await
    }

    async fn route(&self) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        match self.instance.known_route(self.prepared.topic()) {
            Some(route) => Ok(route),
            None => {
                let SendPlan { timeout, .. } = *self.plan;
                Box::pin(self.instance.find_route(self.prepared.topic(), timeout, self.plan.deadline())).await
            }
        }
    }

    fn choose<'r>(
        &self,
        route: &'r TopicPublishInfo,
        avoid: Option<&str>,
    ) -> Result<Choice<'r>, MQClientError> {
        let choice = match &self.plan.queue {
            Some(queue) => route.find(queue.broker_name(), queue.queue_id()),
            None => self.faults.select(route, avoid),
        };
        choice.ok_or_else(|| self.no_queue())
    }

    fn no_queue(&self) -> MQClientError {
        MQClientError::BrokerNotFound {
            topic: self.prepared.message.topic().into(),
            answers: Box::default(),
            hint: "the topic has a route, but not this queue on a broker with a master: fetch its queues again",
            report: Box::default(),
        }
    }

    /// Whether another broker may store it better. Where there is none, trying again would only make duplicates.
    fn is_too_weak(&self, result: &SendResult, route: &TopicPublishInfo) -> bool {
        result.send_status != SendStatus::SendOk
            && self.option.retry_next_server()
            && self.plan.queue.is_none()
            && route.has_other_broker(result.message_queue.broker_name())
    }

    /// The last attempt may use all the time that is left.
    fn attempt_deadline(&self, now: Instant, number: u32) -> Instant {
        match self.option.send_msg_max_timeout_per_request() {
            limit if limit > 0 && number < self.plan.retries => self.plan.deadline().min(now + millis(limit)),
            _ => self.plan.deadline(),
        }
    }

    fn note_failure(
        &mut self,
        route: &TopicPublishInfo,
        choice: Choice<'_>,
        began: Instant,
        error: &MQClientError,
    ) -> Verdict {
        let verdict = Verdict::of(error);
        if verdict.stale_route {
            self.instance.want_fresh_routes();
        }
        self.report.attempts.push(Attempt {
            queue: choice.queue.clone(),
            address: choice.address.clone(),
            advertised: choice.advertised.clone(),
            name_server: route.name_server().clone(),
            took: began.elapsed(),
            code: error.response_code(),
            error: with_causes(error),
            maybe_stored: verdict.maybe_stored,
            not_connected: verdict.not_connected,
        });
        verdict
    }
}

/// The outcome when no more can be done: that of the attempts, or else this error.
fn end(so_far: Option<SoFar>, error: Option<MQClientError>) -> Result<Option<SendResult>, MQClientError> {
    match (so_far, error) {
        (Some(so_far), _) => so_far.map(Some),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}
