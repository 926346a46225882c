//! Pulls that wait for a message. Java: `PullRequestHoldService`.

use std::collections::VecDeque;
use std::sync::Arc;

use rocketmq_remoting::protocol::RemotingCommand;

use super::waiting::{HeldByPlace, extract};
use super::{Broker, State};
use crate::broker::filters::MessageFilter;
use crate::clock::Clock;
use crate::wire::Reply;

/// A message that does not match is noticed by the next sweep of Apache's broker, which comes every five seconds. The
/// pull is answered then, with code 20.
const SWEEP_MS: i64 = 5000;

/// Where a pull waits, until when, and for what.
pub(crate) struct PullWait {
    topic: String,
    queue_id: i32,
    due_ms: i64,
    filter: MessageFilter,
}

/// A pull that waits, or another request that does so in the same way.
#[derive(Debug)]
pub(crate) struct HeldRequest {
    pub(crate) command: RemotingCommand,
    pub(crate) responder: Reply,
    /// When it is answered, whether a message came or not.
    pub(crate) due_ms: i64,
    pub(crate) filter: MessageFilter,
    /// Answers the request or holds it again; returns the requests that this wakes.
    pub(crate) serve: Serve,
}

/// Answers a request that was woken, or holds it again. Returns the requests that this wakes.
pub(crate) type Serve = fn(&Broker, RemotingCommand, Reply) -> Vec<HeldRequest>;

/// All pulls of a broker that wait.
#[derive(Debug)]
pub(crate) struct HeldPulls {
    clock: Arc<Clock>,
    /// By queue.
    waiting: HeldByPlace<i32>,
    /// When the sweep looks at them next.
    asleep_until_ms: Option<i64>,
}

impl PullWait {
    pub(crate) fn new(topic: &str, queue_id: i32, due_ms: i64, filter: MessageFilter) -> Self {
        Self { topic: topic.to_owned(), queue_id, due_ms, filter }
    }
}

impl HeldRequest {
    /// Answers these requests, then the requests that they wake.
    pub(crate) fn wake_all(woken: Vec<Self>, broker: &Broker) {
        let mut woken = VecDeque::from(woken);
        while let Some(pull) = woken.pop_front() {
            woken.extend((pull.serve)(broker, pull.command, pull.responder));
        }
    }
}

impl HeldPulls {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, waiting: HeldByPlace::default(), asleep_until_ms: None }
    }

    /// Keeps a pull. True if it is due before the next sweep.
    pub(crate) fn add(
        &mut self,
        place: PullWait,
        command: RemotingCommand,
        responder: Reply,
        serve: Serve,
    ) -> bool {
        let PullWait { topic, queue_id, due_ms, filter } = place;
        let pull = HeldRequest { command, responder, due_ms, filter, serve };
        self.waiting.add(topic, queue_id, pull);
        self.asleep_until_ms.is_none_or(|until| due_ms < until)
    }

    /// A message came: moves the pulls to `woken` that want it. The others are due at the next sweep; true if there
    /// are any.
    pub(crate) fn wake(
        &mut self,
        topic: &str,
        queue_id: i32,
        (tags_code, properties): (i32, &str),
        woken: &mut Vec<HeldRequest>,
    ) -> bool {
        let Some(pulls) = self.waiting.at(topic, &queue_id) else { return false };
        woken.extend(extract(pulls, |pull| pull.filter.matches(tags_code, || properties.into())));
        let sweep_ms = self.clock.now_ms().saturating_add(SWEEP_MS);
        for pull in pulls.iter_mut() {
            pull.due_ms = pull.due_ms.min(sweep_ms);
        }
        !pulls.is_empty()
    }

    /// How many pulls of a topic wait.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.waiting.count(topic)
    }

    /// A connection ended, and with it the pulls that came on it.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.waiting.take(|pull| pull.responder.connection().id() == connection);
    }

    /// When the first pull is due, which is when the next sweep comes unless it is told to come sooner.
    fn sleep(&mut self) -> Option<i64> {
        self.asleep_until_ms = self.waiting.first_due_ms();
        self.asleep_until_ms
    }
}

impl State {
    /// When the first held request is due, which is when the next sweep comes unless it is told to come sooner.
    pub(crate) fn next_held_ms(&mut self) -> Option<i64> {
        [self.held.sleep(), self.pops.held.sleep()].into_iter().flatten().min()
    }

    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<HeldRequest> {
        let mut due = self.held.waiting.take(|pull| pull.due_ms <= now_ms);
        due.extend(self.pops.held.take(|pop| pop.due_ms <= now_ms));
        due
    }
}
