use std::sync::Arc;

use rocketmq_common::MessageExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::Pool;
use super::concurrently::conclude_one;
use super::running::give_back;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::settle;
use crate::consumer::stream::{Feed, Flight, Phase, Settlement};
use crate::consumer::watch::{ConsumerEvent, MessageIdentity};

/// Offers messages to the reader of a stream, one at a time, until the pool has another size or the stream is dropped.
pub(super) async fn work(pool: Arc<Pool>, index: usize, feed: Arc<Feed>) {
    let member = pool.member.clone();
    let mut taken = Vec::with_capacity(1);
    while let Some(owned) = pool.next(index).await {
        // What waits in the windows stays there, within their limits.
        if !feed.is_open() {
            return;
        }
        {
            let mut state = owned.lock();
            state.take(1, &mut taken);
            if state.gets_in_line() {
                drop(state);
                member.ready.push(owned.clone());
            }
        }
        if let Some((offset, message)) = taken.pop() {
            offer(&member, &owned, offset, message, &feed).await;
        }
        tokio::task::consume_budget().await;
    }
}

/// Sees a message through, from the offer to its end.
async fn offer(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    offset: i64,
    message: Arc<MessageExt>,
    feed: &Feed,
) {
    let flight = Arc::new(Flight::new(member.clone(), owned.clone(), offset, message.clone()));
    if !feed.offer(flight.clone()) {
        return put_back(member, owned, offset, message);
    }
    let waiting = Waiting(flight);
    let phase = wait(member, owned, &waiting.0).await;
    if matches!(phase, Phase::NotTaken) {
        return put_back(member, owned, offset, message);
    }
    feed.came_back();
    let (outcome, told) = match phase {
        Phase::Settled(Settlement::Told(outcome, told)) => (Ok(outcome), told),
        // The next owner gets it.
        Phase::Settled(Settlement::Dropped) if feed.is_ended() || owned.lock().is_released() => {
            return put_back(member, owned, offset, message);
        }
        Phase::Settled(Settlement::Dropped) => (Err("the delivery was dropped".to_owned()), None),
        _ => (Err("the delivery was not settled in time".to_owned()), None),
    };
    let is_finished = conclude_one(member, owned, offset, &message, outcome).await;
    if is_finished {
        settle(member, owned, &mut vec![offset]);
        owned.settled.notify_waiters();
    }
    if let Some(told) = told {
        let _ = told.send(is_finished);
    }
}

/// A worker that waits for the reader. When its task ends, what the reader says comes too late.
struct Waiting(Arc<Flight>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Waits for the reader: without end for its taking the message, then until the deadline and for the grace.
async fn wait(member: &Member, owned: &OwnedQueue, flight: &Flight) -> Phase {
    let mut deadline = loop {
        match flight.look() {
            Phase::Offered => flight.changed().await,
            Phase::Taken(deadline) => break deadline,
            phase => return phase,
        }
    };
    let began = Instant::now();
    loop {
        let timed_out = timeout_at(deadline, flight.changed()).await.is_err();
        match flight.look() {
            // The reader may have asked for more time.
            Phase::Taken(at) if timed_out && at <= deadline => break,
            Phase::Taken(at) => deadline = at,
            phase => return phase,
        }
    }
    member.recorder.timed_out(1);
    member.events.emit(ConsumerEvent::ListenerSlow {
        group: member.events.group(),
        message: Box::new(MessageIdentity::of(&flight.message, &owned.queue)),
        running_for: began.elapsed(),
    });
    let _ = timeout(member.settings.timeout_grace, flight.changed()).await;
    flight.give_up()
}

/// A message that was not handled waits in its window again, unfinished.
fn put_back(member: &Arc<Member>, owned: &Arc<OwnedQueue>, offset: i64, message: Arc<MessageExt>) {
    give_back(member, owned, [(offset, message)]);
    owned.settled.notify_waiters();
}
