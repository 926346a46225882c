use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::again::change;
use super::{PopHandle, hand_back};
use crate::consumer::member::{Member, OwnedQueue, Stage};
use crate::consumer::pull::settle;
use crate::error::with_causes;
use crate::waiting;

/// The number of requests that are under way at the same time.
const AT_A_TIME: usize = 64;
/// When to look again if no message asks for it earlier.
const IDLE: Duration = Duration::from_secs(3600);

/// Hides messages for longer while handlers have them or they wait for one, and forgets those that are visible again.
pub(crate) async fn keep_hidden(member: Arc<Member>) {
    loop {
        let (now, mut next) = (Instant::now(), None);
        for owned in member.queues.all_and_releasing() {
            next = earlier(next, look(&member, &owned, now));
        }
        tokio::select! {
            biased;
            () = sleep_until(next.unwrap_or(now + IDLE)) => {}
            () = member.popped.notified() => {}
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

/// Returns when to look again.
fn look(member: &Arc<Member>, owned: &Arc<OwnedQueue>, now: Instant) -> Option<Instant> {
    let mut lapsed = Vec::new();
    let swept = {
        let mut state = owned.lock();
        let state = &mut *state;
        let (Some(book), Some(window)) = (&mut state.pop, &mut state.window) else { return None };
        // What waits although its user wants no messages is for other members.
        let waits = state.paused || member.ready.is_suspended() || matches!(state.stage, Stage::Released);
        let extends = member.settings.pop.auto_extend;
        let swept = book.sweep(now, |number| extends && !(waits && window.is_waiting(number)));
        for number in &swept.lapsed {
            // What a handler has may still end; its acknowledgement is too late.
            if window.take_at(*number).is_some() {
                book.give_up(*number, now);
                lapsed.push(*number);
            }
        }
        swept
    };
    member.recorder.lapsed(lapsed.len() as u64);
    settle(member, owned, &mut lapsed);
    if !swept.extend.is_empty() {
        member.tasks.spawn(extend_all(member.clone(), owned.clone(), swept.extend));
    }
    swept.next
}

async fn extend_all(member: Arc<Member>, owned: Arc<OwnedQueue>, messages: Vec<(i64, PopHandle)>) {
    for some in messages.chunks(AT_A_TIME) {
        waiting::all(some.iter().map(|(number, handle)| extend(&member, &owned, *number, handle))).await;
    }
    member.popped.notify_one();
}

async fn extend(member: &Arc<Member>, owned: &Arc<OwnedQueue>, number: i64, handle: &PopHandle) {
    let sent = Instant::now();
    let changed = change(member, owned, handle, member.settings.pop.invisible, false).await;
    if let Err(error) = &changed {
        tracing::debug!(queue = %owned.queue, error = with_causes(error), "a message is not hidden for longer");
    } else {
        member.recorder.extended(1);
    }
    let (ack, is_released) = {
        let mut state = owned.lock();
        let ack = state.pop.as_mut().and_then(|book| book.extended(number, changed.ok(), sent));
        (ack, state.is_released())
    };
    member.acks.add(owned, ack);
    owned.settled.notify_waiters();
    if is_released {
        let waiting = {
            let mut state = owned.lock();
            let state = &mut *state;
            let (Some(book), Some(window)) = (&mut state.pop, &state.window) else { return };
            window.is_waiting(number).then(|| book.give_up(number, Instant::now())).flatten()
        };
        hand_back(member, owned, waiting.into_iter().collect()).await;
    }
}
