use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_common::MessageExt;
use tokio::time::Instant;

use super::{Throttle, pull};
use crate::consumer::member::{Member, OwnedQueue, Ownership, Stage};

/// Ends messages of a queue: their memory goes back to the budget, and pulling goes on if it waited for that. The list is
/// empty then.
pub(crate) fn settle(member: &Arc<Member>, owned: &Arc<OwnedQueue>, offsets: &mut Vec<i64>) {
    if !offsets.is_empty() {
        settle_all(member, owned, offsets);
        offsets.clear();
    }
}

/// Ends one message of a queue, as [`settle`] ends several.
pub(crate) fn settle_one(member: &Arc<Member>, owned: &Arc<OwnedQueue>, offset: i64) {
    settle_all(member, owned, &[offset]);
}

fn settle_all(member: &Arc<Member>, owned: &Arc<OwnedQueue>, offsets: &[i64]) {
    let mut state = owned.lock();
    let (mut released, mut acks) = (0, Vec::new());
    state.consumed_at = Instant::now();
    let Ownership { window, pop, .. } = &mut *state;
    if let Some(window) = window {
        released = window.finish_all(owned.generation, offsets);
        if let Some(book) = pop {
            acks.extend(offsets.iter().filter_map(|offset| book.finish(*offset)));
        }
    }
    if owned.awaited.load(Ordering::Relaxed) > 0 {
        owned.settled.notify_waiters();
    }
    if !acks.is_empty() {
        member.acks.add(owned, acks);
    }
    if released > 0 {
        member.cached_bytes.fetch_sub(released, Ordering::SeqCst);
    }
    match state.stage {
        Stage::Throttled(_) => look_again(member, owned, &mut state),
        Stage::Released => {
            drop(state);
            owned.settled.notify_waiters();
            return wake_others(member, released);
        }
        _ => {}
    }
    drop(state);
    wake_others(member, released);
}

/// Puts messages back that were taken and not handled.
pub(crate) fn give_back(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    messages: impl IntoIterator<Item = (i64, MessageExt)>,
) {
    let mut state = owned.lock();
    if let Some(window) = &mut state.window {
        for (offset, message) in messages {
            // It is gone with the queue otherwise.
            let _ = window.give_back(owned.generation, offset, message);
        }
    }
    if state.gets_in_line() {
        drop(state);
        member.ready.push(owned.clone());
    } else if state.is_released() && state.in_hand() == 0 {
        drop(state);
        owned.settled.notify_waiters();
    }
}

/// Goes on with queues that wait for the budget of the consumer.
fn wake_others(member: &Arc<Member>, released: u64) {
    if released == 0 || member.budget_waits.load(Ordering::SeqCst) == 0 {
        return;
    }
    for owned in member.queues.all() {
        let mut state = owned.lock();
        if matches!(state.stage, Stage::Throttled(Throttle::Budget)) {
            look_again(member, &owned, &mut state);
        }
    }
}

/// Lets a queue pull that has left the limit that it waited for. If it meets another limit, it waits for that from now on.
fn look_again(member: &Arc<Member>, owned: &Arc<OwnedQueue>, state: &mut Ownership) {
    let Stage::Throttled(throttle) = state.stage else { return };
    if member.throttle(owned, state) == Some(throttle) {
        return;
    }
    if throttle == Throttle::Budget {
        member.budget_waits.fetch_sub(1, Ordering::Relaxed);
    }
    state.enter(Stage::Idle);
    pull(member, owned, state);
}
