use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocketmq_common::MessageExt;

use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::settle;
use crate::hook::{ConsumeReturnType, Consumed};
use crate::otel::{self, Operation};

/// Messages that a poll returned. The next poll or a commit confirms that they are processed: their offsets are finished then,
/// and may be committed.
#[derive(Debug, Default)]
pub(super) struct Polled(Mutex<Vec<(Arc<OwnedQueue>, Vec<i64>)>>);

impl Polled {
    /// Finishes the messages of earlier polls. A message whose queue went to another member, or was read from another offset
    /// since, changes nothing.
    pub(super) fn confirm(&self, member: &Arc<Member>) {
        let mut polled = std::mem::take(&mut *self.lock());
        for (owned, mut offsets) in polled.drain(..) {
            member.recorder.succeeded(offsets.len() as u64);
            settle(member, &owned, &mut offsets);
        }
        let mut next = self.lock();
        if next.capacity() == 0 {
            // The list is used again.
            *next = polled;
        }
    }

    /// Takes up to `max` messages that wait, from one queue after the other.
    pub(super) fn take(&self, member: &Member, max: usize) -> Vec<MessageExt> {
        let mut messages = Vec::new();
        while messages.len() < max
            && let Some(owned) = member.ready.pop()
        {
            let (before, mut offsets) = (messages.len(), Vec::new());
            {
                let mut state = owned.lock();
                state.take(max, &mut offsets, &mut messages);
                if state.gets_in_line() {
                    drop(state);
                    member.ready.push(owned.clone());
                }
            }
            let new = messages.get(before..).unwrap_or_default();
            if otel::is_on() && !new.is_empty() {
                let poll = Operation::Receive("poll");
                otel::done(member.about(), poll, &owned.shown, new, (Duration::ZERO, None));
            }
            show_hooks(member, &owned, new);
            self.lock().push((owned, offsets));
        }
        messages
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<OwnedQueue>, Vec<i64>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the hooks see what a poll took from a queue. Java: `DefaultLitePullConsumerImpl.poll`.
fn show_hooks(member: &Member, owned: &OwnedQueue, messages: &[MessageExt]) {
    let hooks = &member.settings.hooks;
    if hooks.consume.is_empty() || messages.is_empty() {
        return;
    }
    let (seen, succeeded) = (member.seen(messages, &owned.shown), vec![true; messages.len()]);
    let (status, took) = (ConsumeReturnType::Success, Duration::ZERO);
    let kept = hooks.before(seen);
    hooks.after(seen, kept, Consumed { succeeded: &succeeded, status, reason: None, took });
}
