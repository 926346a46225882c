//! Pops and notifications that wait for a message. Java: `PopLongPollingService`.

use std::borrow::Cow;
use std::sync::Arc;

use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{RETRY_GROUP_TOPIC_PREFIX, is_retry_topic};
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use super::QueueKey;
use crate::broker::filters::MessageFilter;
use crate::broker::state::{HeldByPlace, HeldRequest, Serve};
use crate::clock::Clock;
use crate::store::property;
use crate::wire::Reply;

/// How much before their end requests are answered.
const EARLY_MS: i64 = 50;

/// The largest number of requests for one queue and group, and in all. Java: `popPollingSize`, `maxPopPollingSize`.
const MAX_AT_ONE_PLACE: usize = 1024;
const MAX_IN_ALL: usize = 100_000;

/// The kinds of waiting requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WaitKind {
    Pop,
    Notification,
}

/// By group and queue; -1 for all queues.
type Waiters = HeldByPlace<(String, i32)>;

/// All requests of a broker that wait for a message to pop.
#[derive(Debug)]
pub(crate) struct HeldPops {
    clock: Arc<Clock>,
    pops: Waiters,
    notifications: Waiters,
    count: usize,
    /// When the next sweep comes.
    asleep_until_ms: Option<i64>,
}

/// The place, the end and the wish of a waiting request.
pub(crate) struct PopWait {
    key: QueueKey,
    kind: WaitKind,
    end_ms: i64,
    filter: MessageFilter,
}

impl PopWait {
    pub(crate) fn new(key: QueueKey, kind: WaitKind, end_ms: i64, filter: MessageFilter) -> Self {
        Self { key, kind, end_ms, filter }
    }

    /// Whether a request may wait here; the error is the code of the answer otherwise.
    pub(crate) fn check(&self, held: &HeldPops, poll_time: i64) -> Result<(), ResponseCode> {
        if poll_time <= 0 {
            return Err(ResponseCode::POLLING_TIMEOUT);
        }
        if held.count >= MAX_IN_ALL {
            return Err(ResponseCode::POLLING_FULL);
        }
        if held.clock.now_ms() > self.end_ms.saturating_sub(EARLY_MS) {
            return Err(ResponseCode::POLLING_TIMEOUT);
        }
        if held.count_at(self.kind, &self.key) > MAX_AT_ONE_PLACE {
            return Err(ResponseCode::POLLING_FULL);
        }
        Ok(())
    }
}

impl HeldPops {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        let (pops, notifications) = (Waiters::default(), Waiters::default());
        Self { clock, pops, notifications, count: 0, asleep_until_ms: None }
    }

    /// Holds a request. Returns true if it is due before the next sweep.
    pub(crate) fn add(
        &mut self,
        place: PopWait,
        command: RemotingCommand,
        responder: Reply,
        serve: Serve,
    ) -> bool {
        let due_ms = place.end_ms.saturating_sub(EARLY_MS - 1);
        let PopWait { key: QueueKey { topic, group, queue_id }, kind, filter, .. } = place;
        let pop = HeldRequest { command, responder, due_ms, filter, serve };
        self.waiters(kind).add(topic, (group, queue_id), pop);
        self.count += 1;
        self.asleep_until_ms.is_none_or(|until| due_ms < until)
    }

    /// A new message: wakes one request of each group for its queue and one for all queues.
    pub(crate) fn wake(
        &mut self,
        topic: &str,
        queue_id: i32,
        (tags_code, properties): (i32, &str),
        woken: &mut Vec<HeldRequest>,
    ) {
        if self.count == 0 {
            return;
        }
        for kind in [WaitKind::Pop, WaitKind::Notification] {
            if is_retry_topic(topic) {
                // Only messages of retry topics have this property.
                let Some(group) = property(properties, names::PROPERTY_ORIGIN_GROUP) else { continue };
                let begin = RETRY_GROUP_TOPIC_PREFIX.len() + group.len() + 1;
                let Some(origin) = topic.get(begin..).filter(|origin| !origin.is_empty()) else { continue };
                self.wake_one(kind, QueueKey::new(origin, group, -1), woken);
                self.wake_one(kind, QueueKey::new(origin, group, queue_id), woken);
            } else {
                self.wake_groups(kind, topic, queue_id, Some((tags_code, properties)), woken);
            }
        }
    }

    /// Wakes one request of each group for this queue and one for all queues, if they want the message.
    pub(crate) fn wake_groups(
        &mut self,
        kind: WaitKind,
        topic: &str,
        queue_id: i32,
        message: Option<(i32, &str)>,
        woken: &mut Vec<HeldRequest>,
    ) {
        let mut count = 0;
        let places = self.waiters(kind).of_topic(topic);
        for (_, pulls) in places.filter(|((_, queue), _)| *queue == -1 || *queue == queue_id) {
            let Some(index) = first(kind, pulls) else { continue };
            let wants = message.is_none_or(|(tags_code, properties)| {
                pulls[index].filter.matches(tags_code, || Cow::Borrowed(properties))
            });
            if wants {
                woken.push(pulls.remove(index));
                count += 1;
            }
        }
        self.count -= count;
    }

    /// Wakes one request that waits here. Returns false if there is none.
    pub(crate) fn wake_one(&mut self, kind: WaitKind, key: QueueKey, woken: &mut Vec<HeldRequest>) -> bool {
        let QueueKey { topic, group, queue_id } = key;
        let Some(pulls) = self.waiters(kind).at(&topic, &(group, queue_id)) else { return false };
        let Some(index) = first(kind, pulls) else { return false };
        woken.push(pulls.remove(index));
        self.count -= 1;
        true
    }

    /// How many requests wait here.
    pub(crate) fn count_at(&self, kind: WaitKind, key: &QueueKey) -> usize {
        let waiters = match kind {
            WaitKind::Pop => &self.pops,
            WaitKind::Notification => &self.notifications,
        };
        waiters.count_at(&key.topic, &(key.group.clone(), key.queue_id))
    }

    /// How many pops of a topic wait.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.pops.count(topic)
    }

    /// Drops the requests of an ended connection.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.take(|pull| pull.responder.connection().id() == connection);
    }

    /// When the first request is due, and so the next sweep.
    pub(crate) fn sleep(&mut self) -> Option<i64> {
        let due = [self.pops.first_due_ms(), self.notifications.first_due_ms()];
        self.asleep_until_ms = due.into_iter().flatten().min();
        self.asleep_until_ms
    }

    /// Takes out some requests, and the places where none are left.
    pub(crate) fn take(&mut self, mut which: impl FnMut(&HeldRequest) -> bool) -> Vec<HeldRequest> {
        let mut taken = self.pops.take(&mut which);
        taken.extend(self.notifications.take(which));
        self.count -= taken.len();
        taken
    }

    fn waiters(&mut self, kind: WaitKind) -> &mut Waiters {
        match kind {
            WaitKind::Pop => &mut self.pops,
            WaitKind::Notification => &mut self.notifications,
        }
    }
}

/// The index of the pop that is due first, or of the notification that is due last.
fn first(kind: WaitKind, pulls: &[HeldRequest]) -> Option<usize> {
    let by_due = pulls.iter().enumerate();
    let found = match kind {
        WaitKind::Pop => by_due.min_by_key(|(_, pull)| pull.due_ms),
        WaitKind::Notification => by_due.max_by_key(|(_, pull)| pull.due_ms),
    };
    found.map(|(index, _)| index)
}
