use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::again::change;
use super::{Extended, PopHandle, hand_back};
use crate::consumer::member::{Member, OwnedQueue, Stage};
use crate::consumer::pull::settle;
use crate::error::with_causes;
use crate::waiting;

/// The number of requests that are under way at the same time.
const AT_A_TIME: usize = 64;
/// The answers of a broker that has not carried a request out.
const TOO_BUSY: [ResponseCode; 3] =
    [ResponseCode::SYSTEM_BUSY, ResponseCode::SERVICE_NOT_AVAILABLE, ResponseCode::FLOW_CONTROL];
/// When to look again if no message asks for it earlier.
const IDLE: Duration = Duration::from_secs(3600);

/// Hides messages for longer while handlers have them or they wait for one, and forgets messages that are visible again.
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
        lapsed.append(&mut state.lapsed);
        let (Some(book), Some(window)) = (&mut state.pop, &mut state.window) else { return None };
        // While the user wants no messages, waiting ones are left to other members.
        let waits = state.paused || member.ready.is_suspended() || matches!(state.stage, Stage::Released);
        let extends = member.settings.pop.auto_extend;
        lapsed.iter().for_each(|number| _ = book.give_up(*number, now));
        let swept = book.sweep(now, |number| extends && !(waits && window.is_waiting(number)));
        for number in &swept.lapsed {
            // The handler may still end; its acknowledgement is too late.
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
    let (sent, ended) = ask(member, owned, number, handle).await;
    member.recorder.extended(u64::from(matches!(ended, Extended::To(_))));
    let given_up = {
        let mut state = owned.lock();
        let (is_released, state) = (state.is_released(), &mut *state);
        let Some(book) = &mut state.pop else { return };
        member.acks.add(owned, book.extended(number, ended, sent, member.settings.pop.invisible));
        // Without a window, no handler can finish it any more.
        let is_left = state.window.as_ref().is_none_or(|window| window.is_waiting(number));
        (is_released && is_left).then(|| book.give_up(number, Instant::now())).flatten()
    };
    owned.settled.notify_waiters();
    hand_back(member, owned, given_up.into_iter().collect()).await;
}

/// Asks the broker to hide a message for longer, unless the time for that is over when the broker can be asked: other requests
/// and the way to the broker take time. Returns when the request went out, and how it ended.
async fn ask(member: &Member, owned: &OwnedQueue, number: i64, handle: &PopHandle) -> (Instant, Extended) {
    let may = || {
        let now = Instant::now();
        (now, owned.lock().pop.as_ref().and_then(|book| book.may_extend(number, now)))
    };
    let (now, Some(until)) = may() else { return (Instant::now(), Extended::Unsent) };
    let reached = match member.known_master(&owned.queue) {
        Ok(master) => member.instance.reach(&master, until).await,
        Err(error) => Err(error),
    };
    let error = match (reached, may()) {
        (Err(error), _) => {
            tracing::debug!(queue = %owned.queue, error = with_causes(&error), "no broker to hide a message for longer");
            return (Instant::now(), Extended::Unsent);
        }
        (Ok(()), (now, None)) => return (now, Extended::Unsent),
        (Ok(()), (sent, Some(until))) => {
            let asked = change(member, owned, handle, member.settings.pop.invisible, false);
            match timeout_at(until, asked).await {
                Ok(Ok(handle)) => return (sent, Extended::To(handle)),
                // It has not looked at the handle, which is as good as before.
                Ok(Err(error)) if error.response_code().is_some_and(|code| TOO_BUSY.contains(&code)) => {
                    tracing::debug!(queue = %owned.queue, error = with_causes(&error), "a busy broker is asked again");
                    return (sent, Extended::Unsent);
                }
                Ok(Err(error)) => with_causes(&error).to_string(),
                Err(_) => "no answer in time".to_owned(),
            }
        }
    };
    tracing::debug!(queue = %owned.queue, error, "a message is not hidden for longer");
    (now, Extended::Unknown)
}
