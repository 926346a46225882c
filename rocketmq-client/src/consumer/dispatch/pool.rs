use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::desk::Desk;
use super::hooked::hooked;
use super::{batches, concurrently, orderly, streaming};
use crate::consumer::listener::Listener;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::stream::FeedSource;
use crate::error::MQClientError;

/// How many messages may be handled on request at a time.
const DIRECTLY: usize = 16;

/// The workers of a consumer: as many handlers run at a time.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) member: Arc<Member>,
    pub(super) receiver: Receiver,
    /// Messages that are handled on request.
    pub(super) direct: Semaphore,
    size: Mutex<Size>,
    changed: Notify,
}

/// The receiver of messages from the workers.
#[derive(Debug, Clone)]
pub(crate) enum Receiver {
    Listener(Listener),
    Stream(Arc<FeedSource>),
}

#[derive(Debug)]
struct Size {
    wanted: usize,
    /// Which workers there are.
    live: Vec<bool>,
    desks: Vec<Arc<Desk>>,
}

impl Pool {
    pub(crate) fn new(member: Arc<Member>, receiver: Receiver) -> Arc<Self> {
        let size = Mutex::new(Size { wanted: 0, live: Vec::new(), desks: Vec::new() });
        Arc::new(Self { member, receiver, direct: Semaphore::new(DIRECTLY), size, changed: Notify::new() })
    }

    /// Starts workers, or lets some go after the messages that they have.
    pub(crate) fn resize(self: &Arc<Self>, wanted: usize) {
        let mut size = self.size();
        size.wanted = wanted;
        if let Receiver::Stream(source) = &self.receiver
            && size.live.is_empty()
        {
            source.feed().open(&self.member);
            self.member.tasks.spawn(streaming::mind_time(self.member.clone(), source.feed().clone()));
        }
        if size.live.len() < wanted {
            size.live.resize(wanted, false);
            size.desks.resize_with(wanted, Arc::default);
        }
        for index in 0..wanted {
            if !std::mem::replace(&mut size.live[index], true) {
                let desk = size.desks[index].clone();
                self.start(index, desk);
            }
        }
        drop(size);
        self.changed.notify_waiters();
    }

    /// Ends the stream, if the messages go to a stream. Its reader gets the reason.
    pub(crate) fn end_stream(&self, reason: Option<MQClientError>) {
        if let Receiver::Stream(source) = &self.receiver {
            source.feed().end(reason);
        }
    }

    /// Looks for handlers that are over their time.
    pub(crate) fn look_at_handlers(&self, now: Instant) {
        let desks = self.size().desks.clone();
        desks.iter().for_each(|desk| desk.look(&self.member, now));
    }

    /// How often the reader of a stream has looked for messages, if it does not work on some.
    pub(crate) fn unread(&self) -> Option<u64> {
        match &self.receiver {
            Receiver::Listener(_) => None,
            Receiver::Stream(source) => source.feed().unread(),
        }
    }

    /// Whether a worker has nothing to do while handlers have `busy` messages. The pace of a stream is its reader's.
    pub(crate) fn is_free(&self, busy: usize) -> bool {
        let waits = matches!(self.receiver, Receiver::Stream(_)) || self.member.pace.is_some();
        !waits && busy < self.wanted()
    }

    pub(crate) fn wanted(&self) -> usize {
        self.size().wanted
    }

    fn start(self: &Arc<Self>, index: usize, desk: Arc<Desk>) {
        let (pool, member, tasks) = (self.clone(), &self.member, &self.member.tasks);
        match &self.receiver {
            Receiver::Listener(Listener::Concurrently(handler)) => {
                tasks.spawn(concurrently::work(pool, index, desk, hooked(member, handler.slot())));
            }
            Receiver::Listener(Listener::Batch(handler)) => {
                tasks.spawn(batches::work(pool, index, desk, hooked(member, handler.slot())));
            }
            Receiver::Listener(Listener::Orderly(handler)) => {
                tasks.spawn(orderly::work(pool, index, desk, hooked(member, handler.slot())));
            }
            Receiver::Stream(source) => {
                tasks.spawn(streaming::work(pool, index, source.feed().clone()));
            }
        }
    }

    /// The next queue with messages for a worker; `None` ends it.
    pub(super) async fn next(&self, index: usize) -> Option<Arc<OwnedQueue>> {
        self.unless_too_many(index, || self.member.ready.next()).await
    }

    /// Waits for the next work of a worker; `None` ends the worker.
    pub(super) async fn unless_too_many<F: Future>(
        &self,
        index: usize,
        next: impl Fn() -> F,
    ) -> Option<F::Output> {
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
                biased;
                next = next() => return Some(next),
                () = changed => {}
            }
        }
    }

    /// Waits until the rate lets messages go, and returns how many of `most`; see [`Pace::wait`]. 0: the consumer was suspended
    /// meanwhile.
    pub(super) async fn paced(&self, least: usize, most: usize) -> usize {
        match &self.member.pace {
            Some(pace) => {
                let count = pace.wait(least, most).await;
                if self.member.ready.is_suspended() {
                    pace.put_back(count);
                    return 0;
                }
                count
            }
            None => most,
        }
    }

    /// Whether the rate lets one more message go now.
    pub(super) fn may_go_on(&self) -> bool {
        self.member.pace.as_ref().is_none_or(|pace| pace.take(Instant::now(), 1, 1).is_ok())
    }

    /// Messages that the rate let go and that were not there.
    pub(super) fn not_used(&self, count: usize) {
        if let Some(pace) = &self.member.pace {
            pace.put_back(count);
        }
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
