//! How a member takes a queue, moves and restarts it, and drops it: each time, the queue gets another ownership.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_common::MessageQueue;
use tokio::time::Instant;

use super::{Member, OwnedQueue, Stage, Subscribed};
use crate::consumer::lock::QueueOrder;
use crate::consumer::pop::PopBook;
use crate::consumer::position::StartRule;
use crate::consumer::pull::Throttle;
use crate::consumer::watch::ConsumerEvent;

impl Member {
    /// Begins to own a queue, whose position is looked up. False if it is owned already, or being released.
    pub(crate) fn take(
        &self,
        queue: MessageQueue,
        subscribed: Arc<Subscribed>,
        added_later: bool,
        is_pop: bool,
    ) -> bool {
        let rule =
            StartRule { from: self.settings.start_from, retry_topic: subscribed.is_retry, added_later };
        let generation = self.generations.next();
        let owned = OwnedQueue::new(queue, generation, subscribed, self.group(), rule);
        let owned = Arc::new(if is_pop { owned.popping() } else { owned });
        if self.settings.orderly {
            // The broker of an ordered pop keeps other members away.
            let alone = self.settings.broadcast || is_pop;
            let order = if alone { QueueOrder::alone } else { QueueOrder::new };
            let mut state = owned.lock();
            state.order = Some(order(Instant::now()));
            state.pop = state.pop.take().map(PopBook::in_order);
        }
        let taken = self.queues.add(owned.clone());
        if taken {
            self.agenda.add(Instant::now(), &owned);
            self.lock_wanted.notify_one();
        }
        taken
    }

    /// Tells the user of queues of a topic that were taken.
    pub(crate) fn tell_taken(&self, topic: &Arc<str>, queues: Vec<MessageQueue>) {
        if !queues.is_empty() {
            let (group, topic) = (self.events.group(), topic.clone());
            self.events.emit(ConsumerEvent::Assigned { group, topic, queues });
        }
    }

    /// Sets the position of a queue anew, in another ownership, and commits it. What the old one has cached is dropped. False
    /// if it is not the ownership of the queue any more.
    pub(crate) fn move_to(&self, old: &Arc<OwnedQueue>, offset: i64) -> bool {
        self.begin_anew(old, offset, true)
    }

    /// Moves a queue for a seek of the user, which a later commit takes along.
    pub(crate) fn seek_to(&self, old: &Arc<OwnedQueue>, offset: i64) -> bool {
        self.begin_anew(old, offset, false)
    }

    fn begin_anew(&self, old: &Arc<OwnedQueue>, offset: i64, commit_first: bool) -> bool {
        let generation = self.generations.next();
        let queue = old.queue.clone();
        // The filter may have changed.
        let subscribed = self.subscribed(queue.topic()).unwrap_or_else(|| old.subscribed.clone());
        let new = OwnedQueue::starting_at(queue, generation, subscribed, self.group(), offset);
        {
            let (old, mut state) = (old.lock(), new.lock());
            (state.paused, state.commit_first) = (old.paused, commit_first);
            state.order = old.order.clone();
        }
        // Where only the user commits, a seek leaves what is committed.
        self.succeed(old, new, offset, !commit_first && self.settings.user_commits())
    }

    /// Puts another ownership at an offset in the place of one. False if that is not the ownership of the queue any more.
    fn succeed(&self, old: &Arc<OwnedQueue>, new: OwnedQueue, offset: i64, stays: bool) -> bool {
        let new = Arc::new(new);
        if !self.queues.replace(old, new.clone()) {
            self.drop_cached(&new);
            return false;
        }
        {
            let mut commits = self.commits();
            let by_user = stays && self.settings.user_commits();
            // A queue without a committed offset that is known gets it with the commit of the user.
            if by_user {
                commits.go_on(&new.queue, new.generation);
            } else {
                let committed = commits.committed(&new.queue).filter(|_| stays);
                commits.own(new.queue.clone(), new.generation, offset, committed);
            }
        }
        self.drop_cached(old);
        self.begin(&new);
        true
    }

    /// Has another ownership looked at now, and at the end of the pause that its listener asked for.
    fn begin(&self, new: &Arc<OwnedQueue>) {
        let pause = new.lock().order.as_ref().and_then(QueueOrder::resume_at);
        [Some(Instant::now()), pause].into_iter().flatten().for_each(|at| self.agenda.add(at, new));
    }

    /// Goes on with a queue in another ownership, at its position and with what is cached: nothing is lost and nothing comes
    /// twice. False if a handler has a message of it, or if it is not owned any more.
    pub(crate) fn restart(&self, old: &Arc<OwnedQueue>) -> bool {
        let generation = self.generations.next();
        let (new, lowest) = {
            let mut state = old.lock();
            if state.is_released() {
                return false;
            }
            let Some(window) = state.window.take_if(|window| window.in_hand() == 0) else { return false };
            let lowest = window.lowest_unfinished();
            let Some(window) = window.renew(generation) else { return false };
            let (queue, subscribed) = (old.queue.clone(), old.subscribed.clone());
            let new = OwnedQueue::with_window(queue, generation, subscribed, self.group(), window);
            {
                let mut new = new.lock();
                (new.paused, new.tell_first, new.broker_max) = (state.paused, true, state.broker_max);
                new.order = state.order.clone();
            }
            (new, lowest)
        };
        self.succeed(old, new, lowest, true)
    }

    /// Ends an ownership at once, and takes what it has cached off the budget.
    pub(crate) fn drop_cached(&self, old: &OwnedQueue) {
        let mut state = old.lock();
        if matches!(state.stage, Stage::Throttled(Throttle::Budget)) {
            self.budget_waits.fetch_sub(1, Ordering::Relaxed);
        }
        state.release();
        state.uncommitted = Vec::new();
        if let Some(book) = &mut state.pop {
            book.end();
        }
        let pinned = state.window.take().map_or(0, |window| window.pinned());
        drop(state);
        self.retries.hand_back(old);
        old.settled.notify_waiters();
        self.cached_bytes.fetch_sub(pinned, Ordering::SeqCst);
        if pinned > 0 && self.budget_waits.load(Ordering::SeqCst) > 0 {
            self.wake_for_budget();
        }
    }
}
