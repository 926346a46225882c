use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::time::Instant;

use super::Pool;
use super::desk::{Desk, Messages};
use super::running::{context, poll_once, wait};
use crate::consumer::listener::{CancelSource, OrderlyOutcome, OrderlyResult, Slot};
use crate::consumer::lock::QueueOrder;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::settle;
use crate::consumer::retry::{Failing, skip, store_dead_letter};

/// The messages of one queue that a worker handles in a row; then other queues get their turn.
const IN_A_ROW: usize = 64;
/// The pauses that a listener may ask for.
const PAUSES: std::ops::RangeInclusive<u64> = 10..=30_000;

/// A message that is not done.
struct Undone {
    reason: String,
    /// How long its queue waits.
    pause: Duration,
    /// Messages that were done and not committed come again, too.
    rollback: bool,
}

struct Worker {
    pool: Arc<Pool>,
    member: Arc<Member>,
    slot: Slot<Arc<MessageExt>, OrderlyResult>,
    source: CancelSource,
    desk: Arc<Desk>,
}

/// Handles the messages of each queue one by one, until the pool has another size.
pub(super) async fn work(
    pool: Arc<Pool>,
    index: usize,
    desk: Arc<Desk>,
    slot: Slot<Arc<MessageExt>, OrderlyResult>,
) {
    let member = pool.member.clone();
    let mut worker = Worker { pool: pool.clone(), member, slot, source: CancelSource::default(), desk };
    while let Some(owned) = pool.next(index).await {
        let order = owned.lock().order.clone();
        let may_start = pool.paced(1, 1).await > 0;
        if let Some(order) = order.filter(|order| may_start && order.begin()) {
            let turn = Turn { member: worker.member.clone(), owned: owned.clone(), order };
            worker.handle(&turn.owned).await;
        } else {
            pool.not_used(usize::from(may_start));
            let mut state = owned.lock();
            state.in_line = false;
            // A handler of an earlier ownership lines the queue up when it ends, unless that was just now.
            if state.gets_in_line() {
                drop(state);
                pool.member.ready.push(owned.clone());
            }
        }
        tokio::task::consume_budget().await;
    }
}

/// The turn of a worker with a queue. However it ends, the queue can have another.
struct Turn {
    member: Arc<Member>,
    owned: Arc<OwnedQueue>,
    order: QueueOrder,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.order.end();
        self.owned.lock().in_line = false;
        // The queue may have another ownership by now.
        let current = self.member.queues.get(&self.owned.queue);
        let owned = current.unwrap_or_else(|| self.owned.clone());
        if owned.lock().gets_in_line() {
            self.member.ready.push(owned);
        }
        self.owned.settled.notify_waiters();
    }
}

impl Worker {
    async fn handle(&mut self, owned: &Arc<OwnedQueue>) {
        let mut done = Vec::with_capacity(1);
        for count in 0..IN_A_ROW {
            if count > 0 && (self.member.ready.is_suspended() || !self.pool.may_go_on()) {
                return;
            }
            let taken = {
                let mut state = owned.lock();
                let taken = state.take_in_order(Instant::now());
                self.member.note_lapsed(&state);
                taken
            };
            let Some((offset, message, failures)) = taken else { return self.pool.not_used(1) };
            match self.handle_one(owned, offset, &message, failures).await {
                Ok(false) => {
                    self.member.recorder.succeeded(1);
                    owned.lock().uncommitted.push((offset, message));
                }
                Ok(true) => {
                    self.member.recorder.succeeded(1);
                    done.extend(owned.lock().uncommitted.drain(..).map(|(offset, _)| offset));
                    done.push(offset);
                    settle(&self.member, owned, &mut done);
                }
                Err(Undone { reason, pause, rollback }) => {
                    self.member.recorder.failed(1);
                    let member = self.member.clone();
                    let failing = Failing { reason, delay_level: None, dead_letter: true };
                    // A handler that was told to stop leaves the message to the next owner.
                    let is_released = owned.lock().is_released();
                    if !is_released
                        && !rollback
                        && self.is_past_maximum(&message, failures)
                        && give_up(&member, owned, &message, failures, failing).await
                    {
                        done.push(offset);
                        settle(&self.member, owned, &mut done);
                        continue;
                    }
                    return self.suspend(owned, offset, message, pause, rollback);
                }
            }
        }
    }

    /// Whether the message and the messages done before it may be committed.
    async fn handle_one(
        &mut self,
        owned: &Arc<OwnedQueue>,
        offset: i64,
        message: &Arc<MessageExt>,
        failures: u32,
    ) -> Result<bool, Undone> {
        let member = self.member.clone();
        let began = Instant::now();
        let mut context = context(&member, owned, offset, message, &mut self.source, began);
        context.reconsume_times = context.reconsume_times.saturating_add(failures);
        let deadline = context.deadline;
        self.desk.begin(owned, Messages::from(message), &context.cancelled, began);
        self.slot.start(message.clone(), context);
        let outcome = match poll_once(&self.desk, &mut self.slot).await {
            Some(ended) => {
                member.recorder.handled(1, began.elapsed());
                ended.into()
            }
            None => {
                let slot = (&mut self.slot, &self.source);
                wait(&member, owned, &self.desk, slot, (began, deadline)).await
            }
        };
        let (mut pause, mut rollback) = (member.settings.suspend_queue, false);
        let reason = match outcome.or_reason(&member, owned, message) {
            Ok(OrderlyOutcome::Success) => return Ok(member.settings.auto_commit),
            Ok(OrderlyOutcome::Commit) => return Ok(true),
            Ok(OrderlyOutcome::SuspendCurrentQueueAMoment { millis }) => {
                let asked = millis.map(|millis| millis.clamp(*PAUSES.start(), *PAUSES.end()));
                pause = asked.map_or(pause, Duration::from_millis);
                "the listener asked for a pause".to_owned()
            }
            Ok(OrderlyOutcome::Rollback) => {
                rollback = !member.settings.auto_commit;
                "the listener rolled back".to_owned()
            }
            Err(reason) => reason,
        };
        Err(Undone { reason, pause, rollback })
    }

    fn is_past_maximum(&self, message: &MessageExt, failures: u32) -> bool {
        let times = u32::try_from(message.reconsume_times()).unwrap_or_default().saturating_add(failures);
        self.member.settings.max_reconsume_times.is_some_and(|max| times >= max)
    }

    /// Puts the message back to its place, after a rollback with all that are not committed; its queue waits.
    fn suspend(
        &self,
        owned: &Arc<OwnedQueue>,
        offset: i64,
        message: Arc<MessageExt>,
        pause: Duration,
        rollback: bool,
    ) {
        let stored = (offset, message.store_timestamp());
        let mut state = owned.lock();
        let mut again = if rollback { std::mem::take(&mut state.uncommitted) } else { Vec::new() };
        again.push((offset, message));
        if let Some(window) = &mut state.window {
            for (offset, message) in again {
                let _ = window.give_back(owned.generation, offset, Arc::unwrap_or_clone(message));
            }
        }
        if let Some(order) = &mut state.order {
            if !rollback {
                order.note_failure(stored);
            }
            let at = order.pause(Instant::now(), pause);
            self.member.agenda.add(at, owned);
        }
    }
}

/// Lets a queue go on without a message that failed too often. False: no broker took it, and its queue waits.
async fn give_up(
    member: &Member,
    owned: &Arc<OwnedQueue>,
    message: &Arc<MessageExt>,
    failures: u32,
    failing: Failing,
) -> bool {
    if member.settings.broadcast {
        skip(member, owned, message, failing);
        return true;
    }
    store_dead_letter(member, owned, message, failures, &failing).await
}
