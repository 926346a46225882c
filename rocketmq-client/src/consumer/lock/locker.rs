//! Asks masters for the locks of queues (41), and gives them back (42): all queues of a broker in one request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{LockBatchRequestBody, UnlockBatchRequestBody};
use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep_until};

use super::LockChange;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::watch::ConsumerEvent;
use crate::error::with_causes;

/// The connection on which each broker was asked last: on another it may have forgotten all locks.
type Asked = Arc<Mutex<FxHashMap<Arc<str>, u64>>>;

/// Asks for locks when they are due, and tells of locks that are in doubt.
pub(crate) async fn keep_locked(member: Arc<Member>) {
    let asked = Asked::default();
    loop {
        let now = Instant::now();
        let mut due: BTreeMap<Arc<str>, Vec<Arc<OwnedQueue>>> = BTreeMap::new();
        let mut next: Option<Instant> = None;
        for owned in member.queues.all_and_releasing().into_iter().filter(|owned| !owned.is_pop) {
            let mut state = owned.lock();
            let Some(order) = &mut state.order else { continue };
            if order.lock.next_request() <= now {
                order.lock.requested(now);
                due.entry(owned.queue.shared_broker_name().clone()).or_default().push(owned.clone());
            }
            let soon = order.lock.next_change().filter(|at| *at > now);
            next = [next, soon, Some(order.lock.next_request())].into_iter().flatten().min();
            let change = order.lock.change(now);
            let age = order.lock.age(now).unwrap_or_default();
            drop(state);
            tell(&member, &owned, change, age, "it was not renewed in time");
        }
        for (_, queues) in due {
            member.tasks.spawn(ask(member.clone(), asked.clone(), queues, now));
        }
        let sleeping = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = sleeping => {}
            () = member.lock_wanted.notified() => {}
        }
    }
}

/// The connection to a broker was lost: it may have restarted, and have granted the locks to others.
pub(crate) fn doubt(member: &Member, broker: &str) {
    let now = Instant::now();
    for owned in member.queues.all_and_releasing() {
        if owned.is_pop || owned.queue.broker_name() != broker {
            continue;
        }
        let mut state = owned.lock();
        let Some(order) = &mut state.order else { continue };
        order.lock.doubt(now);
        let (change, age) = (order.lock.change(now), order.lock.age(now).unwrap_or_default());
        drop(state);
        tell(member, &owned, change, age, "the connection to its broker was lost");
    }
    member.lock_wanted.notify_one();
}

/// Gives the lock of a queue back. False: no broker has acknowledged it.
pub(crate) async fn unlock(member: &Member, queue: &MessageQueue) -> bool {
    let Some(master) = member.master(queue) else { return false };
    let request = UnlockBatchRequestBody {
        client_id: member.instance.client_id().to_owned(),
        consumer_group: member.group().to_string(),
        mq_set: vec![queue.clone()],
        only_this_broker: false,
    };
    let unlocked = member.instance.api().asking().unlock_batch(&master, &request).await;
    if let Err(error) = &unlocked {
        tracing::debug!(%queue, error = with_causes(error), "a lock is not given back: it expires in a minute");
    }
    unlocked.is_ok()
}

async fn ask(member: Arc<Member>, asked: Asked, queues: Vec<Arc<OwnedQueue>>, sent: Instant) {
    let granted = request(&member, &asked, &queues).await;
    let now = Instant::now();
    for owned in queues {
        let mut state = owned.lock();
        let Some(order) = &mut state.order else { continue };
        match &granted {
            Some((sent, granted)) if granted.contains(&owned.queue) => order.lock.granted(*sent, now),
            Some(_) => order.lock.refused(sent, now),
            None => order.lock.failed(now),
        }
        order.is_answered = true;
        let (change, age) = (order.lock.change(now), order.lock.age(now).unwrap_or_default());
        let gets_in_line = state.gets_in_line();
        drop(state);
        if gets_in_line {
            member.ready.push(owned.clone());
        }
        // It may read its offset, and pull.
        member.agenda.add(now, &owned);
        owned.settled.notify_waiters();
        tell(&member, &owned, change, age, "its broker did not confirm it");
    }
    member.lock_wanted.notify_one();
}

/// Returns when the request was sent, and which queues are locked.
async fn request(
    member: &Member,
    asked: &Asked,
    queues: &[Arc<OwnedQueue>],
) -> Option<(Instant, Vec<MessageQueue>)> {
    let first = &queues.first()?.queue;
    let master = member.master(first)?;
    let (instance, api) = (&member.instance, member.instance.api());
    instance.reach(&master, Instant::now() + api.timeout()).await.ok()?;
    let connection = api.remoting().connection(&master)?.id();
    let before = asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(first.shared_broker_name().clone(), connection);
    if before.is_some_and(|before| before != connection) {
        doubt(member, first.broker_name());
    }
    // Locks that were given back meanwhile are not asked for any more.
    let claim = |owned: &Arc<OwnedQueue>| {
        let claim = owned.lock().order.as_ref()?.claim.clone();
        Some((owned.queue.clone(), claim.ask()?, claim))
    };
    let asking: Vec<_> = queues.iter().filter_map(claim).collect();
    let request = LockBatchRequestBody {
        client_id: instance.client_id().to_owned(),
        consumer_group: member.group().to_string(),
        mq_set: asking.iter().map(|(queue, ..)| queue.clone()).collect(),
        only_this_broker: false,
    };
    let sent = Instant::now();
    match api.asking().lock_batch(&master, &request).await {
        Ok(granted) => {
            let refused = asking.iter().filter(|(queue, ..)| !granted.contains(queue));
            refused.for_each(|(_, _, claim)| claim.refused());
            Some((sent, granted))
        }
        Err(error) => {
            tracing::debug!(broker = %master, error = with_causes(&error), "locks are not confirmed");
            None
        }
    }
}

fn tell(
    member: &Member,
    owned: &OwnedQueue,
    change: Option<LockChange>,
    age: std::time::Duration,
    reason: &str,
) {
    let (group, queue) = (member.events.group(), owned.queue.clone());
    member.events.emit(match change {
        Some(LockChange::AtRisk) => ConsumerEvent::LockAtRisk { group, queue, age, reason: reason.into() },
        Some(LockChange::Lost) => ConsumerEvent::LockLost { group, queue },
        Some(LockChange::Regained) => ConsumerEvent::LockRegained { group, queue, after: age },
        Some(LockChange::Gained) | None => return,
    });
}
