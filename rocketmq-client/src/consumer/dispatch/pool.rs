use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{batches, concurrently, orderly};
use crate::consumer::listener::Listener;
use crate::consumer::member::{Member, OwnedQueue};

/// The workers of a consumer: as many handlers run at a time.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) member: Arc<Member>,
    listener: Listener,
    size: Mutex<Size>,
    changed: Notify,
}

#[derive(Debug)]
struct Size {
    wanted: usize,
    /// Which workers there are.
    live: Vec<bool>,
}

impl Pool {
    pub(crate) fn new(member: Arc<Member>, listener: Listener) -> Arc<Self> {
        let size = Mutex::new(Size { wanted: 0, live: Vec::new() });
        Arc::new(Self { member, listener, size, changed: Notify::new() })
    }

    /// Starts workers, or lets some go after the messages that they have.
    pub(crate) fn resize(self: &Arc<Self>, wanted: usize) {
        let mut size = self.size();
        size.wanted = wanted;
        if size.live.len() < wanted {
            size.live.resize(wanted, false);
        }
        for index in 0..wanted {
            if !std::mem::replace(&mut size.live[index], true) {
                self.start(index);
            }
        }
        drop(size);
        self.changed.notify_waiters();
    }

    pub(crate) fn wanted(&self) -> usize {
        self.size().wanted
    }

    fn start(self: &Arc<Self>, index: usize) {
        let (pool, tasks) = (self.clone(), &self.member.tasks);
        match &self.listener {
            Listener::Concurrently(handler) => tasks.spawn(concurrently::work(pool, index, handler.slot())),
            Listener::Batch(handler) => tasks.spawn(batches::work(pool, index, handler.slot())),
            Listener::Orderly(handler) => tasks.spawn(orderly::work(pool, index, handler.slot())),
        }
    }

    /// The next queue with messages for a worker; `None` ends it.
    pub(super) async fn next(&self, index: usize) -> Option<Arc<OwnedQueue>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut size = self.size();
                if index >= size.wanted {
                    size.live[index] = false;
                    return None;
                }
            }
            tokio::select! {
                owned = self.member.ready.next() => return Some(owned),
                () = changed => {}
            }
        }
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
