use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::MessageExt;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::consumer::listener::ConsumeOutcome;
use crate::consumer::member::{Member, OwnedQueue};

/// One message on its way through a stream: the worker that took it waits here for what the reader says.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) member: Arc<Member>,
    pub(crate) owned: Arc<OwnedQueue>,
    pub(crate) offset: i64,
    pub(crate) message: Arc<MessageExt>,
    phase: Mutex<Phase>,
    changed: Notify,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It waits for the reader.
    Offered,
    /// The reader has it until this time.
    Taken(Instant),
    /// The reader is done with it.
    Settled(Settlement),
    /// The stream ended before the reader took it.
    NotTaken,
    /// The worker does not wait any more: what the reader says comes too late.
    Over,
}

/// What the reader says.
#[derive(Debug)]
pub(crate) enum Settlement {
    /// This outcome. The channel learns whether the message is finished.
    Told(ConsumeOutcome, Option<oneshot::Sender<bool>>),
    /// Nothing: the delivery was dropped.
    Dropped,
}

impl Flight {
    pub(crate) fn new(
        member: Arc<Member>,
        owned: Arc<OwnedQueue>,
        offset: i64,
        message: Arc<MessageExt>,
    ) -> Self {
        Self { member, owned, offset, message, phase: Mutex::new(Phase::Offered), changed: Notify::new() }
    }

    /// The reader takes the message; its time begins. False: its queue is not owned any more.
    pub(super) fn begin(&self) -> bool {
        let released = self.owned.lock().is_released();
        let deadline = Instant::now() + self.member.settings.consume_timeout;
        self.enter(if released { Phase::NotTaken } else { Phase::Taken(deadline) });
        !released
    }

    /// The stream ends before its reader takes the message.
    pub(super) fn turn_away(&self) {
        self.enter(Phase::NotTaken);
    }

    /// What the reader says counts once, and only while the worker waits.
    pub(super) fn settle(&self, settlement: Settlement) {
        let mut phase = self.phase();
        if let Phase::Taken(_) = *phase {
            *phase = Phase::Settled(settlement);
            drop(phase);
            self.changed.notify_one();
        } else {
            tracing::debug!(queue = %self.owned.queue, offset = self.offset, "a delivery was settled too late");
        }
    }

    /// Moves the end of the reader's time, never to an earlier time.
    pub(super) fn extend(&self, until: Instant) {
        if let Phase::Taken(deadline) = &mut *self.phase() {
            *deadline = until.max(*deadline);
        }
    }

    /// The phase as it is now; what was settled is taken out.
    pub(crate) fn look(&self) -> Phase {
        let mut phase = self.phase();
        match &*phase {
            Phase::Offered => Phase::Offered,
            Phase::Taken(deadline) => Phase::Taken(*deadline),
            _ => std::mem::replace(&mut *phase, Phase::Over),
        }
    }

    /// The worker does not wait any more. Returns what was said in the last moment.
    pub(crate) fn give_up(&self) -> Phase {
        std::mem::replace(&mut *self.phase(), Phase::Over)
    }

    /// Waits for another phase. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn enter(&self, phase: Phase) {
        *self.phase() = phase;
        self.changed.notify_one();
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
