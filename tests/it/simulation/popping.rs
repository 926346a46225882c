//! Members that pop: brokers hand messages out, hide them for a while, and hand those out again that nobody acknowledges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::admin::{Brokers, MessageRequestMode};
use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::model::{MessageExt, MessageQueue, mix_all};
use rocketmq_namesrv_mock::{BrokerEvent, Fault};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::sleep;

use super::checker::{Kept, Passages};
use super::dice::Dice;
use super::log::{End, What, short};
use super::plan::{GROUP, Kind, Mode, OTHER, Plan, Step, TOPIC};
use super::trouble;
use super::world::World;

/// Requests of members that pop.
const CODES: [RequestCode; 7] = [
    RequestCode::POP_MESSAGE,
    RequestCode::POP_MESSAGE,
    RequestCode::ACK_MESSAGE,
    RequestCode::BATCH_ACK_MESSAGE,
    RequestCode::BATCH_ACK_MESSAGE,
    RequestCode::CHANGE_MESSAGE_INVISIBLETIME,
    RequestCode::QUERY_ASSIGNMENT,
];

impl Plan {
    /// A plan whose members pop.
    pub(super) fn popping(seed: u64) -> Self {
        let mut plan = Self { kind: Kind::Pop, ..Self::new(seed) };
        let mut dice = Dice::new(seed ^ 0x504f_5050);
        let dice = &mut dice;
        if plan.mode == Mode::Broadcast {
            plan.mode = Mode::Concurrent;
        }
        plan.invisible = Duration::from_secs(dice.pick(&[5, 7, 20]));
        let length = plan.steps.last().map_or(1, |(at, _)| at.as_millis() as u64);
        // A group that pops has no locks of clients.
        plan.steps.retain(|(_, step)| !matches!(step, Step::ForgetLocks));
        for (_, step) in &mut plan.steps {
            if let Step::Trouble(fault) = step
                && dice.percent(60)
            {
                **fault = draw(dice, plan.brokers);
            }
        }
        let is_shared = matches!(plan.mode, Mode::Concurrent | Mode::Batch);
        if is_shared && dice.percent(30) {
            plan.switches = true;
            for _ in 0..dice.range(1..=3) {
                plan.steps.push((dice.ms(1..=length), Step::Switch(dice.percent(50))));
            }
            plan.steps.sort_by_key(|(at, _)| *at);
        }
        plan
    }
}

fn draw(dice: &mut Dice, brokers: usize) -> Fault {
    let code = dice.pick(&CODES);
    let fault = Fault::on(code, trouble::action(dice, code));
    let broker = dice.range(0..=brokers as u64 - 1) as usize;
    let fault = if dice.percent(50) { fault } else { fault.server(trouble::broker_name(broker)) };
    if dice.percent(50) {
        return fault.times(dice.range(1..=6) as u32);
    }
    let probability = dice.pick(&[0.1, 0.3, 0.7, 1.0]);
    fault.probability(probability, dice.next()).times(dice.range(5..=60) as u32)
}

/// Where popped messages are stored that come again.
pub(super) fn retry_topics() -> [String; 2] {
    [TOPIC, OTHER].map(|topic| format!("{}_{topic}", mix_all::retry_topic(GROUP)))
}

/// Where a message is stored: one that was popped and not acknowledged shows the topic that it was sent to.
pub(super) fn place(message: &MessageExt, queue: &MessageQueue) -> MessageQueue {
    let is_again = message.property("1ST_POP_TIME").is_some();
    if mix_all::is_retry_topic(queue.topic()) {
        return queue.clone();
    }
    let topic = message.topic();
    let topic = if is_again { format!("{}_{topic}", mix_all::retry_topic(GROUP)) } else { topic.to_owned() };
    MessageQueue::new(topic, message.broker_name(), message.queue_id())
}

impl World {
    /// An operator has the group pop, or pull.
    pub(super) async fn switch(&self, pops: bool) {
        let mut option = ClientOption::default();
        option.set_name_server_addr(self.cluster.name_server_addr());
        option.set_transport(Arc::new(self.network.clone()));
        let client = MQClient::new(option);
        // Brokers and the NameServer may be away.
        while client.start().await.is_err() {
            sleep(Duration::from_secs(1)).await;
        }
        let admin = client.admin();
        for topic in [TOPIC, OTHER] {
            loop {
                let mode = if pops { MessageRequestMode::Pop } else { MessageRequestMode::Pull };
                let set = admin.set_message_request_mode(topic, GROUP, mode, 0, &Brokers::All).await;
                if set.is_ok_and(|set| set.is_complete()) {
                    break;
                }
                sleep(Duration::from_secs(1)).await;
            }
        }
        let _ = client.shutdown().await;
    }

    /// What brokers and members still hold of popped messages.
    pub(super) fn unacknowledged(&self) -> Option<String> {
        let members = self.members();
        let health = members.iter().map(|member| member.consumer.health());
        let open: usize =
            health.flat_map(|health| health.queues).filter_map(|queue| queue.unacknowledged).sum();
        (open > 0).then(|| format!("L2: {open} popped messages are not acknowledged"))
    }
}

/// The invariants of members that pop:
///
/// | name | what holds |
/// |---|---|
/// | P1 | a message is acknowledged when nothing is left to do for it, never before |
/// | P2 | in peace nothing comes again after its success |
pub(super) fn check(kept: &Kept<'_>, passages: &Passages<'_>, problems: &mut Vec<String>) {
    for entry in kept.history {
        let BrokerEvent::Acknowledged { queue, offset, .. } = &entry.event else { continue };
        let at = kept.at(entry);
        let stored = passages.queues.get(queue).and_then(|queue| queue.get(offset));
        let Some(stored) = stored.filter(|stored| !stored.excused) else { continue };
        if stored.finished.is_none_or(|finished| finished > at) {
            let (number, when) = (stored.number, stored.finished);
            let place = short(queue);
            problems.push(format!(
                "P1: {number} ({offset} of {place}) is acknowledged at {at:?} and finished at {when:?}"
            ));
        }
    }
    // A paused member leaves the time of its messages to run out.
    let pauses = kept.plan.steps.iter().any(|(_, step)| matches!(step, Step::Pause(..) | Step::Suspend(..)));
    if kept.plan.calm && !kept.plan.switches && !pauses {
        nothing_comes_again_after_its_success(kept, problems);
    }
}

fn nothing_comes_again_after_its_success(kept: &Kept<'_>, problems: &mut Vec<String>) {
    let (mut calls, mut done) = (BTreeMap::new(), BTreeMap::new());
    for entry in kept.entries {
        match &entry.what {
            What::Begin { call, number, .. } => {
                calls.insert(*call, *number);
                if let Some(at) = done.get(number) {
                    problems
                        .push(format!("P2: {number} begins again, after its success at {at:?} ({entry})"));
                }
            }
            What::End { call, end: End::Done } => _ = done.insert(calls[call], entry.at),
            _ => {}
        }
    }
}

/// Seeds that found a defect: a handler that a shutdown stopped counted as a failure, and made its message a dead letter; in order, a
/// handler began a message that another member was about to get; in order, messages went on behind one whose time was over.
const FOUND: [u64; 3] = [71, 6603, 6907];

super::groups::tests_of!("popping", Plan::popping);
