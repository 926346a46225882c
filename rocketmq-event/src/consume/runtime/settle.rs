use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use tokio::time::{Instant, sleep};

use super::Runtime;
use super::attempt::Failed;
use crate::backend::{Destination, Incoming, Outgoing};
use crate::consume::handler::Handler;
use crate::consume::watch::{ConsumerError, ConsumerEvent};
use crate::consume::{Context, Failure, Order, RetryMode, Then, Unmatched, Verdict};
use crate::error::{wait_before, with_causes};
use crate::event::{Envelope, FailureKind, FailureRecord, now};
use crate::otel::{self, About, Span};

/// A reason is cut to this many bytes: brokers limit headers, RocketMQ all of them to 32 KiB.
const REASON: usize = 1_024;

/// An event that no handler takes here is given back after this time.
const RELEASED_AFTER: Duration = Duration::from_secs(1);

/// The outcome of a delivery.
enum Fate {
    Acknowledge,
    /// Again in place, after this delay.
    InPlace(Duration),
    Later(Duration),
    DeadLetter,
    Drop,
    /// The delivery is given back.
    Release,
    /// The delivery is given back, and the consumer ends.
    Stop,
}

/// A step that must succeed before a delivery is settled.
enum Step<'a> {
    /// Stores a copy.
    Store(&'a Outgoing),
    Acknowledge,
}

impl Step<'_> {
    /// The operation, in spans.
    fn name(&self) -> &'static str {
        match self {
            Step::Acknowledge => "ack",
            Step::Store(Outgoing { destination: Destination::Dead { .. }, .. }) => "dead_letter",
            Step::Store(_) => "retry",
        }
    }
}

impl Runtime {
    /// Handles a delivery until it is settled. A delivery that it leaves unsettled is given back by the pump.
    pub(super) async fn deliver(self: Arc<Self>, incoming: Incoming) {
        let Some(handler) = self.handlers.find(&incoming.envelope.name).cloned() else {
            return self.unmatched(&incoming).await;
        };
        let (mut before, deaths) = (Before::of(&incoming, &self.spec.group), incoming.redeliveries);
        let failed_before = before.failed.saturating_add(deaths);
        if deaths > 0 && failed_before > self.settings.policy.tries.max(1) {
            let reason = format!("a member of the group ended while it handled the event, {deaths} times");
            let failed = Failed::new(FailureKind::Died, Verdict::Permanent, reason);
            // The record counts the last of the deaths.
            before.failed = failed_before - 1;
            return self
                .settle(&incoming, &before.record(&incoming, &failed, self.group()), Fate::DeadLetter)
                .await;
        }
        before.failed = failed_before;
        loop {
            // Deliveries that wait for a slot are given back when the consumer stops: no handler begins during a shutdown.
            let slot = tokio::select! {
                biased;
                () = self.stopped() => return,
                () = incoming.revoked.cancelled() => return,
                slot = self.slots.acquire() => slot,
            };
            let Ok(slot) = slot else { return };
            let Err(failed) = self.try_once(&handler, &incoming, before.failed.saturating_add(1)).await
            else {
                return self.done(&incoming).await;
            };
            let record = before.record(&incoming, &failed, self.group());
            let fate = self.fate(&failed, &record);
            let Fate::InPlace(delay) = fate else { return self.settle(&incoming, &record, fate).await };
            self.note_retry(&record, &incoming, delay);
            before = Before::again(&record);
            // Events that are ordered by key wait in their lane; other events wait for the slot.
            let slot = (self.settings.order == Order::None).then_some(slot);
            tokio::select! {
                () = sleep(delay) => drop(slot),
                () = incoming.revoked.cancelled() => return,
                () = self.stopped() => return,
            }
        }
    }

    fn group(&self) -> &ByteString {
        &self.spec.group
    }

    /// Makes an attempt with its metrics; the events that it published go out if it succeeded.
    async fn try_once(&self, handler: &Handler, incoming: &Incoming, attempt: u32) -> Result<(), Failed> {
        let cancelled = self.cancelled.child_token();
        let context = Context::new(
            (self.group().clone(), self.service.clone()),
            (Arc::new(incoming.envelope.clone()), incoming.position.clone()),
            (attempt, self.settings.format),
            cancelled.clone(),
        );
        let span = Span::process(self.about(), incoming, attempt);
        let started = Instant::now();
        let result = {
            let attempt = span.within(self.attempt(handler, incoming, &context));
            let mut attempt = std::pin::pin!(attempt);
            tokio::select! {
                result = &mut attempt => result,
                () = incoming.revoked.cancelled() => {
                    cancelled.cancel();
                    attempt.await
                }
            }
        };
        // The events of an attempt that failed are not sent.
        context.close();
        span.end(result.as_ref().err().map(|failed| (failed.kind.to_string(), failed.reason.clone())));
        let kind = result.as_ref().err().map(|failed| failed.kind);
        self.meter.processed(&incoming.envelope.name, kind, started.elapsed());
        result
    }

    fn about(&self) -> About<'_> {
        About { system: self.backend.abilities().name, stream: &self.spec.stream, group: self.group() }
    }

    /// Publishes the events of a handler.
    pub(super) async fn publish_all(&self, mut published: Vec<Outgoing>) -> Result<(), Failure> {
        if published.is_empty() {
            return Ok(());
        }
        let system = self.backend.abilities().name;
        let spans: Vec<Span> = published.iter_mut().map(|message| Span::publish(system, message)).collect();
        let results = self.backend.publish(published).await;
        spans.iter().zip(&results).for_each(|(span, result)| span.published(result.as_ref().err()));
        for result in results {
            if let Err(error) = result {
                let reason = format!("what the handler published is not stored: {}", with_causes(&error));
                return Err(if error.is_transient() { reason.into() } else { Failure::permanent(reason) });
            }
        }
        Ok(())
    }

    fn fate(&self, failed: &Failed, record: &FailureRecord) -> Fate {
        let policy = &self.settings.policy;
        match failed.verdict {
            Verdict::Permanent => return Fate::DeadLetter,
            Verdict::Stop => return Fate::Stop,
            _ => {}
        }
        if record.attempts >= policy.tries.max(1) {
            return match policy.then {
                Then::DeadLetter => Fate::DeadLetter,
                Then::Stop => Fate::Stop,
                Then::Drop => Fate::Drop,
            };
        }
        let delay = policy.delay(record.attempts);
        match (failed.verdict, policy.mode) {
            (Verdict::After(delay), _) => Fate::Later(delay),
            (Verdict::InPlace, _) | (_, RetryMode::InPlace) => Fate::InPlace(delay),
            (_, RetryMode::Later) => Fate::Later(delay),
        }
    }

    async fn settle(&self, incoming: &Incoming, record: &FailureRecord, fate: Fate) {
        let (stream, group) = (self.spec.stream.clone(), self.group().clone());
        let (id, reason) = (incoming.envelope.id.clone(), record.reason.to_string());
        match fate {
            Fate::Acknowledge | Fate::InPlace(_) => self.done(incoming).await,
            Fate::Drop => {
                self.note_failure(record);
                if self.acknowledge(incoming).await {
                    self.tell(ConsumerEvent::Dropped { id, reason });
                }
            }
            Fate::Later(delay) => {
                let destination = Destination::Group { stream, group, delay };
                if self.move_to(destination, incoming, record).await {
                    self.note_retry(record, incoming, delay);
                    self.acknowledge(incoming).await;
                }
            }
            Fate::DeadLetter => {
                if self.move_to(Destination::Dead { stream, group }, incoming, record).await {
                    self.note_failure(record);
                    self.meter.dead_lettered(&incoming.envelope.name, record.kind);
                    tracing::warn!(group = %self.group(), %id, kind = %record.kind, "dead letter: {reason}");
                    let (attempts, kind) = (record.attempts, record.kind);
                    self.tell(ConsumerEvent::DeadLettered { id, attempts, kind, reason });
                    self.acknowledge(incoming).await;
                }
            }
            // Given back at once, the event would come here again at once, and again.
            Fate::Release => tokio::select! {
                () = sleep(RELEASED_AFTER) => {}
                () = incoming.revoked.cancelled() => {}
                () = self.stopped() => {}
            },
            Fate::Stop => {
                self.note_failure(record);
                self.end(ConsumerError::Stopped { group: group.to_string(), id, reason });
            }
        }
    }

    async fn unmatched(&self, incoming: &Incoming) {
        let reason = format!("no handler takes events named {}", incoming.envelope.name);
        let failed = Failed::new(FailureKind::Unmatched, Verdict::Permanent, reason);
        let record = Before::of(incoming, &self.spec.group).record(incoming, &failed, self.group());
        let fate = match self.settings.unmatched {
            Unmatched::Acknowledge => Fate::Acknowledge,
            Unmatched::DeadLetter => Fate::DeadLetter,
            Unmatched::Release => Fate::Release,
        };
        self.settle(incoming, &record, fate).await;
    }

    /// Stores a copy with what is known of the failure. It tries again until the broker has it, or the consumer ends. True: stored.
    async fn move_to(&self, destination: Destination, incoming: &Incoming, record: &FailureRecord) -> bool {
        let mut envelope: Envelope = incoming.envelope.clone();
        envelope.failure = Some(Box::new(record.clone()));
        let copy = Outgoing { destination, envelope, body: incoming.body.clone() };
        self.insist(incoming, Step::Store(&copy)).await
    }

    async fn done(&self, incoming: &Incoming) {
        if self.acknowledge(incoming).await && self.events.receiver_count() > 0 {
            self.tell(ConsumerEvent::Acknowledged { id: incoming.envelope.id.clone() });
        }
    }

    /// True: the broker knows.
    async fn acknowledge(&self, incoming: &Incoming) -> bool {
        let is_known = self.insist(incoming, Step::Acknowledge).await;
        if is_known {
            self.in_hand.remove(incoming.tag);
        }
        is_known
    }

    /// Does it again until it succeeds, or the consumer ends, or the delivery is another member's. True: it succeeded.
    async fn insist(&self, incoming: &Incoming, step: Step<'_>) -> bool {
        let (mut attempt, began) = (0, Instant::now());
        loop {
            let Err(reason) = self.take(&step, incoming).await else {
                otel::settled(self.about(), step.name(), incoming, began.elapsed());
                return true;
            };
            attempt += 1;
            tracing::warn!(group = %self.group(), id = %incoming.envelope.id, "tried again later: {reason}");
            self.tell(ConsumerEvent::NotStored { id: incoming.envelope.id.clone(), reason });
            tokio::select! {
                () = sleep(wait_before(attempt)) => {}
                () = incoming.revoked.cancelled() => return false,
                () = self.stopped() => return false,
            }
        }
    }

    async fn take(&self, step: &Step<'_>, incoming: &Incoming) -> Result<(), String> {
        match step {
            Step::Acknowledge => {
                self.source.acknowledge(incoming.tag).await.map_err(|error| with_causes(&error))
            }
            Step::Store(copy) => match self.backend.publish(vec![Outgoing::clone(copy)]).await.pop() {
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(with_causes(&error)),
                None => Err("the backend did not answer".to_owned()),
            },
        }
    }

    fn note_retry(&self, record: &FailureRecord, incoming: &Incoming, after: Duration) {
        self.note_failure(record);
        self.meter.retried(&incoming.envelope.name, record.kind);
        self.tell(ConsumerEvent::Retried {
            id: incoming.envelope.id.clone(),
            attempt: record.attempts,
            after,
            kind: record.kind,
            reason: record.reason.to_string(),
        });
    }

    fn note_failure(&self, record: &FailureRecord) {
        let mut last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(record.reason.to_string());
    }
}

/// The history of earlier attempts.
struct Before {
    failed: u32,
    record: Option<FailureRecord>,
}

impl Before {
    /// Only what this group wrote counts: a copy of another group's is an event like any other.
    fn of(incoming: &Incoming, group: &ByteString) -> Self {
        let record = incoming.envelope.failure.as_deref().filter(|record| record.group == *group).cloned();
        Self { failed: record.as_ref().map_or(0, |record| record.attempts), record }
    }

    fn again(record: &FailureRecord) -> Self {
        Self { failed: record.attempts, record: Some(record.clone()) }
    }

    fn record(&self, incoming: &Incoming, failed: &Failed, group: &ByteString) -> FailureRecord {
        let now = now();
        let before = self.record.as_ref();
        FailureRecord {
            group: group.clone(),
            attempts: self.failed.saturating_add(1),
            kind: failed.kind,
            reason: cut(&failed.reason).into(),
            first: before.filter(|_| self.failed > 0).map_or(now, |record| record.first),
            last: now,
            origin: before.map_or_else(|| incoming.position.clone(), |record| record.origin.clone()),
            replays: before.map_or(0, |record| record.replays),
        }
    }
}

fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
