use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::time::{Instant, timeout};

use super::Pool;
use super::desk::{Desk, Messages};
use super::running::{Outcome, context, poll_once, wait};
use crate::consumer::listener::{CancelSource, ConsumeOutcome, ConsumeResult, Ended, Slot};
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::{give_back, settle};
use crate::consumer::retry::{Failing, place, try_here_or_skip};

/// The messages that a worker takes at once while its listener is quick.
const QUICK: usize = 32;
/// A listener that takes less for a message is quick: to wake another worker takes as long.
const QUICK_PER_MESSAGE: Duration = Duration::from_micros(20);
/// How long a worker waits for a broker to take a message that failed.
const A_MOMENT: Duration = Duration::from_millis(50);

/// One worker.
struct Worker {
    member: Arc<Member>,
    slot: Slot<Arc<MessageExt>, ConsumeResult>,
    source: CancelSource,
    desk: Arc<Desk>,
    /// Offsets that are finished and not settled.
    done: Vec<i64>,
    quick: bool,
}

/// Handles messages in any order, until the pool has another size.
pub(super) async fn work(
    pool: Arc<Pool>,
    index: usize,
    desk: Arc<Desk>,
    slot: Slot<Arc<MessageExt>, ConsumeResult>,
) {
    let member = pool.member.clone();
    let (source, done) = (CancelSource::default(), Vec::with_capacity(QUICK));
    let mut worker = Worker { member, slot, source, desk, done, quick: false };
    while let Some(owned) = pool.next(index).await {
        let most = pool.paced(1, QUICK).await;
        let (offsets, taken) = worker.take(&owned, (pool.wanted(), most));
        pool.not_used(most - taken.len());
        let (began, count) = (Instant::now(), taken.len());
        worker.handle(&owned, offsets.into_iter().zip(taken), began).await;
        worker.quick = began.elapsed() < QUICK_PER_MESSAGE * u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        tokio::task::consume_budget().await;
    }
}

impl Worker {
    /// Takes messages of a queue, up to `most`: all at once from a quick listener, else a share that leaves some for other
    /// workers.
    fn take(&self, owned: &Arc<OwnedQueue>, (workers, most): (usize, usize)) -> (Vec<i64>, Vec<MessageExt>) {
        let (mut offsets, mut taken, mut state) = (Vec::new(), Vec::new(), owned.lock());
        let waiting = state.window.as_ref().map_or(0, |window| window.waiting());
        let count = if self.quick { QUICK } else { waiting.div_ceil(workers.max(1)).clamp(1, QUICK) };
        state.take(count.min(most), &mut offsets, &mut taken);
        self.member.note_lapsed(&state);
        if state.gets_in_line() {
            drop(state);
            self.member.ready.push(owned.clone());
        }
        (offsets, taken)
    }

    async fn handle(
        &mut self,
        owned: &Arc<OwnedQueue>,
        mut messages: impl ExactSizeIterator<Item = (i64, MessageExt)>,
        began: Instant,
    ) {
        let member = self.member.clone();
        while let Some((offset, message)) = messages.next() {
            let message = Arc::new(message);
            let context = context(&member, owned, offset, &message, &mut self.source, began);
            let deadline = context.deadline;
            self.desk.begin(owned, Messages::from(&message), &context.cancelled, began);
            self.slot.start(message.clone(), context);
            let ended = poll_once(&self.desk, &mut self.slot).await;
            if let Some(Ended::Returned(Ok(ConsumeOutcome::Success))) = ended {
                self.done.push(offset);
                continue;
            }
            // This takes long: others handle the rest meanwhile.
            self.note_done(owned, began);
            if messages.len() > 0 {
                give_back(&member, owned, messages.by_ref());
            }
            let outcome: Outcome<_> = match ended {
                Some(ended) => ended.into(),
                None => {
                    let slot = (&mut self.slot, &self.source);
                    wait(&member, owned, &self.desk, slot, (began, deadline)).await
                }
            };
            let outcome = outcome.or_reason(&member, owned, &message);
            if outcome == Ok(ConsumeOutcome::Success) {
                if conclude(&member, owned, offset, &message, outcome).await {
                    self.done.push(offset);
                    settle(&member, owned, &mut self.done);
                }
            } else {
                conclude_aside(&member, owned, offset, message, outcome).await;
            }
        }
        self.note_done(owned, began);
    }

    /// Ends the messages of handlers that returned at once. They share the time since `began`: a look at the clock for each
    /// would take longer than most of them.
    fn note_done(&mut self, owned: &Arc<OwnedQueue>, began: Instant) {
        self.member.recorder.succeeded(self.done.len() as u64);
        self.member.recorder.handled(self.done.len(), began.elapsed());
        settle(&self.member, owned, &mut self.done);
    }
}

/// Ends a message that failed. A broker that does not answer keeps the worker a moment only.
async fn conclude_aside(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    offset: i64,
    message: Arc<MessageExt>,
    outcome: Result<ConsumeOutcome, String>,
) {
    let (this, owned) = (member.clone(), owned.clone());
    let mut concluding = Box::pin(async move {
        if conclude(&this, &owned, offset, &message, outcome).await {
            settle(&this, &owned, &mut vec![offset]);
        }
    });
    if timeout(A_MOMENT, &mut concluding).await.is_err() {
        member.tasks.spawn(concluding);
    }
}

/// Carries out the outcome of a message. True: the message is finished.
pub(super) async fn conclude(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    offset: i64,
    message: &Arc<MessageExt>,
    outcome: Result<ConsumeOutcome, String>,
) -> bool {
    let later = |reason: String, delay_level| Failing { reason, delay_level, dead_letter: false };
    let failing = match outcome {
        Ok(ConsumeOutcome::Success) => {
            member.recorder.succeeded(1);
            member.retries.forget(owned.generation, offset);
            return true;
        }
        Ok(ConsumeOutcome::Later { delay_level }) => {
            later("the listener said: later".to_owned(), delay_level)
        }
        Ok(ConsumeOutcome::DeadLetter { reason }) => Failing { reason, delay_level: None, dead_letter: true },
        Err(reason) => later(reason, None),
    };
    member.recorder.failed(1);
    if member.settings.broadcast {
        return try_here_or_skip(member, owned, offset, message, failing);
    }
    // A message of a queue that is not ours any more belongs to its next owner, who gets it anyway: the handler was told to
    // stop, which is no failure of the message.
    let (is_released, is_gone) = {
        let state = owned.lock();
        (state.is_released(), state.window.is_none())
    };
    if is_released && !owned.is_pop && (is_gone || !failing.dead_letter) {
        give_back(member, owned, [(offset, MessageExt::clone(message))]);
        return false;
    }
    place(member, owned, offset, message, &failing).await
}
