use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::mq_consumer_inner::{MQConsumerInner, Running};
use super::start::{BoxFuture, left};
use crate::client::{self, MQClient, ShutdownReport};
use crate::conf::millis;
use crate::consumer::dispatch::Pool;
use crate::consumer::member::Member;
use crate::consumer::rebalance::release;
use crate::consumer::watch::{ConsumerEvent, ConsumerShutdownReport};
use crate::error::MQClientError;
use crate::factory::Membership;
use crate::producer::Tracer;
use crate::waiting;

/// The part of the time that is kept for commits and for goodbyes while handlers end.
const AT_THE_END: Duration = Duration::from_secs(2);
/// The time of the last steps when no other is left.
const LEAST: Duration = Duration::from_millis(100);
/// A limit that no shutdown needs; a longer one may not fit the clock.
const LONGEST: Duration = Duration::from_secs(3600 * 24 * 365);

impl client::ClientMember for MQConsumerInner {
    fn is_consumer(&self) -> bool {
        true
    }

    fn shut_down(
        self: Arc<Self>,
    ) -> Pin<Box<dyn Future<Output = Result<ShutdownReport, MQClientError>> + Send>> {
        Box::pin(async move {
            let left = self.shutdown_in_time().await?;
            Ok(ShutdownReport {
                unfinished_messages: left.unfinished,
                uncommitted_queues: left.uncommitted.len(),
                locked_queues: left.still_locked.len(),
                brokers_not_told: left.not_unregistered,
                took: left.took,
                ..ShutdownReport::default()
            })
        })
    }
}

impl MQConsumerInner {
    /// Shuts down within the time that the options give.
    pub(crate) fn shutdown_in_time(self: &Arc<Self>) -> BoxFuture<'_, ConsumerShutdownReport> {
        self.shutdown(millis(self.option.shutdown_timeout()))
    }

    /// Shuts down in a task of its own: a caller that goes away, for example a handler, interrupts nothing.
    pub(crate) fn shutdown(self: &Arc<Self>, limit: Duration) -> BoxFuture<'_, ConsumerShutdownReport> {
        let limit = limit.min(LONGEST);
        Box::pin(async move {
            self.life.stop_start();
            if let Err(error @ MQClientError::NotStarted { .. }) = self.life.running() {
                return Err(error);
            }
            tokio::runtime::Handle::try_current().map_err(|_| MQClientError::NoRuntime)?;
            let began = Instant::now();
            if self.life.started().is_none() {
                self.stop_start.notify_one();
                // A start whose future is not polled any more does not hold the shutdown up.
                let _ = tokio::time::timeout(limit, self.starting.lock()).await;
                if self.life.started().is_none() {
                    if self.is_alone {
                        self.client.close(left(began + limit).max(LEAST)).await;
                    }
                    self.events.close();
                    return Ok(ConsumerShutdownReport { took: began.elapsed(), ..Default::default() });
                }
            }
            let running = self.life.shut_down()?;
            let mut report = running.report.subscribe();
            self.begin_end(running, limit, None);
            // Whatever blocks the task of the shutdown does not block this caller.
            let waited = tokio::time::timeout(limit + 3 * LEAST, report.wait_for(Option::is_some)).await;
            match waited {
                Ok(Ok(report)) => Ok((*report).clone().unwrap_or_default()),
                _ => Ok(unknown(&running.member, began)),
            }
        })
    }

    /// Shuts down because the consumer cannot heal.
    pub(crate) fn end_by_itself(&self, reason: MQClientError) {
        if let Ok(running) = self.life.shut_down() {
            self.begin_end(running, millis(self.option.shutdown_timeout()), Some(reason));
        }
    }

    /// Shuts down after a drop of the poller: the handles that are left cannot poll.
    pub(crate) fn end_unpolled(&self) {
        self.life.stop_start();
        if let Ok(running) = self.life.shut_down() {
            self.begin_end(running, millis(self.option.shutdown_timeout()), None);
        }
    }

    /// Waits for the end of the consumer.
    pub(crate) async fn wait(&self) -> Result<(), MQClientError> {
        let running = self.life.was_started()?;
        let _ = running.report.subscribe().wait_for(Option::is_some).await;
        running.end_reason.get().map_or(Ok(()), |reason| Err(reason.clone()))
    }

    /// Begins the end, unless it has begun.
    fn begin_end(&self, running: &Running, limit: Duration, reason: Option<MQClientError>) {
        let mut is_ending = running.is_ending.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *is_ending, true) {
            return;
        }
        if let Some(reason) = reason {
            let reason = running.end_reason.get_or_init(|| reason).clone();
            self.events.emit(ConsumerEvent::Ended { group: self.events.group(), reason });
        }
        drop(is_ending);
        let ending = Ending::of(running, self.is_alone.then(|| self.client.clone()));
        let (done, events, began) = (running.report.clone(), self.events.clone(), Instant::now());
        running.ending.spawn(async move {
            let report = ending.run(began, began + limit).await;
            events.close();
            done.send_replace(Some(report));
        });
    }
}

/// The parts of a consumer that a shutdown works with.
struct Ending {
    member: Arc<Member>,
    membership: Arc<Membership>,
    pool: Option<Arc<Pool>>,
    tracer: Option<Arc<Tracer>>,
    /// Why the consumer ends by itself.
    reason: Option<MQClientError>,
    /// The client that ends with this consumer.
    client: Option<MQClient>,
}

impl Ending {
    fn of(running: &Running, client: Option<MQClient>) -> Self {
        let (member, membership) = (running.member.clone(), running.membership.clone());
        let (pool, reason) = (running.pool.clone(), running.end_reason.get().cloned());
        Self { member, membership, pool, tracer: running.tracer.clone(), reason, client }
    }

    async fn run(mut self, began: Instant, deadline: Instant) -> ConsumerShutdownReport {
        let member = &self.member;
        let mut report = ConsumerShutdownReport::default();
        let owned = member.queues.close();
        if let Some(pool) = &self.pool {
            pool.end_stream(self.reason.take());
        }
        let keep = AT_THE_END.min((deadline - began) / 2);
        // Messages that were polled and not confirmed cannot be confirmed any more.
        let drain = if member.settings.polls { Duration::ZERO } else { left(deadline).saturating_sub(keep) };
        let until = deadline - keep / 3;
        let released = owned
            .iter()
            .map(|owned| async move { (owned.shown.clone(), release(member, owned, drain, until).await) });
        for (queue, left) in waiting::all(released).await {
            report.unfinished += u32::try_from(left.unfinished).unwrap_or(u32::MAX);
            report.unacknowledged += u32::try_from(left.unacknowledged).unwrap_or(u32::MAX);
            report.uncommitted.extend(left.uncommitted.map(|offset| (queue.clone(), offset)));
            report.still_locked.extend(left.still_locked.then_some(queue));
        }
        // Queues that were on their way to other members.
        let _ = tokio::time::timeout(left(until), member.queues.all_released()).await;
        for owned in member.queues.all_and_releasing() {
            report.unfinished += u32::try_from(owned.lock().in_hand()).unwrap_or(u32::MAX);
        }
        let goodbye = deadline.min(Instant::now() + member.instance.api().timeout());
        if let Some(tracer) = &self.tracer {
            tracer.stop(goodbye).await;
        }
        let untold = member.instance.leave_group(&self.membership, goodbye).await;
        report.not_unregistered = untold.iter().map(ToString::to_string).collect();
        member.tasks.shutdown(left(deadline).max(LEAST)).await;
        // Callers that wait for an acknowledgement learn that no broker has it.
        drop(member.acks.take());
        if let Some(client) = &self.client {
            client.close(left(deadline).max(LEAST)).await;
        }
        report.took = began.elapsed();
        report
    }
}

/// The report of a shutdown that did not come to its end.
fn unknown(member: &Member, began: Instant) -> ConsumerShutdownReport {
    let mut report = ConsumerShutdownReport::default();
    for owned in member.queues.all() {
        let (queue, committed) = (&owned.shown, member.commits().committed(&owned.queue));
        let state = owned.lock();
        report.unfinished += u32::try_from(state.in_hand()).unwrap_or(u32::MAX);
        let lowest = state.window.as_ref().map(|window| window.lowest_unfinished());
        report.unacknowledged +=
            state.pop.as_ref().map_or(0, |book| u32::try_from(book.acking()).unwrap_or(u32::MAX));
        let lowest = lowest.filter(|_| !owned.is_pop);
        let uncommitted = lowest.filter(|lowest| committed != Some(*lowest));
        report.uncommitted.extend(uncommitted.map(|offset| (queue.clone(), offset)));
        let is_locked = state.order.as_ref().is_some_and(|order| order.lock.age(Instant::now()).is_some());
        report.still_locked.extend(is_locked.then(|| queue.clone()));
    }
    report.took = began.elapsed();
    report
}
