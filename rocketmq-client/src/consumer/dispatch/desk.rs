use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::time::Instant;

use crate::consumer::listener::CancelToken;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::watch::{ConsumerEvent, MessageIdentity};

/// How much later than a worker the look from outside comes: a worker sees by itself that its handler is over its time, unless the
/// handler blocks its thread.
const LATE: Duration = Duration::from_secs(1);

/// The work of a worker, on view: others see when its handler blocks the thread.
#[derive(Debug, Default)]
pub(super) struct Desk(Mutex<OnDesk>);

#[derive(Debug, Default)]
struct OnDesk {
    /// It stays between messages: most come from the queue of the one before.
    queue: Option<Arc<OwnedQueue>>,
    work: Option<Work>,
}

/// A handler that runs.
#[derive(Debug)]
struct Work {
    messages: Messages,
    token: CancelToken,
    began: Instant,
    /// The events that were told of it.
    told: Told,
}

/// The messages of a handler.
#[derive(Debug, Clone)]
pub(super) enum Messages {
    One(Arc<MessageExt>),
    Batch(Arc<[MessageExt]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Slow,
    Stuck,
}

impl Desk {
    /// A handler is about to start.
    pub(super) fn begin(
        &self,
        owned: &Arc<OwnedQueue>,
        messages: Messages,
        token: &CancelToken,
        began: Instant,
    ) {
        let work = Work { messages, token: token.clone(), began, told: Told::Nothing };
        let mut desk = self.lock();
        if !desk.queue.as_ref().is_some_and(|known| Arc::ptr_eq(known, owned)) {
            desk.queue = Some(owned.clone());
        }
        desk.work = Some(work);
    }

    /// The handler has ended, or was dropped.
    pub(super) fn end(&self) {
        let work = self.lock().work.take();
        drop(work);
    }

    /// The handler is over its time: its token is cancelled, and that is told, once.
    pub(super) fn note_slow(&self, member: &Member) {
        self.tell(member, Told::Slow);
    }

    /// Looks at the handler from outside.
    pub(super) fn look(&self, member: &Member, now: Instant) {
        let began = self.lock().work.as_ref().map(|work| work.began);
        if let Some(began) = began {
            let settings = &member.settings;
            self.tell(member, judge(now, began, settings.consume_timeout, settings.timeout_grace));
        }
    }

    fn tell(&self, member: &Member, found: Told) {
        let (before, message, running_for) = {
            let OnDesk { queue: Some(owned), work: Some(work) } = &mut *self.lock() else { return };
            if found <= work.told {
                return;
            }
            let Some(first) = work.messages.first() else { return };
            let message = Box::new(MessageIdentity::of(first, &owned.queue_of(first)));
            work.token.cancel();
            (std::mem::replace(&mut work.told, found), message, work.began.elapsed())
        };
        let group = member.events.group();
        if before == Told::Nothing {
            member.recorder.timed_out(1);
            let message = message.clone();
            member.events.emit(ConsumerEvent::ListenerSlow { group: group.clone(), message, running_for });
        }
        if found == Told::Stuck {
            member.events.emit(ConsumerEvent::ListenerStuck { group, message, running_for });
        }
    }

    fn lock(&self) -> MutexGuard<'_, OnDesk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event to tell of a handler that has not ended.
fn judge(now: Instant, began: Instant, timeout: Duration, grace: Duration) -> Told {
    let run = now.saturating_duration_since(began).saturating_sub(LATE);
    if run > timeout.saturating_add(grace) {
        Told::Stuck
    } else if run > timeout {
        Told::Slow
    } else {
        Told::Nothing
    }
}

impl Messages {
    fn first(&self) -> Option<&MessageExt> {
        match self {
            Messages::One(message) => Some(message),
            Messages::Batch(messages) => messages.first(),
        }
    }
}

impl From<&Arc<MessageExt>> for Messages {
    fn from(message: &Arc<MessageExt>) -> Self {
        Messages::One(message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_slow_after_its_time_and_stuck_after_its_grace_each_a_second_late() {
        let (began, timeout, grace) = (Instant::now(), Duration::from_secs(60), Duration::from_secs(10));
        let told = |millis| judge(began + Duration::from_millis(millis), began, timeout, grace);
        assert_eq!([0, 60_500, 61_000].map(told), [Told::Nothing; 3], "its worker tells first");
        assert_eq!([61_001, 71_000].map(told), [Told::Slow; 2]);
        assert_eq!([71_001, 900_000].map(told), [Told::Stuck; 2]);
        assert_eq!(judge(began, began, Duration::MAX, grace), Told::Nothing);
    }
}
