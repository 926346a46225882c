//! Held pulls. Java: `PullRequestHoldService`.

use std::collections::VecDeque;
use std::sync::Arc;

use rocketmq_remoting::protocol::RemotingCommand;

use super::waiting::{HeldByPlace, extract};
use super::{Broker, State};
use crate::broker::filters::MessageFilter;
use crate::clock::Clock;
use crate::wire::Reply;

/// The interval of sweeps. Apache's broker notices a message that does not match only in its next sweep, every five
/// seconds; the pull is then answered with code 20.
const SWEEP_MS: i64 = 5000;

/// The place, the end and the wish of a held pull.
pub(crate) struct PullWait {
    topic: String,
    queue_id: i32,
    due_ms: i64,
    filter: MessageFilter,
}

/// A held pull, or another request that waits like one.
#[derive(Debug)]
pub(crate) struct HeldRequest {
    pub(crate) command: RemotingCommand,
    pub(crate) responder: Reply,
    /// When it is answered at the latest.
    pub(crate) due_ms: i64,
    pub(crate) filter: MessageFilter,
    /// Answers the request or holds it again; returns the requests that this wakes.
    pub(crate) serve: Serve,
}

/// Answers a request that was woken, or holds it again. Returns the requests that this wakes.
pub(crate) type Serve = fn(&Broker, RemotingCommand, Reply) -> Vec<HeldRequest>;

/// All held pulls of a broker.
#[derive(Debug)]
pub(crate) struct HeldPulls {
    clock: Arc<Clock>,
    /// By queue.
    waiting: HeldByPlace<i32>,
    /// When the next sweep comes.
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

    /// Holds a pull. Returns true if it is due before the next sweep.
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

    /// A new message: moves the pulls that want it to `woken`. The others become due at the next sweep; returns true
    /// if there are any.
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

    /// The number of held pulls of a topic.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.waiting.count(topic)
    }

    /// Drops the pulls of an ended connection.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.waiting.take(|pull| pull.responder.connection().id() == connection);
    }

    /// When the first pull is due, and so the next sweep.
    fn sleep(&mut self) -> Option<i64> {
        self.asleep_until_ms = self.waiting.first_due_ms();
        self.asleep_until_ms
    }
}

impl State {
    /// When the first held request is due, and so the next sweep.
    pub(crate) fn next_held_ms(&mut self) -> Option<i64> {
        [self.held.sleep(), self.pops.held.sleep()].into_iter().flatten().min()
    }

    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<HeldRequest> {
        let mut due = self.held.waiting.take(|pull| pull.due_ms <= now_ms);
        due.extend(self.pops.held.take(|pop| pop.due_ms <= now_ms));
        due
    }
}
