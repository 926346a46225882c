//! A consumer of a run: one with a listener or a stream, or one that is polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{
    ConsumerEvents, ConsumerHealth, ConsumerShutdownReport, MessageSelector, PullConsumer,
    PullConsumerHandle, PushConsumer,
};
use rocketmq::error::MQClientError;
use rocketmq::model::MessageQueue;
use tokio::task::JoinHandle;

use super::listeners::Duty;
use super::plan::Kind;
use super::pulling;

/// What the steps of a run hold of a consumer.
#[derive(Debug, Clone)]
pub(super) enum Seat {
    Push(PushConsumer),
    /// The consumer itself is with its poller, which ends when it is told to.
    Pull(PullConsumerHandle, Arc<AtomicBool>),
}

macro_rules! either {
    ($seat:expr, $consumer:ident => $of_both:expr) => {
        match $seat {
            Seat::Push($consumer) => $of_both,
            Seat::Pull($consumer, _) => $of_both,
        }
    };
}

impl Seat {
    /// A consumer, and the task that reads its messages if no listener gets them.
    pub(super) fn new(option: ConsumerOption, duty: Arc<Duty>) -> (Self, Option<JoinHandle<()>>) {
        if duty.plan.kind != Kind::Pull {
            let consumer = PushConsumer::new(option);
            let reader = duty.begin(&consumer);
            return (Self::Push(consumer), reader);
        }
        let consumer = PullConsumer::new(option);
        let (handle, stop) = (consumer.handle(), Arc::new(AtomicBool::new(false)));
        let poller = tokio::spawn(pulling::poll(duty, consumer, stop.clone()));
        (Self::Pull(handle, stop), Some(poller))
    }

    pub(super) async fn subscribe(
        &self,
        topic: &str,
        selector: impl Into<MessageSelector>,
    ) -> Result<(), MQClientError> {
        either!(self, consumer => consumer.subscribe(topic, selector).await)
    }

    pub(super) async fn unsubscribe(&self, topic: &str) -> Result<(), MQClientError> {
        either!(self, consumer => consumer.unsubscribe(topic).await)
    }

    /// Only members that are polled name their queues.
    pub(super) async fn assign(&self, queues: Vec<MessageQueue>) -> Result<(), MQClientError> {
        match self {
            Self::Push(_) => Ok(()),
            Self::Pull(consumer, _) => consumer.assign(queues).await,
        }
    }

    pub(super) async fn start(&self) -> Result<(), MQClientError> {
        either!(self, consumer => consumer.start().await)
    }

    pub(super) fn events(&self) -> ConsumerEvents {
        either!(self, consumer => consumer.events())
    }

    pub(super) fn health(&self) -> ConsumerHealth {
        either!(self, consumer => consumer.health())
    }

    pub(super) fn assignment(&self) -> Vec<MessageQueue> {
        either!(self, consumer => consumer.assignment())
    }

    pub(super) fn pause_queues(&self, queues: &[MessageQueue]) {
        match self {
            Self::Push(consumer) => consumer.pause_queues(queues),
            Self::Pull(consumer, _) => consumer.pause(queues),
        }
    }

    pub(super) fn resume_queues(&self, queues: &[MessageQueue]) {
        match self {
            Self::Push(consumer) => consumer.resume_queues(queues),
            Self::Pull(consumer, _) => consumer.resume(queues),
        }
    }

    /// A consumer that is polled cannot be suspended.
    pub(super) fn suspend(&self) {
        if let Self::Push(consumer) = self {
            consumer.suspend();
        }
    }

    pub(super) fn resume(&self) {
        if let Self::Push(consumer) = self {
            consumer.resume();
        }
    }

    pub(super) fn set_concurrency(&self, handlers: usize) -> Result<(), MQClientError> {
        match self {
            Self::Push(consumer) => consumer.set_concurrency(handlers),
            Self::Pull(..) => Ok(()),
        }
    }

    /// Has the poller confirm and commit what it got, and end.
    pub(super) fn stop_polling(&self) {
        if let Self::Pull(_, stop) = self {
            stop.store(true, Ordering::Relaxed);
        }
    }

    pub(super) async fn shutdown_within(
        &self,
        limit: Duration,
    ) -> Result<ConsumerShutdownReport, MQClientError> {
        either!(self, consumer => consumer.shutdown_within(limit).await)
    }
}
