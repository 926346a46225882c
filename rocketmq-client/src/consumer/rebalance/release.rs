use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use tokio::time::{Instant, timeout, timeout_at};

use crate::consumer::lock::locker;
use crate::consumer::member::{Member, OwnedQueue, Stage};
use crate::consumer::offsets::remote;
use crate::consumer::pop::{PopBook, all_acked, hand_back_all};
use crate::consumer::pull::Throttle;
use crate::consumer::watch::ConsumerEvent;
use crate::waiting;

/// Releases queues in a task of their own: what takes long there delays no queue that is taken.
pub(crate) fn start_release(member: &Arc<Member>, queues: Vec<MessageQueue>) {
    let released: Vec<_> = queues.iter().filter_map(|queue| member.queues.begin_release(queue)).collect();
    let Some(first) = released.first() else { return };
    let (this, topic) = (member.clone(), first.queue.shared_topic().clone());
    member.tasks.spawn(async move {
        waiting::all(released.iter().map(|owned| {
            let drain = this.settings.drain(owned.is_pop);
            let until = Instant::now() + drain + 2 * this.instance.api().timeout();
            let this = &this;
            async move {
                release(this, owned, drain, until).await;
                if this.settings.orderly {
                    // A queue may wait for this one alone.
                    this.want_rebalance();
                }
            }
        }))
        .await;
        let queues = released.iter().map(|owned| owned.queue.clone()).collect();
        this.want_rebalance();
        this.events.emit(ConsumerEvent::Revoked { group: this.events.group(), topic, queues });
    });
}

/// The leftovers of a release.
#[derive(Debug)]
pub(crate) struct Released {
    /// Handlers that were not done.
    pub(crate) unfinished: usize,
    /// The offset, if no broker has it.
    pub(crate) uncommitted: Option<i64>,
    /// Popped messages that are done and that no broker has acknowledged.
    pub(crate) unacknowledged: usize,
    /// No broker has acknowledged that the lock is given back.
    pub(crate) still_locked: bool,
}

/// Ends an ownership: nothing more is handed out; what is finished is committed; handlers may finish within `drain`; then the
/// offset is committed again, and the lock given back. Half of the time that is left until `until` is for each.
pub(crate) async fn release(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    drain: Duration,
    until: Instant,
) -> Released {
    let is_handling = {
        let mut state = owned.lock();
        if matches!(state.stage, Stage::Throttled(Throttle::Budget)) {
            member.budget_waits.fetch_sub(1, Ordering::Relaxed);
        }
        state.release();
        state.in_hand() > 0
    };
    if is_handling {
        // The next owner may begin before the last handler ends: what was finished before does not come again.
        let (member, owned) = (member.clone(), owned.clone());
        member.clone().tasks.spawn(async move { remote::commit_while_draining(&member, &owned).await });
    }
    member.retries.hand_back(owned);
    // A shutdown cuts the drain short at `until`, whatever the way to the broker takes.
    let drain_until = until.min(Instant::now() + drain);
    let mut handing_back = std::pin::pin!(hand_back_all(member, owned, false));
    let mut is_handed_back = false;
    let order = owned.lock().order.clone();
    let drained = async {
        loop {
            let settled = owned.settled.notified();
            if owned.lock().in_hand() == 0 {
                break;
            }
            settled.await;
        }
        // A handler of an earlier ownership has no message of this one in hand.
        if let Some(order) = &order {
            order.idle().await;
        }
    };
    let mut draining = std::pin::pin!(timeout_at(drain_until, drained));
    loop {
        tokio::select! {
            biased;
            () = &mut handing_back, if !is_handed_back => is_handed_back = true,
            _ = &mut draining => break,
        }
    }
    let (unfinished, order, is_ours) = {
        let mut state = owned.lock();
        let is_ours = state.may_commit(Instant::now()) && !member.was_away(owned, &state);
        // From now on the lock is not renewed: a renewal after the unlock would keep other members away.
        let order = state.order.take();
        let handling = order.as_ref().is_some_and(|order| order.is_handling());
        (state.in_hand().max(usize::from(handling)), order, is_ours)
    };
    let left = || until.saturating_duration_since(Instant::now());
    let api = member.instance.api().timeout();
    let uncommitted = match owned.is_pop {
        false => remote::commit_last(member, owned, api.min(left() / 2), is_ours).await,
        true => {
            let handing_back = async {
                if !is_handed_back {
                    handing_back.await;
                }
            };
            let telling =
                async { tokio::join!(handing_back, hand_back_all(member, owned, true), all_acked(owned)) };
            let _ = timeout_at(until, telling).await;
            None
        }
    };
    let unacknowledged = owned.lock().pop.as_ref().map_or(0, PopBook::acking);
    let still_locked = match order {
        // While its handler runs, the lock keeps other members away.
        _ if owned.is_pop => false,
        Some(order) if unfinished > 0 => order.claim.may_be_held(),
        Some(order) => {
            let given_back = async {
                order.claim.end().await;
                !order.claim.may_be_held() || locker::unlock(member, &owned.queue).await
            };
            !timeout(api.min(left()), given_back).await.unwrap_or(false)
        }
        None => false,
    };
    member.drop_cached(owned);
    member.queues.released(owned);
    Released { unfinished, uncommitted, unacknowledged, still_locked }
}
