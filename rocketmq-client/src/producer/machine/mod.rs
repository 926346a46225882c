//! The decisions of one send: no I/O, no clock, no task. Drivers carry them out.
//!
//! - [`SendMachine`]: decides the next step, and the outcome at the end
//! - `plan`: deadline, number of attempts and queue of a send; the error of a missing permit
//! - `verdict`: the meaning of a failed attempt, and the pause after it
//! - `tests`: whole sends on virtual time

mod plan;
#[cfg(test)]
mod tests;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Attempt, MQClientError, SendReport, with_causes};
use crate::factory::{Choice, TopicPublishInfo};

pub(super) use plan::SendPlan;
use verdict::{Verdict, has_no_such_queue, pause};

/// The result of a delivery: the receipt of a broker, or [`Written`].
pub(super) trait Delivery {
    /// Whether the broker may lose the message: another broker may store it more safely.
    fn is_weak(&self) -> bool;
}

/// The result of a one-way send: its frame is in the write buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written;

impl Delivery for Written {
    fn is_weak(&self) -> bool {
        false
    }
}

/// Decides for one message with a permit, from the choice of the first queue to the outcome: counts attempts, keeps the
/// deadline, avoids the broker that failed last, and records where the time went. Java: `sendDefaultImpl`.
///
/// A driver carries out one [`SendStep`] after the other, starting with [`SendStep::ChooseQueue`], and
/// [tells](Self::step) the machine the result.
#[derive(Debug)]
pub(super) struct SendMachine<T> {
    plan: SendPlan,
    /// Boxed: only sends that wait or retry have something to report.
    report: Option<Box<SendReport>>,
    attempts: u32,
    /// The outcome, unless a later attempt gives a better one. Boxed: few sends have one.
    so_far: Option<Box<Result<T, MQClientError>>>,
    last_broker: Option<Arc<str>>,
}

/// The next task of a driver.
#[derive(Debug)]
pub(super) enum SendStep<T> {
    /// Look the route up, unless it is known, and choose a queue.
    ChooseQueue,
    /// Make this client known to the broker, so that the broker can push a reply.
    Register(QueueAttempt),
    /// Send the message to the queue, and wait for the answer unless the send is one-way.
    Write(QueueAttempt),
    /// Ask the NameServers for the route again.
    RefreshRoute(FreshRoute),
    /// Wait until this instant.
    WaitUntil(Instant),
    /// Return the outcome.
    Done(Result<T, MQClientError>),
}

/// The result of a [`SendStep`].
#[derive(Debug)]
pub(super) enum SendEvent<T> {
    /// A known route, with the index of a queue.
    QueueChosen(Arc<TopicPublishInfo>, usize),
    /// A route that was looked up from `asked` on, with the index of a queue; or the error if there is no route or no
    /// queue.
    RouteLookedUp {
        asked: Instant,
        found: Result<(Arc<TopicPublishInfo>, usize), MQClientError>,
    },
    Registered(QueueAttempt, Result<(), MQClientError>),
    Answered(QueueAttempt, Result<T, MQClientError>),
    RouteRefreshed(FreshRoute),
    Waited,
    /// The deadline passed before the next attempt, while the send waited for this.
    Late(&'static str),
}

/// An attempt to send the message to one queue.
#[derive(Debug)]
pub(super) struct QueueAttempt {
    route: Arc<TopicPublishInfo>,
    /// The index of the queue in the route.
    place: usize,
    pub(super) began: Instant,
}

/// A look-up of the route between two attempts.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreshRoute {
    /// The look-up does not begin before this instant. A route that was looked up after it is fresh.
    pub(super) since: Instant,
    /// The limit of the look-up.
    pub(super) until: Instant,
    /// The next attempt does not begin before this instant.
    resume: Instant,
}

impl QueueAttempt {
    pub(super) fn route(&self) -> &TopicPublishInfo {
        &self.route
    }

    pub(super) fn choice(&self) -> Choice<'_> {
        self.route.at(self.place)
    }

    pub(super) fn broker(&self) -> &Arc<str> {
        self.choice().queue.shared_broker_name()
    }
}

impl<T> SendEvent<T> {
    /// The attempt that ended with this event, and its error. A failed registration ends an attempt too, although the
    /// message was not sent.
    pub(super) fn ended_attempt(&self) -> Option<(&QueueAttempt, Option<&MQClientError>)> {
        match self {
            Self::Answered(attempt, answered) => Some((attempt, answered.as_ref().err())),
            Self::Registered(attempt, Err(error)) => Some((attempt, Some(error))),
            _ => None,
        }
    }
}

/// Whether an error hints at an old route.
pub(super) fn is_stale_route(error: &MQClientError) -> bool {
    Verdict::of(error).stale_route
}

impl<T: Delivery> SendMachine<T> {
    /// The machine of a message with a permit. `report` tells of the waits before.
    pub(super) fn new(plan: SendPlan, report: Option<Box<SendReport>>) -> Self {
        Self { plan, report, attempts: 0, so_far: None, last_broker: None }
    }

    /// The parts of a machine that has done nothing yet.
    pub(super) fn into_plan(self) -> (SendPlan, Option<Box<SendReport>>) {
        (self.plan, self.report)
    }

    pub(super) fn plan(&self) -> &SendPlan {
        &self.plan
    }

    /// The start of the first attempt, if it is the time of the call: saves reading the clock.
    pub(super) fn begins_at(&self) -> Option<Instant> {
        self.report.is_none().then_some(self.plan.began)
    }

    /// The broker that failed last: prefer any other.
    pub(super) fn avoided_broker(&self) -> Option<&str> {
        self.last_broker.as_deref()
    }

    /// The number of ended attempts after the first.
    pub(super) fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }

    /// The deadline of an attempt.
    pub(super) fn attempt_deadline(&self, attempt: &QueueAttempt) -> Instant {
        match self.plan.attempt_limit {
            Some(limit) if self.attempts < self.plan.retries => {
                self.plan.deadline().min(attempt.began + limit)
            }
            _ => self.plan.deadline(),
        }
    }

    /// Takes an event and returns the next step. Always inlined, because each driver knows which event it tells: for
    /// nearly all sends two comparisons are left.
    #[inline(always)]
    pub(super) fn step(&mut self, now: Instant, event: SendEvent<T>) -> SendStep<T> {
        match event {
            SendEvent::QueueChosen(route, place) => self.attempt(route, place, now),
            SendEvent::RouteLookedUp { asked, found } => {
                self.note_lookup(asked, now);
                match found {
                    Ok((route, place)) => self.attempt(route, place, now),
                    Err(error) => self.end(error),
                }
            }
            SendEvent::Registered(attempt, Ok(())) => SendStep::Write(attempt),
            SendEvent::Answered(attempt, Ok(delivered)) => {
                self.attempts += 1;
                if delivered.is_weak() {
                    return self.weakly_stored(attempt, delivered);
                }
                SendStep::Done(Ok(delivered))
            }
            SendEvent::Registered(attempt, Err(error)) | SendEvent::Answered(attempt, Err(error)) => {
                self.failed(now, &attempt, error)
            }
            SendEvent::RouteRefreshed(FreshRoute { since, resume, .. }) => {
                self.report().waited_for_route += now - since;
                Self::resume_at(resume, now)
            }
            SendEvent::Waited => SendStep::ChooseQueue,
            SendEvent::Late(waited_for) => self.late(now, waited_for),
        }
    }

    #[inline]
    fn attempt(&self, route: Arc<TopicPublishInfo>, place: usize, began: Instant) -> SendStep<T> {
        let attempt = QueueAttempt { route, place, began };
        if self.plan.wants_reply { SendStep::Register(attempt) } else { SendStep::Write(attempt) }
    }

    /// Sends the message again to store it more safely. Without another broker this would only duplicate it.
    #[cold]
    fn weakly_stored(&mut self, attempt: QueueAttempt, delivered: T) -> SendStep<T> {
        let again = self.attempts <= self.plan.retries
            && self.plan.retry_weakly_stored
            && self.plan.queue.is_none()
            && attempt.route.has_other_broker(attempt.broker());
        if !again {
            return SendStep::Done(Ok(delivered));
        }
        self.so_far = Some(Box::new(Ok(delivered)));
        self.last_broker = Some(attempt.broker().clone());
        SendStep::ChooseQueue
    }

    #[cold]
    fn failed(&mut self, now: Instant, attempt: &QueueAttempt, error: MQClientError) -> SendStep<T> {
        self.attempts += 1;
        // Keep a weak receipt, replace an earlier error: the latest failure tells most.
        self.so_far.take_if(|so_far| so_far.is_err());
        let verdict = Verdict::of(&error);
        self.note_failure(now, attempt, &error, verdict);
        let (broker, deadline) = (attempt.broker(), self.plan.deadline());
        let same_broker = self.plan.queue.is_some() || !attempt.route.has_other_broker(broker);
        let resume = now + pause(&error, self.attempts, same_broker, self.plan.random);
        // The topic has fewer queues now, and the route that the queue was chosen from is old.
        let lost_queue = self.plan.queue.is_none() && has_no_such_queue(&error);
        self.report().lost_queue = lost_queue;
        if self.attempts > self.plan.retries || !(verdict.again || lost_queue) || resume >= deadline {
            return self.end(error);
        }
        self.last_broker = Some(broker.clone());
        self.so_far.get_or_insert_with(|| Box::new(Err(error)));
        if (same_broker || lost_queue) && verdict.stale_route {
            // Half of the time at most: a silent NameServer must leave time for another attempt.
            let until = now + deadline.saturating_duration_since(now) / 2;
            // It hears of lost queues a moment after the broker.
            let since = if lost_queue { resume } else { now };
            return SendStep::RefreshRoute(FreshRoute { since, until, resume });
        }
        Self::resume_at(resume, now)
    }

    #[cold]
    fn late(&mut self, now: Instant, waited_for: &'static str) -> SendStep<T> {
        self.note_prepared(now);
        let (timeout, context) = (self.plan.timeout, Box::default());
        self.end(MQClientError::TimedOut { timeout, waited_for, context })
    }

    fn resume_at(resume: Instant, now: Instant) -> SendStep<T> {
        // Skip a pause of zero: even a timer that is due fires only at the next millisecond.
        if resume > now { SendStep::WaitUntil(resume) } else { SendStep::ChooseQueue }
    }

    /// The final outcome. A weak receipt is better than an error, and the error of an attempt tells more than that no
    /// queue was left for another attempt.
    #[cold]
    fn end(&mut self, error: MQClientError) -> SendStep<T> {
        let outcome = self.so_far.take().map_or(Err(error), |so_far| *so_far);
        let report = self.report.take().map_or_else(SendReport::default, |report| *report);
        SendStep::Done(outcome.map_err(|error| error.with_report(report)))
    }

    fn note_failure(
        &mut self,
        now: Instant,
        attempt: &QueueAttempt,
        error: &MQClientError,
        verdict: Verdict,
    ) {
        self.note_prepared(attempt.began);
        let choice = attempt.choice();
        self.report().attempts.push(Attempt {
            queue: choice.queue.clone(),
            address: choice.address.clone(),
            advertised: choice.advertised.clone(),
            name_server: attempt.route.name_server().clone(),
            took: now - attempt.began,
            code: error.response_code(),
            error: with_causes(error),
            maybe_stored: verdict.maybe_stored,
            not_connected: verdict.not_connected,
        });
    }

    #[cold]
    fn note_lookup(&mut self, asked: Instant, now: Instant) {
        self.note_prepared(asked);
        self.report().waited_for_route += now - asked;
    }

    /// Records that the message was ready, checked and compressed, at `ready`.
    fn note_prepared(&mut self, ready: Instant) {
        let took = ready - self.plan.began;
        let report = self.report();
        if report.prepared == Duration::ZERO && report.attempts.is_empty() {
            report.prepared = took.saturating_sub(report.waited_for_permits + report.waited_for_batch);
        }
    }

    fn report(&mut self) -> &mut SendReport {
        self.report.get_or_insert_default()
    }
}
