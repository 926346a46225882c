use std::sync::Arc;

use super::Pool;
use super::concurrently::conclude;
use crate::consumer::member::Member;
use crate::consumer::pull::{give_back, settle};
use crate::consumer::stream::{Failed, Feed, Overdue, Settlement};
use crate::consumer::watch::{ConsumerEvent, MessageIdentity};

/// Sees deliveries through that have not succeeded, until the pool has another size. Deliveries that succeed need no worker.
pub(super) async fn work(pool: Arc<Pool>, index: usize, feed: Arc<Feed>) {
    while let Some(failed) = pool.unless_too_many(index, || feed.next_failed()).await {
        see_through(&pool.member, &feed, failed).await;
    }
}

async fn see_through(member: &Arc<Member>, feed: &Feed, failed: Failed) {
    let Failed { flight, index, settlement } = failed;
    let (owned, message) = (&flight.owned, flight.message(index));
    let offset = flight.offset(index);
    let (outcome, told) = match settlement {
        Settlement::Told(outcome, told) => (Ok(outcome), told),
        // The next owner gets it.
        Settlement::Dropped if feed.is_ended() || owned.lock().is_released() => {
            give_back(member, owned, [(offset, message.clone())]);
            owned.settled.notify_waiters();
            return;
        }
        Settlement::Dropped => (Err("the delivery was dropped".to_owned()), None),
        Settlement::TimedOut => (Err("the delivery was not settled in time".to_owned()), None),
    };
    let is_finished = conclude(member, owned, offset, &Arc::new(message.clone()), outcome).await;
    if is_finished {
        settle(member, owned, &mut vec![offset]);
    }
    if let Some(told) = told {
        let _ = told.send(is_finished);
    }
}

/// When the task ends, the verdicts of readers come too late.
struct Minding(Arc<Feed>);

impl Drop for Minding {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Looks after the time of the deliveries that a reader holds.
pub(super) async fn mind_time(member: Arc<Member>, feed: Arc<Feed>) {
    let minding = Minding(feed);
    loop {
        match minding.0.overdue().await {
            Overdue::Late(flight, index) => {
                member.recorder.timed_out(1);
                member.events.emit(ConsumerEvent::ListenerSlow {
                    group: member.events.group(),
                    message: {
                        let message = flight.message(index);
                        Box::new(MessageIdentity::of(message, &flight.owned.queue_of(message)))
                    },
                    running_for: flight.began.elapsed(),
                });
            }
            Overdue::TimedOut(flight, index) => {
                flight.note_end(index, &Settlement::TimedOut);
                minding.0.fail(Failed { flight, index, settlement: Settlement::TimedOut });
            }
        }
    }
}
