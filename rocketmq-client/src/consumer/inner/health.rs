use std::time::Duration;

use tokio::time::Instant;

use super::mq_consumer_inner::{MQConsumerInner, Running};
use crate::consumer::member::{Member, OwnedQueue, Ownership, Stage};
use crate::consumer::pop::PopBook;
use crate::consumer::watch::{ConsumerHealth, ConsumerStats, QueueHealth, QueueState};
use crate::error::MQClientError;

/// Each loop comes round within this time, apart from its requests.
const ROUND: Duration = Duration::from_secs(60);

impl MQConsumerInner {
    pub(crate) fn health(&self) -> ConsumerHealth {
        let mut health = ConsumerHealth { group: self.events.group(), ..ConsumerHealth::default() };
        health.cache_limit = self.option.cache_limit();
        health.concurrency = self.wishes().concurrency;
        health.running = self.life.running().is_ok();
        let Some(running) = self.life.started() else { return health };
        let member = &running.member;
        health.end_reason = running.end_reason.get().cloned();
        health.has_ended = health.end_reason.is_some() || running.report.borrow().is_some();
        if health.running {
            health.silent_loop = member.pulse.silent(ROUND + member.instance.api().timeout() * 5);
            health.unread_for = member.unread().waiting_for(Instant::now());
        }
        health.cached_bytes = member.cached_bytes.load(std::sync::atomic::Ordering::Relaxed);
        for owned in member.queues.all() {
            health.handlers += owned.lock().in_hand();
            health.queues.push(queue_health(member, &owned));
        }
        let missing = member
            .all_subscribed()
            .into_iter()
            .filter(|subscribed| !subscribed.is_retry && member.view(&subscribed.topic).is_none());
        health.topics_without_route = missing.map(|subscribed| subscribed.plain.clone()).collect();
        health
    }

    pub(crate) fn stats(&self) -> Result<ConsumerStats, MQClientError> {
        let Running { member, tracer, .. } = self.running()?;
        let mut stats = member.recorder.snapshot();
        stats.trace_dropped_count = tracer.as_ref().map_or(0, |tracer| tracer.dropped());
        for owned in member.queues.all() {
            let state = owned.lock();
            stats.in_flight += state.in_hand() as u64;
            stats.cached_count += state.window.as_ref().map_or(0, |window| window.count() as u64);
        }
        stats.cached_bytes = member.cached_bytes.load(std::sync::atomic::Ordering::Relaxed);
        Ok(stats)
    }
}

fn queue_health(member: &Member, owned: &OwnedQueue) -> QueueHealth {
    let committed = member.commits().committed(&owned.queue);
    let view = member.view(owned.queue.topic());
    let server = view.as_ref().and_then(|view| view.server_or_other(owned.queue.broker_name(), 0));
    let state = owned.lock();
    let now_is = match state_of(member, &state, committed) {
        QueueState::BrokerUnreachable if server.is_none() => QueueState::NoRoute,
        now_is => now_is,
    };
    let since = match now_is {
        QueueState::Refused => state.refusal.as_ref().map(|refusal| refusal.since),
        QueueState::BrokerUnreachable | QueueState::NoRoute => state.lost,
        _ => None,
    };
    let since = Instant::now().saturating_duration_since(since.unwrap_or(state.since));
    let mut health = QueueHealth::new(owned.shown.clone(), now_is, since);
    health.acknowledged = server.is_none_or(|(_, address)| member.instance.is_known_to(address));
    if let Some(window) = &state.window {
        health.pulled = (!owned.is_pop).then(|| window.next_pull());
        health.lowest_unfinished = (!owned.is_pop).then(|| window.lowest_unfinished());
        health.cached_count = window.count();
        health.cached_bytes = window.pinned();
    }
    health.unacknowledged = state.pop.as_ref().map(PopBook::unacknowledged);
    health.committed = committed;
    health.lock_age = state.order.as_ref().and_then(|order| order.lock.age(Instant::now()));
    health.broker_max = state.broker_max;
    health.last_error = state
        .refusal
        .as_ref()
        .map(|refusal| format!("{:?}, code {}: {}", refusal.why, refusal.why.code(), refusal.remark).into());
    health
}

fn state_of(member: &Member, state: &Ownership, committed: Option<i64>) -> QueueState {
    if state.paused {
        return QueueState::Paused;
    }
    if member.ready.is_suspended() {
        return QueueState::Suspended;
    }
    let (window, now) = (state.window.as_ref(), Instant::now());
    if state.waits_for_lock(now) {
        return QueueState::WaitingForLock;
    }
    if state.order.as_ref().is_some_and(|order| order.is_paused(now)) {
        return QueueState::Suspended;
    }
    if state.refusal.is_some() {
        return QueueState::Refused;
    }
    match &state.stage {
        Stage::Locating(_) | Stage::Correcting(_) => QueueState::OffsetUnknown,
        Stage::Throttled(throttle) => QueueState::Throttled(*throttle),
        _ if state.lost.is_some() => QueueState::BrokerUnreachable,
        _ if window.is_some_and(|window| window.waiting() > 0) => QueueState::ListenerBusy,
        Stage::Pulling if window.is_some_and(|window| Some(window.next_pull()) < state.broker_max) => {
            QueueState::Pulling
        }
        Stage::Pulling if committed.is_some() && committed == state.broker_max => QueueState::CaughtUp,
        Stage::Pulling => QueueState::LongPolling,
        Stage::Idle | Stage::Released => QueueState::Pulling,
    }
}
