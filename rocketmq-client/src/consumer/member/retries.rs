use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::MessageExt;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::OwnedQueue;
use crate::consumer::retry::RetryLadder;
use crate::consumer::window::Generation;

/// Failed messages that no broker took: they are tried again here, and their offsets stand meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    parked: Mutex<BinaryHeap<Reverse<Parked>>>,
    earlier: Notify,
    local: Mutex<FxHashMap<(Generation, i64), (RetryLadder, i32)>>,
    /// How many are in `local`: looked at for every message.
    count: AtomicUsize,
}

/// One of them.
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
        self.parked().push(Reverse(parked));
        self.earlier.notify_one();
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
        let mut messages = Vec::new();
        self.parked().retain(|Reverse(parked)| {
            let is_kept = parked.owned.generation != owned.generation;
            if !is_kept {
                messages.push((parked.offset, MessageExt::clone(&parked.message)));
            }
            is_kept
        });
        if let Some(window) = &mut owned.lock().window {
            for (offset, message) in messages {
                let _ = window.give_back(owned.generation, offset, message);
            }
        }
        owned.settled.notify_waiters();
    }

    /// Waits until messages are due, and takes them. Cancel-safe.
    pub(crate) async fn due(&self) -> Vec<Parked> {
        loop {
            let first = self.parked().peek().map(|Reverse(first)| first.at);
            match first {
                Some(at) if at <= Instant::now() => return self.take(Instant::now()),
                Some(at) => tokio::select! {
                    biased;
                    () = sleep_until(at) => {}
                    () = self.earlier.notified() => {}
                },
                None => self.earlier.notified().await,
            }
        }
    }

    fn take(&self, now: Instant) -> Vec<Parked> {
        let (mut parked, mut due) = (self.parked(), Vec::new());
        while parked.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(parked.pop().map(|Reverse(parked)| parked));
        }
        due
    }

    fn parked(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Parked>>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn local(&self) -> MutexGuard<'_, FxHashMap<(Generation, i64), (RetryLadder, i32)>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Parked {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Parked {}

impl PartialOrd for Parked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Parked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
