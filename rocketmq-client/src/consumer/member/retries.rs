use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::MessageExt;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::OwnedQueue;
use super::timetable::Timetable;
use crate::consumer::retry::RetryLadder;
use crate::consumer::window::Generation;

/// Failed messages that no broker took: they are tried again here, and their offsets stand meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    parked: Timetable<Parked>,
    local: Mutex<FxHashMap<(Generation, i64), (RetryLadder, i32)>>,
    /// How many are in `local`: looked at for every message.
    count: AtomicUsize,
}

/// A failed message that waits for its next try.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) at: Instant,
    pub(crate) owned: Arc<OwnedQueue>,
    pub(crate) offset: i64,
    pub(crate) message: Arc<MessageExt>,
    /// It is a dead letter for this reason; otherwise the listener runs again.
    pub(crate) dead: Option<String>,
}

impl Retries {
    /// How far the ladder of a message is, and how often it was delivered from here.
    pub(crate) fn of(&self, generation: Generation, offset: i64) -> (RetryLadder, i32) {
        if self.count.load(Relaxed) == 0 {
            return Default::default();
        }
        self.local().get(&(generation, offset)).cloned().unwrap_or_default()
    }

    pub(crate) fn park(&self, parked: Parked, ladder: RetryLadder, local_times: i32) {
        let key = (parked.owned.generation, parked.offset);
        let mut local = self.local();
        local.insert(key, (ladder, local_times));
        self.count.store(local.len(), Relaxed);
        drop(local);
        self.parked.add(parked.at, parked);
    }

    /// Forgets a message that is finished.
    pub(crate) fn forget(&self, generation: Generation, offset: i64) {
        if self.count.load(Relaxed) > 0 {
            let mut local = self.local();
            local.remove(&(generation, offset));
            self.count.store(local.len(), Relaxed);
        }
    }

    /// Puts the messages of an ownership that ends back into its window, and forgets them: its next owner gets them.
    pub(crate) fn hand_back(&self, owned: &OwnedQueue) {
        if self.count.load(Relaxed) == 0 {
            return;
        }
        let mut local = self.local();
        local.retain(|(generation, _), _| *generation != owned.generation);
        self.count.store(local.len(), Relaxed);
        drop(local);
        let parked = self.parked.take_if(|parked| parked.owned.generation == owned.generation);
        if let Some(window) = &mut owned.lock().window {
            for Parked { offset, message, .. } in parked {
                let _ = window.give_back(owned.generation, offset, Arc::unwrap_or_clone(message));
            }
        }
        owned.settled.notify_waiters();
    }

    /// Waits until messages are due, and takes them. Cancel-safe.
    pub(crate) async fn due(&self) -> Vec<Parked> {
        self.parked.due().await
    }

    fn local(&self) -> MutexGuard<'_, FxHashMap<(Generation, i64), (RetryLadder, i32)>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
