//! Pulls that wait for a message. Java: `PullRequestHoldService`.

use std::sync::Arc;
use std::time::Duration;

use crate::wire::Reply;
use rocketmq_remoting::protocol::RemotingCommand;
use tokio::time::{Instant, sleep_until};

use super::answer_now;
use super::waiting::{Waiting, due_in, extract};
use crate::broker::filter::MessageFilter;
use crate::broker::{Broker, State};

/// A message that does not match is noticed by the next sweep of Apache's broker, which comes every five seconds. The
/// pull is answered then, with code 20.
const SWEEP: Duration = Duration::from_secs(5);

/// Where a pull waits, how long, and for what.
pub(super) struct Place {
    topic: String,
    queue_id: i32,
    timeout_ms: i64,
    filter: MessageFilter,
}

/// A pull that waits, or another request that does so in the same way.
#[derive(Debug)]
pub(in crate::broker) struct HeldPull {
    pub(in crate::broker) command: RemotingCommand,
    pub(in crate::broker) responder: Reply,
    /// When it is answered, whether a message came or not.
    pub(in crate::broker) due: Instant,
    pub(in crate::broker) filter: MessageFilter,
    /// Looks what is there, once it is woken, and says who else is to be woken then.
    pub(in crate::broker) serve: fn(&Broker, RemotingCommand, Reply) -> Vec<HeldPull>,
}

/// All pulls of a broker that wait.
#[derive(Debug, Default)]
pub(crate) struct HeldPulls {
    /// By queue.
    waiting: Waiting<i32>,
    /// Until when nobody looks at them.
    asleep_until: Option<Instant>,
}

impl Place {
    pub(super) fn new(topic: &str, queue_id: i32, timeout_ms: i64, filter: MessageFilter) -> Self {
        Self { topic: topic.to_owned(), queue_id, timeout_ms, filter }
    }
}

impl HeldPull {
    /// Answers with what is there now.
    pub(in crate::broker) fn wake(self, broker: &Broker) {
        Self::wake_all(vec![self], broker);
    }

    /// Answers all of these, and those that they wake.
    pub(in crate::broker) fn wake_all(mut woken: Vec<Self>, broker: &Broker) {
        while let Some(pull) = woken.pop() {
            woken.extend((pull.serve)(broker, pull.command, pull.responder));
        }
    }
}

impl HeldPulls {
    /// Keeps a pull. True if it is due before anybody looks.
    pub(super) fn add(&mut self, place: Place, command: RemotingCommand, responder: Reply) -> bool {
        let Place { topic, queue_id, timeout_ms, filter } = place;
        let due = due_in(timeout_ms);
        let pull = HeldPull { command, responder, due, filter, serve: answer_now };
        self.waiting.add(topic, queue_id, pull);
        self.asleep_until.is_none_or(|until| due < until)
    }

    /// A message came: moves the pulls to `woken` that want it. The others are due at the next sweep; true if there
    /// are any.
    pub(in crate::broker) fn wake(
        &mut self,
        topic: &str,
        queue_id: i32,
        (tags_code, properties): (i32, &str),
        woken: &mut Vec<HeldPull>,
    ) -> bool {
        let Some(pulls) = self.waiting.at(topic, &queue_id) else { return false };
        woken.extend(extract(pulls, |pull| pull.filter.matches(tags_code, || properties.into())));
        let sweep = Instant::now() + SWEEP;
        for pull in pulls.iter_mut() {
            pull.due = pull.due.min(sweep);
        }
        !pulls.is_empty()
    }

    /// How many pulls of a topic wait.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.waiting.count(topic)
    }

    /// A connection ended, and with it the pulls that came on it.
    pub(in crate::broker) fn disconnect(&mut self, connection: u64) {
        self.waiting.take(|pull| pull.responder.connection().id() == connection);
    }

    /// When the first pull is due. Until then nobody looks, unless told to.
    fn sleep(&mut self) -> Option<Instant> {
        self.asleep_until = self.waiting.first_due();
        self.asleep_until
    }
}

impl State {
    /// When the first request is due that waits. Until then nobody looks, unless told to.
    fn next_held(&mut self) -> Option<Instant> {
        [self.held.sleep(), self.pops.held.sleep()].into_iter().flatten().min()
    }

    fn take_due(&mut self, now: Instant) -> Vec<HeldPull> {
        let mut due = self.held.waiting.take(|pull| pull.due <= now);
        due.extend(self.pops.held.take(|pop| pop.due <= now));
        due
    }
}

/// Answers requests when their time has come. Runs as long as the broker does.
pub(crate) async fn expire_held_pulls(broker: Arc<Broker>) {
    loop {
        let next = broker.lock().next_held();
        let sooner = broker.held_sooner.notified();
        match next {
            None => sooner.await,
            Some(due) => {
                tokio::select! {
                    () = sooner => {}
                    () = sleep_until(due) => {
                        let now = Instant::now();
                        let due = broker.lock().take_due(now);
                        due.into_iter().for_each(|pull| pull.wake(&broker));
                    }
                }
            }
        }
    }
}
