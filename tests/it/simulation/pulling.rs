//! Members that are polled: they commit by themselves or by hand, seek, and pause queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocketmq::consumer::PullConsumer;
use rocketmq::error::MQClientError;
use rocketmq::model::MessageExt;
use tokio::time::{sleep, timeout};

use super::dice::Dice;
use super::listeners::Duty;
use super::log::{End, What};
use super::plan::{GROUP, Kind, Mode, Plan, Step};
use super::seat::Seat;
use super::world::World;

/// How long a poller works on the messages of one poll at most.
const MOST: Duration = Duration::from_secs(5);

/// Where a member goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Begin,
    End,
    /// A part of the queue in percent.
    Part(u64),
    /// An offset that the queue does not have.
    Nowhere,
}

impl Plan {
    /// A plan whose members are polled.
    pub(super) fn pulling(seed: u64) -> Self {
        let mut plan = Self { kind: Kind::Pull, mode: Mode::Concurrent, concurrency: 1, ..Self::new(seed) };
        let mut dice = Dice::new(seed ^ 0x5055_4c4c);
        let dice = &mut dice;
        plan.by_hand = dice.percent(50);
        let length = plan.steps.last().map_or(1, |(at, _)| at.as_millis() as u64);
        plan.steps.retain(|(_, step)| {
            !matches!(step, Step::ForgetLocks | Step::Suspend(..) | Step::Concurrency(..))
        });
        for _ in 0..dice.range(0..=4) {
            let to = match dice.range(0..=6) {
                0 => To::Begin,
                1 => To::End,
                2 => To::Nowhere,
                _ => To::Part(dice.range(0..=100)),
            };
            let step = Step::Seek(dice.range(0..=11) as usize, dice.range(0..=30) as usize, to);
            plan.steps.push((dice.ms(1..=length), step));
        }
        plan.steps.sort_by_key(|(at, _)| *at);
        plan
    }
}

/// Polls until the consumer is shut down, or until it is told to stop.
pub(super) async fn poll(duty: Arc<Duty>, mut consumer: PullConsumer, stop: Arc<AtomicBool>) {
    let mut dice = Dice::new(duty.plan.seed ^ (duty.member as u64) << 40);
    while !stop.load(Ordering::Relaxed) {
        let polling = consumer.poll(dice.ms(0..=2000));
        // A poll that is dropped takes no message.
        let polled = match dice.percent(20) {
            true => timeout(dice.ms(0..=50), polling).await.unwrap_or_else(|_| Ok(Vec::new())),
            false => polling.await,
        };
        match polled {
            Ok(messages) => {
                let is_idle = messages.is_empty();
                process(&duty, &messages).await;
                if duty.plan.by_hand && (is_idle || dice.percent(50)) {
                    commit(&duty, &consumer).await;
                }
                // A poll with no time to wait never lets time pass.
                sleep(Duration::from_millis(1)).await;
            }
            Err(MQClientError::NotStarted { .. }) => sleep(Duration::from_millis(100)).await,
            Err(MQClientError::ShutDown { .. }) => return,
            Err(error) => {
                duty.log.problem(format_args!("L2: m{} cannot go on: {error}", duty.member));
                return;
            }
        }
    }
    commit(&duty, &consumer).await;
}

/// All messages of a poll are processed when the last of them is: nothing of them may be committed before.
async fn process(duty: &Duty, messages: &[MessageExt]) {
    let (mut calls, mut pause) = (Vec::new(), Duration::ZERO);
    for message in messages {
        let number = duty.number(message);
        let place = (&message.message_queue(), message.queue_offset());
        calls.push(duty.log.begin(duty.member, 0, place, (number, 0)));
        pause += duty.pause(number);
    }
    sleep(pause.min(MOST)).await;
    calls.into_iter().for_each(|call| call.end(End::Done));
}

async fn commit(duty: &Duty, consumer: &PullConsumer) {
    if let Err(error) = consumer.commit().await {
        duty.log.note(format_args!("m{} does not commit: {error}", duty.member));
    }
}

impl World {
    /// A member moves one of its queues.
    pub(super) async fn seek(&self, (member, consumer): (usize, Seat), which: usize, to: To) {
        let Seat::Pull(consumer, _) = consumer else { return };
        let owned = consumer.assignment();
        let Some(queue) = owned.get(which % owned.len().max(1)) else { return };
        let bounds = self.cluster.queue_offsets(queue.topic());
        let Some(bounds) = bounds.into_iter().find(|bounds| bounds.queue == *queue) else { return };
        let offset = match to {
            To::Part(part) => bounds.min + (bounds.max - bounds.min) * i64::try_from(part).unwrap() / 100,
            _ => bounds.max + 1_000,
        };
        let sought = match to {
            To::Begin => consumer.seek_to_begin(queue).await,
            To::End => consumer.seek_to_end(queue).await,
            To::Part(_) | To::Nowhere => consumer.seek(queue, offset).await,
        };
        let name = super::log::short(queue);
        // No task ran since the seek ended: the position is still that of the seek.
        match sought {
            Ok(()) => {
                let position = consumer.position(queue).ok();
                self.log.note(format_args!("m{member} goes on at {position:?} of {name}"));
                if to == To::Nowhere {
                    self.log.problem(format_args!("S7: {name} goes on at {offset}, which it does not have"));
                }
                let committed = self.cluster.committed_offset(GROUP, queue).unwrap_or_default();
                if let Some(to) = position.filter(|position| *position > committed) {
                    self.log.add(What::Reset { queue: queue.clone(), to });
                }
                self.log.add(What::Taken { member, queues: vec![queue.clone()] });
            }
            Err(error) => self.log.note(format_args!("m{member} does not seek in {name}: {error}")),
        }
    }
}

/// Seeds that found a defect: a member that had been cut off committed by hand over the next owner; a commit by hand was under way
/// together with another; an earlier offset was committed over a commit by hand whose answer was lost.
const FOUND: [u64; 3] = [6254, 6842, 50848642430448];

super::groups::tests_of!("pulling", Plan::pulling);
