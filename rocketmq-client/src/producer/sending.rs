use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{BegunCall, CallError, Connection};
use rocketmq_remoting::protocol::{CommandRef, CommandView, RequestHeader};
use tokio::time::Instant;

use super::prepared::Prepared;
use super::retry::{Verdict, pause};
use super::send_kernel::{Attempted, dialled_address, header, send_kernel_impl};
use super::stored::{Stored, send_result};
use crate::conf::{ProducerOption, millis};
use crate::error::{Attempt, MQClientError, SendReport, with_causes};
use crate::factory::{Choice, MQClientInstance, PublishRoutes, TopicPublishInfo};
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

/// What a send needs of its producer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) instance: &'a MQClientInstance,
    pub(super) routes: &'a PublishRoutes,
    pub(super) option: &'a ProducerOption,
    pub(super) faults: &'a MQFaultStrategy,
    /// The group as brokers know it.
    pub(super) producer_group: &'a str,
}

/// One message on its way: as many attempts as it takes and its deadline allows. Java: `sendDefaultImpl`.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) prepared: Prepared,
    pub(super) plan: SendPlan,
    /// Boxed, as there is something to tell of few sends.
    report: Option<Box<SendReport>>,
    attempts: u32,
    /// What there is unless a later attempt does better. Boxed, as all that is rare.
    so_far: Option<Box<Result<SendResult, MQClientError>>>,
    last_broker: Option<Arc<str>>,
}

/// An attempt under way.
#[derive(Debug, Clone)]
pub(super) struct CurrentAttempt {
    route: Arc<TopicPublishInfo>,
    /// The queue, by its place in the route.
    place: usize,
    began: Instant,
}

/// Where a send goes on.
#[derive(Debug)]
pub(super) enum Onward {
    /// With its first attempt.
    Begin,
    /// With an attempt that was begun, of which nothing was written.
    Attempt(CurrentAttempt),
    /// With another attempt.
    Again(Next),
}

/// What follows an attempt.
#[derive(Debug)]
pub(super) enum Step {
    /// The outcome.
    Done(Result<Option<SendResult>, MQClientError>),
    /// More is to be done.
    Again(Onward),
}

/// When another attempt begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    /// When the last one failed.
    failed: Instant,
    /// Not before this.
    resume: Instant,
    /// Not before the route was looked at: there is no other broker, and this one looks as if the route were old.
    fresh_route: bool,
}

impl CurrentAttempt {
    pub(super) fn queue(&self) -> &MessageQueue {
        self.choice().queue
    }

    fn choice(&self) -> Choice<'_> {
        self.route.at(self.place)
    }
}

impl Sending {
    pub(super) fn new(prepared: Prepared, plan: SendPlan, report: Option<Box<SendReport>>) -> Self {
        Self { prepared, plan, report, attempts: 0, so_far: None, last_broker: None }
    }

    /// Whether it went on its way as soon as it was called.
    pub(super) fn waited_for_nothing(&self) -> bool {
        self.report.is_none()
    }

    /// Attempts after the first one that were made so far.
    pub(super) fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }

    /// Sends from here on until there is an outcome.
    pub(super) async fn send_default_impl(
        &mut self,
        means: Means<'_>,
        mut onward: Onward,
    ) -> Result<Option<SendResult>, MQClientError> {
        loop {
            let attempt = match onward {
                Onward::Attempt(attempt) => attempt,
                Onward::Begin => match self.begin(means).await {
                    Ok(attempt) => attempt,
                    Err(error) => return self.end(Some(error)),
                },
                Onward::Again(next) => {
                    self.wait_for(means, next).await;
                    onward = Onward::Begin;
                    continue;
                }
            };
            let sent = self.attempt(means, &attempt).await;
            match self.conclude(means, &attempt, sent) {
                Step::Done(outcome) => return outcome,
                Step::Again(next) => onward = next,
            }
        }
    }

    /// Begins the next attempt, if the route is known. `now`, or a little before: looking at the clock takes longer than
    /// most of this.
    pub(super) fn begin_known(
        &mut self,
        means: Means<'_>,
        now: Instant,
    ) -> Option<Result<CurrentAttempt, MQClientError>> {
        let route = means.routes.known(self.prepared.topic())?;
        Some(self.choose(means, route, now))
    }

    /// Begins the next attempt, once the route is known.
    async fn begin(&mut self, means: Means<'_>) -> Result<CurrentAttempt, MQClientError> {
        if let Some(attempt) = self.begin_known(means, Instant::now()) {
            return attempt;
        }
        let (timeout, asked) = (self.plan.timeout, Instant::now());
        self.note_prepared(asked);
        let route = means.routes.find(self.prepared.topic(), timeout, self.plan.deadline()).await;
        let began = Instant::now();
        self.report().waited_for_route += began - asked;
        self.choose(means, route?, began)
    }

    fn choose(
        &mut self,
        means: Means<'_>,
        route: Arc<TopicPublishInfo>,
        began: Instant,
    ) -> Result<CurrentAttempt, MQClientError> {
        let choice = match &self.plan.queue {
            Some(queue) => route.find(queue.broker_name(), queue.queue_id()),
            None => means.faults.select(&route, self.last_broker.as_deref()),
        };
        let place = choice.map(|choice| choice.place).ok_or_else(|| self.no_queue())?;
        Ok(CurrentAttempt { route, place, began })
    }

    /// An attempt that has nothing to do but to write a frame and to wait for its answer, and what follows it.
    pub(super) async fn attempt_lightly(
        &mut self,
        means: Means<'_>,
        attempt: CurrentAttempt,
        connection: &Connection,
    ) -> Step {
        let begun = poll_fn(|cx| {
            let begun = self.begin_call(means, &attempt, connection);
            Poll::Ready(begun.ok().flatten().map(|begun| begun.wait(cx.waker())))
        });
        let Some(pending) = begun.await else { return Step::Again(Onward::Attempt(attempt)) };
        match pending.await {
            Ok(answer) => match self.stored(means, &attempt, &answer.view()) {
                Some(stored) => {
                    Step::Done(Ok(Some(stored.result(means.option, &self.prepared, attempt.queue()))))
                }
                None => self.read_and_conclude(means, &attempt, Ok(answer.view())),
            },
            Err(error) => self.read_and_conclude(means, &attempt, Err(error)),
        }
    }

    /// What an answer says of the message, if that is stored and there is nothing to add.
    pub(super) fn stored(
        &mut self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        answer: &CommandView<'_>,
    ) -> Option<Stored> {
        let stored = Stored::of(answer, &self.prepared)?;
        self.attempts += 1;
        means.faults.note(attempt.queue().broker_name(), attempt.began, None);
        Some(stored)
    }

    /// What follows an attempt that was answered like this.
    pub(super) fn read_and_conclude(
        &mut self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        answer: Result<CommandView<'_>, CallError>,
    ) -> Step {
        let sent = self.read_answer(means, attempt, answer);
        self.conclude(means, attempt, sent)
    }

    /// An attempt with all that may come before and behind it.
    async fn attempt(
        &self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
    ) -> Result<Option<SendResult>, MQClientError> {
        let Means { instance, option, .. } = means;
        let attempted = self.attempted(means, attempt);
        if self.plan.wants_reply {
            instance.reach(attempted.address, attempted.deadline).await?;
        }
        send_kernel_impl(instance, option, &self.prepared, &attempted).await
    }

    /// The connection for an attempt that has nothing to do but to write a frame and to wait for its answer, as nearly all.
    pub(super) fn open_connection(&self, means: Means<'_>, attempt: &CurrentAttempt) -> Option<Connection> {
        let remoting = means.instance.api().remoting();
        let in_full = self.plan.mode == CommunicationMode::Oneway
            || self.plan.wants_reply
            || means.option.hooks().watch_sends()
            || remoting.has_hooks();
        if in_full {
            return None;
        }
        let Choice { address, connection, .. } = attempt.choice();
        connection.get_or(|| remoting.connection(&dialled_address(means.option, address)))
    }

    /// Puts the frame of an attempt into the write buffer. If that has no room (`None`) or takes no frame, nothing was
    /// attempted.
    pub(super) fn begin_call<'c>(
        &self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        connection: &'c Connection,
    ) -> Result<Option<BegunCall<'c>>, CallError> {
        let (prepared, attempted) = (&self.prepared, self.attempted(means, attempt));
        let (deadline, body) = (attempted.deadline, prepared.body());
        let of_any = || header(means.option, prepared, "", &attempted);
        let template = if prepared.is_plain() { attempt.route.template(attempt.place, of_any) } else { None };
        let properties = prepared.properties();
        if let Some(template) = template {
            let header = template.send(prepared.born_timestamp, &properties);
            connection.begin_call(&CommandRef::request(header.code(), &header).with_body(body), deadline)
        } else {
            let properties = properties.concat();
            let header = header(means.option, prepared, &properties, &attempted);
            connection.begin_call(&CommandRef::request(header.code(), &header).with_body(body), deadline)
        }
    }

    /// When an attempt has to be over.
    pub(super) fn deadline(&self, option: &ProducerOption, attempt: &CurrentAttempt) -> Instant {
        // The last attempt may use all the time that is left.
        match option.send_msg_max_timeout_per_request() {
            limit if limit > 0 && self.attempts < self.plan.retries => {
                self.plan.deadline().min(attempt.began + millis(limit))
            }
            _ => self.plan.deadline(),
        }
    }

    /// The attempt as the kernel sees it.
    fn attempted<'a>(&self, means: Means<'a>, attempt: &'a CurrentAttempt) -> Attempted<'a> {
        let choice = attempt.choice();
        let deadline = self.deadline(means.option, attempt);
        let (queue, address, producer_group) = (choice.queue, choice.address, means.producer_group);
        Attempted { queue, address, deadline, mode: self.plan.mode, producer_group }
    }

    /// What the answer to an attempt says of the message.
    fn read_answer(
        &self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        answer: Result<CommandView<'_>, CallError>,
    ) -> Result<Option<SendResult>, MQClientError> {
        let (option, Choice { queue, address, .. }) = (means.option, attempt.choice());
        match answer {
            Ok(answer) => send_result(option, &self.prepared, (queue, address), answer.into()).map(Some),
            Err(source) => {
                let error = RemotingError::call(&dialled_address(option, address), source);
                Err(MQClientError::from_remoting(queue.broker_name(), error))
            }
        }
    }

    /// What follows an attempt that went like this.
    fn conclude(
        &mut self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        sent: Result<Option<SendResult>, MQClientError>,
    ) -> Step {
        self.attempts += 1;
        let choice = attempt.choice();
        means.faults.note(choice.queue.broker_name(), attempt.began, sent.as_ref().err());
        let next = match sent {
            Ok(Some(result)) if self.is_too_weak(means.option, &result, &attempt.route) => {
                self.so_far = Some(Box::new(Ok(result)));
                let now = Instant::now();
                let again = self.attempts <= self.plan.retries;
                again.then_some(Next { failed: now, resume: now, fresh_route: false })
            }
            Ok(result) => return Step::Done(Ok(result)),
            Err(error) => {
                let next = self.after_failure(means, attempt, &error);
                // Stored weakly is better than an error.
                if self.so_far.as_deref().is_none_or(Result::is_err) {
                    self.so_far = Some(Box::new(Err(error)));
                }
                next
            }
        };
        match next {
            Some(next) => {
                self.last_broker = Some(choice.queue.shared_broker_name().clone());
                Step::Again(Onward::Again(next))
            }
            None => Step::Done(self.end(None)),
        }
    }

    /// What another attempt has to wait for; `None` if there is to be none.
    fn after_failure(
        &mut self,
        means: Means<'_>,
        attempt: &CurrentAttempt,
        error: &MQClientError,
    ) -> Option<Next> {
        let verdict = self.note_failure(means, attempt, error);
        let broker = attempt.choice().queue.broker_name();
        let same_broker = self.plan.queue.is_some() || !attempt.route.has_other_broker(broker);
        let failed = Instant::now();
        let resume = failed + pause(error, self.attempts, same_broker);
        let again = self.attempts <= self.plan.retries && verdict.again && resume < self.plan.deadline();
        let fresh_route = same_broker && verdict.stale_route;
        again.then_some(Next { failed, resume, fresh_route })
    }

    /// Waits until the next attempt may begin.
    async fn wait_for(&mut self, means: Means<'_>, next: Next) {
        if next.fresh_route {
            // A NameServer that says nothing leaves half of the time to the other attempts.
            let half = self.plan.deadline().saturating_duration_since(next.failed) / 2;
            means.instance.refresh_route(self.prepared.topic(), next.failed, next.failed + half).await;
            self.report().waited_for_route += next.failed.elapsed();
        }
        // Even a timer that is due takes until the next millisecond.
        if next.resume > Instant::now() {
            tokio::time::sleep_until(next.resume).await;
        }
    }

    fn no_queue(&self) -> MQClientError {
        MQClientError::BrokerNotFound {
            topic: self.prepared.message.topic().into(),
            answers: Box::default(),
            hint: "the topic has a route, but not this queue on a broker with a master: fetch its queues again",
            context: Box::default(),
        }
    }

    /// Whether another broker may store it better. Where there is none, trying again would only make duplicates.
    fn is_too_weak(&self, option: &ProducerOption, result: &SendResult, route: &TopicPublishInfo) -> bool {
        result.send_status != SendStatus::SendOk
            && option.retry_next_server()
            && self.plan.queue.is_none()
            && route.has_other_broker(result.message_queue.broker_name())
    }

    fn note_failure(&mut self, means: Means<'_>, attempt: &CurrentAttempt, error: &MQClientError) -> Verdict {
        let verdict = Verdict::of(error);
        if verdict.stale_route {
            means.instance.want_fresh_routes();
        }
        self.note_prepared(attempt.began);
        let choice = attempt.choice();
        self.report().attempts.push(Attempt {
            queue: choice.queue.clone(),
            address: choice.address.clone(),
            advertised: choice.advertised.clone(),
            name_server: attempt.route.name_server().clone(),
            took: attempt.began.elapsed(),
            code: error.response_code(),
            error: with_causes(error),
            maybe_stored: verdict.maybe_stored,
            not_connected: verdict.not_connected,
        });
        verdict
    }

    /// The message was ready for its first attempt then.
    fn note_prepared(&mut self, ready: Instant) {
        let took = ready - self.plan.began;
        let report = self.report();
        if report.prepared.is_zero() && report.attempts.is_empty() {
            report.prepared = took.saturating_sub(report.waited_for_permits + report.waited_for_batch);
        }
    }

    fn report(&mut self) -> &mut SendReport {
        self.report.get_or_insert_default()
    }

    /// The outcome when no more can be done: that of the attempts, or else this error.
    fn end(&mut self, error: Option<MQClientError>) -> Result<Option<SendResult>, MQClientError> {
        let outcome = match (self.so_far.take(), error) {
            (Some(so_far), _) => so_far.map(Some),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        };
        outcome.map_err(|error| {
            let report = self.report.take().map_or_else(SendReport::default, |report| *report);
            error.with_report(report).during("send").of_topic(self.prepared.topic())
        })
    }
}
