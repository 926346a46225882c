//! What handlers do with messages. A message behaves alike in each run of its seed, and at each member.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::consumer::{
    BatchOutcome, CancelToken, ConsumeContext, ConsumeFailure, ConsumeOutcome, Delivery, MessageStream,
    OrderlyOutcome, PushConsumer,
};
use rocketmq::model::{MessageExt, MessageQueue};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::dice::Dice;
use super::log::{End, Log};
use super::plan::{Kind, Mode, Plan, kind, size, tag};

/// What the handlers of a member know.
#[derive(Debug)]
pub(super) struct Duty {
    pub(super) plan: Arc<Plan>,
    pub(super) log: Arc<Log>,
    pub(super) member: usize,
}

/// What a handler will do with a message.
struct Act {
    pause: Duration,
    /// It ends early when its token is cancelled.
    heeds: bool,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    DeadLetter,
    Error,
    Later(Option<i32>),
    Panic,
    /// It does not end by itself. If it heeds its token, it ends when its time is over.
    Hang,
}

impl Duty {
    /// Gives the consumer its listener, or reads its stream.
    pub(super) fn begin(self: Arc<Self>, consumer: &PushConsumer) -> Option<JoinHandle<()>> {
        let duty = self.clone();
        match self.plan.mode {
            Mode::Concurrent | Mode::Broadcast => consumer.listener(move |message, context| {
                let duty = duty.clone();
                async move { duty.handle(&message, &context).await }
            }),
            Mode::Orderly => consumer.orderly_listener(move |message, context| {
                let duty = duty.clone();
                async move { duty.handle_in_order(&message, &context).await }
            }),
            Mode::Batch => consumer.batch_listener(move |messages, context| {
                let duty = duty.clone();
                async move { duty.handle_batch(&messages, &context).await }
            }),
            Mode::Stream => {
                let stream = consumer.messages().unwrap();
                return Some(tokio::spawn(duty.read(stream)));
            }
        }
        None
    }

    fn act(&self, number: u32, times: u32) -> Act {
        let plan = &self.plan;
        let mut dice = Dice::new(plan.seed ^ (u64::from(number) << 32) ^ u64::from(times.min(99)) << 8);
        let pause = match dice.range(0..=99) {
            0..=59 => Duration::ZERO,
            60..=85 => dice.ms(1..=300),
            86..=96 => dice.ms(300..=1000),
            _ => dice.ms(1000..=1900),
        };
        let heeds = dice.percent(50);
        let (failures, asks) = plan.failures(number);
        let is_batch = plan.mode == Mode::Batch;
        let outcome = match dice.range(0..=9) {
            _ if times >= failures => {
                if asks {
                    Outcome::DeadLetter
                } else {
                    Outcome::Success
                }
            }
            0 | 1 => Outcome::Error,
            2 | 3 if !is_batch => Outcome::Panic,
            4 if !is_batch => Outcome::Hang,
            5 | 6 => Outcome::Later(None),
            level => Outcome::Later(Some(level as i32 % 3 + 1)),
        };
        Act { pause, heeds, outcome }
    }

    /// Reads a message, and looks whether it is as it was sent.
    pub(super) fn number(&self, message: &MessageExt) -> u32 {
        let text = str::from_utf8(message.body()).unwrap_or_default();
        let number = text.parse().unwrap_or(u32::MAX);
        let (size, topic) = (size(number).to_string(), super::world::topic_of(number));
        let seen = (message.topic(), message.tags(), message.property("kind"), message.property("size"));
        if seen != (topic, Some(tag(number)), Some(kind(number)), Some(&*size)) {
            self.log.problem(format_args!("S3: {text:?} came with {seen:?}"));
        }
        if topic == super::plan::TOPIC && !self.plan.matches(number) {
            self.log.problem(format_args!("S3: {number} came in spite of the filter"));
        }
        number
    }

    /// For the log: whose success it is.
    fn scope(&self) -> usize {
        if self.plan.mode == Mode::Broadcast { self.member } else { 0 }
    }

    fn note_times(&self, number: u32, context: &ConsumeContext) -> u32 {
        let times = context.reconsume_times;
        // In order, a message that is to be a dead letter comes again while no broker takes it.
        let may_exceed = self.plan.mode == Mode::Orderly && !self.plan.calm;
        // A broker counts each time that a popped message was not acknowledged, whatever the reason.
        let may_exceed = may_exceed || self.plan.kind == Kind::Pop;
        if times > self.plan.max_reconsume_times && !may_exceed {
            self.log.problem(format_args!("L5: {number} comes after {times} failures"));
        }
        if context.max_reconsume_times != Some(self.plan.max_reconsume_times) {
            self.log.problem(format_args!("L5: {number} may fail {:?} times", context.max_reconsume_times));
        }
        times
    }

    async fn handle(
        &self,
        message: &MessageExt,
        context: &ConsumeContext,
    ) -> Result<ConsumeOutcome, ConsumeFailure> {
        let number = self.number(message);
        let times = self.note_times(number, context);
        let queue = self.stored_in(message, &context.queue);
        let place = (&*queue, message.queue_offset());
        let call = self.log.begin(self.member, self.scope(), place, (number, times));
        let act = self.act(number, times);
        if wait(&act, &context.cancelled).await {
            call.end(End::Stopped);
            return Err("told to stop".into());
        }
        match act.outcome {
            Outcome::Success => call.end(End::Done),
            Outcome::DeadLetter => {
                call.end(End::Dead);
                return Ok(ConsumeOutcome::DeadLetter { reason: "simulated".to_owned() });
            }
            Outcome::Later(delay_level) => {
                call.end(End::Failed);
                return Ok(ConsumeOutcome::Later { delay_level });
            }
            outcome => {
                fail(outcome, act.heeds, &context.cancelled).await;
                call.end(End::Failed);
                return Err("simulated".into());
            }
        }
        Ok(ConsumeOutcome::Success)
    }

    async fn handle_in_order(
        &self,
        message: &MessageExt,
        context: &ConsumeContext,
    ) -> Result<OrderlyOutcome, ConsumeFailure> {
        let number = self.number(message);
        let times = self.note_times(number, context);
        let queue = self.stored_in(message, &context.queue);
        let place = (&*queue, message.queue_offset());
        let call = self.log.begin(self.member, 0, place, (number, times));
        let act = self.act(number, times);
        if wait(&act, &context.cancelled).await {
            call.end(End::Stopped);
            return Err("told to stop".into());
        }
        match act.outcome {
            Outcome::Success => call.end(End::Done),
            Outcome::Later(level) => {
                call.end(End::Failed);
                return Ok(match level {
                    None => OrderlyOutcome::Rollback,
                    Some(level) => {
                        let millis = (level > 1).then_some(level.unsigned_abs().into());
                        OrderlyOutcome::SuspendCurrentQueueAMoment { millis }
                    }
                });
            }
            outcome => {
                fail(outcome, act.heeds, &context.cancelled).await;
                call.end(End::Failed);
                return Err("simulated".into());
            }
        }
        Ok(OrderlyOutcome::Success)
    }

    async fn handle_batch(&self, messages: &[MessageExt], context: &ConsumeContext) -> BatchOutcome {
        let numbers: Vec<u32> = messages.iter().map(|message| self.number(message)).collect();
        let mut calls = Vec::new();
        for (message, number) in messages.iter().zip(&numbers) {
            let queue = self.stored_in(message, &context.queue);
            let place = (&*queue, message.queue_offset());
            let times = u32::try_from(message.reconsume_times()).unwrap_or_default();
            // A batch of one tells how often its message failed here, too.
            let times = if messages.len() == 1 { context.reconsume_times } else { times };
            // A batch of several does not tell: with its own count, a message that no broker takes back would fail each time here.
            let act = self.act(*number, self.log.failures(*number).max(times));
            calls.push((self.log.begin(self.member, 0, place, (*number, times)), act));
        }
        let longest = calls.iter().max_by_key(|(_, act)| act.pause).map(|(_, act)| act);
        if let Some(act) = longest
            && wait(act, &context.cancelled).await
        {
            calls.into_iter().for_each(|(call, _)| call.end(End::Stopped));
            return BatchOutcome::UpTo(0);
        }
        let end = |(call, act): (super::log::Call<'_>, Act)| match act.outcome {
            Outcome::Success => {
                call.end(End::Done);
                ConsumeOutcome::Success
            }
            Outcome::DeadLetter => {
                call.end(End::Dead);
                ConsumeOutcome::DeadLetter { reason: "simulated".to_owned() }
            }
            outcome => {
                call.end(End::Failed);
                let delay_level = if let Outcome::Later(level) = outcome { level } else { None };
                ConsumeOutcome::Later { delay_level }
            }
        };
        BatchOutcome::Each(calls.into_iter().map(end).collect())
    }

    /// Reads a stream to its end, and sees each delivery through in a task of its own.
    async fn read(self: Arc<Self>, mut stream: MessageStream) {
        let mut tasks = JoinSet::new();
        while let Some(delivery) = stream.next().await {
            let Ok(delivery) = delivery else { continue };
            let duty = self.clone();
            tasks.spawn(async move { duty.settle(delivery).await });
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn settle(&self, delivery: Delivery) {
        let number = self.number(&delivery);
        // A delivery does not tell how often it failed here.
        let failed = self.log.failures(number);
        let times = u32::try_from(delivery.reconsume_times()).unwrap_or_default();
        let queue = MessageQueue::new(self.read_from(&delivery), delivery.broker_name(), delivery.queue_id());
        let queue = self.stored_in(&delivery, &queue);
        let call = self.log.begin(self.member, 0, (&*queue, delivery.queue_offset()), (number, times));
        // The broker of a popped message also counts what no handler saw.
        let failed = if self.plan.kind == Kind::Pop { failed.max(times) } else { failed };
        let act = self.act(number, failed);
        if act.outcome != Outcome::Hang {
            sleep_if(act.pause).await;
        }
        match act.outcome {
            Outcome::Success => {
                call.end(End::Done);
                if act.heeds {
                    delivery.ack();
                } else {
                    // The consumer may end before the commit is known.
                    let _ = delivery.ack_committed().await;
                }
            }
            Outcome::DeadLetter => {
                call.end(End::Dead);
                let _ = delivery.dead_letter("simulated").await;
            }
            Outcome::Later(level) => {
                call.end(End::Failed);
                delivery.retry_later(level);
            }
            Outcome::Hang => {
                sleep(self.plan.consume_timeout).await;
                call.end(End::Failed);
                // It is too late, and changes nothing.
                sleep(super::crew::GRACE * 2).await;
                delivery.ack();
            }
            Outcome::Error | Outcome::Panic => {
                call.end(End::Failed);
                drop(delivery);
            }
        }
    }

    /// The queue that holds the message.
    fn stored_in<'a>(&self, message: &MessageExt, queue: &'a MessageQueue) -> Cow<'a, MessageQueue> {
        match self.plan.kind {
            Kind::Push | Kind::Pull => Cow::Borrowed(queue),
            Kind::Pop => Cow::Owned(super::popping::place(message, queue)),
        }
    }

    /// How long a message that cannot fail takes.
    pub(super) fn pause(&self, number: u32) -> Duration {
        self.act(number, 0).pause
    }

    /// The topic that a message was read from: one that comes again shows the topic that it was sent to.
    fn read_from(&self, message: &MessageExt) -> String {
        if message.reconsume_times() > 0 && self.plan.kind == Kind::Push {
            rocketmq::model::mix_all::retry_topic(super::plan::GROUP)
        } else {
            message.topic().to_owned()
        }
    }
}

/// Waits as long as the handler takes. True: it was told to stop, and does.
async fn wait(act: &Act, cancelled: &CancelToken) -> bool {
    if act.pause.is_zero() {
        return false;
    }
    tokio::select! {
        biased;
        () = cancelled.cancelled(), if act.heeds => true,
        () = sleep(act.pause) => false,
    }
}

async fn sleep_if(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

async fn fail(outcome: Outcome, heeds: bool, cancelled: &CancelToken) {
    match outcome {
        // Without the panic hook, which would print a line for each.
        Outcome::Panic => std::panic::resume_unwind(Box::new("simulated")),
        Outcome::Hang if heeds => cancelled.cancelled().await,
        Outcome::Hang => std::future::pending().await,
        _ => {}
    }
}
