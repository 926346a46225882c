//! The parts that all ways of sending share. `start_shutdown` starts it, `drivers` send.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::{UniqueIdGenerator, namespace};
use rocketmq_remoting::net::{TaskOwner, random};
use tokio::runtime::{self, Handle};
use tokio::time::Instant;

use super::accumulator::{Accumulator, Reserved};
use super::machine::SendPlan;
use super::permits::Permits;
use super::send_options::SendOptions;
use super::stats::{ProducerStats, Recorder};
use super::transaction::DynListener;
use super::wire::{Preparation, Submission};
use crate::client::MQClient;
use crate::conf::{ProducerOption, millis};
use crate::error::{MQClientError, Outcome};
use crate::factory::{MQClientInstance, Membership, PublishRoutes, TopicPublishInfo};
use crate::hook::CommunicationMode;
use crate::latency::MQFaultStrategy;
use crate::life_cycle::LifeCycle;
use crate::metrics::{Messages, ProducerMeter};
use crate::model::{Message, MessageBatch, MessageQueue};
use crate::otel::{self, About, SendSpan};
use crate::trace::{SendMessageTraceHook, TraceDispatcher, is_inner_group};

/// A boxed future.
///
/// The code of an async function is compiled where it is polled: in every program that uses this crate, again and
/// again. A future that a plain function boxes is compiled here, once, and makes no other future larger. All steps
/// that few awaited messages need return this type.
pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MQClientError>> + Send + 'a>>;

pub(super) const CLIENT: &str = "producer";

/// The working part of a producer. Java: `DefaultMQProducerImpl`.
#[derive(Debug)]
pub(crate) struct DefaultMQProducerImpl {
    pub(super) option: ProducerOption,
    pub(super) client: MQClient,
    /// Whether no other producer or admin uses the client.
    pub(super) is_alone: bool,
    pub(super) life: LifeCycle<RunningProducer>,
    pub(super) permits: Arc<Permits>,
    pub(super) stats: Recorder,
    /// The listener, if the producer sends transactions.
    pub(super) listener: Option<Arc<dyn DynListener>>,
    pub(super) trace: Option<Arc<TraceDispatcher>>,
}

/// The parts of a started producer.
#[derive(Debug)]
pub(crate) struct RunningProducer {
    pub(crate) instance: Arc<MQClientInstance>,
    /// This producer's view of the routes.
    pub(super) routes: PublishRoutes,
    /// The tasks of this producer, which end with it; the client may live on.
    pub(super) tasks: TaskOwner,
    pub(super) membership: Membership,
    /// The group, under its name at brokers.
    pub(crate) producer_group: Arc<str>,
    pub(super) ids: &'static UniqueIdGenerator,
    pub(super) faults: Arc<MQFaultStrategy>,
    pub(super) accumulator: Option<Arc<Accumulator>>,
    /// Sends the records of a trace.
    pub(super) tracer: Option<Tracer>,
}

/// The records of a traced producer or consumer, and the inner producer that sends them: of the same client, with a group of
/// its own.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(super) trace: Arc<TraceDispatcher>,
    pub(super) sender: Arc<DefaultMQProducerImpl>,
}

impl DefaultMQProducerImpl {
    /// A producer with a client of its own.
    pub(super) fn new(option: ProducerOption, listener: Option<Arc<dyn DynListener>>) -> Self {
        let client = MQClient::new(option.client_option());
        Self { is_alone: true, ..Self::of_client(client, option, listener) }
    }

    /// A producer of a shared client.
    pub(super) fn of_client(
        client: MQClient,
        mut option: ProducerOption,
        listener: Option<Arc<dyn DynListener>>,
    ) -> Self {
        let trace_topic = option.trace_topic().filter(|_| option.enable_trace());
        let trace = trace_topic.map(TraceDispatcher::new);
        if let Some(trace) = &trace {
            option.add_send_message_hook(Arc::new(SendMessageTraceHook::new(trace.clone())));
        }
        let (sends, bytes) = (option.client_async_semaphore_value(), option.client_async_semaphore_bytes());
        let meter = ProducerMeter::new(option.group_name().unwrap_or_default());
        let permits = Arc::new(Permits::new(sends, bytes, meter));
        let (life, stats) = (LifeCycle::new(CLIENT), Recorder::default());
        Self { option, client, is_alone: false, life, permits, stats, listener, trace }
    }

    /// Counts the outcome of a send. Illegal messages do not count: nothing was tried.
    pub(super) fn note<T>(&self, sent: &Result<T, MQClientError>, plan: &SendPlan, ended: Instant) {
        plan.span.end(sent.as_ref().err());
        match sent {
            Ok(_) => {
                self.stats.succeeded(ended - plan.began);
                self.permits.meter().succeeded(plan.messages, ended - plan.began);
            }
            Err(MQClientError::MessageIllegal { .. }) => {}
            Err(error) => self.note_failure(plan, error.outcome() == Outcome::MaybeStored),
        }
    }

    /// Begins the span of a send; its messages carry it along. An inner producer has none.
    #[inline]
    pub(super) fn begin_span(
        &self,
        running: &RunningProducer,
        plan: &mut SendPlan,
        submission: &mut Submission,
    ) {
        match submission {
            Submission::Message(message) => self.begin_span_of(running, plan, message, false),
            Submission::Half(message) => self.begin_span_of(running, plan, message, true),
            Submission::Batch(batch) if otel::is_on() => {
                let mut messages = batch.messages().to_vec();
                let Some(first) = messages.first() else { return };
                plan.span = SendSpan::begin(self.about(running), first, Some(messages.len()), false);
                messages.iter_mut().for_each(|message| plan.span.travel_with(message));
                if let Ok(carrying) = MessageBatch::new(messages) {
                    *batch = carrying;
                }
            }
            Submission::Batch(_) => {}
        }
    }

    /// Begins the span of a send of one message, or of a half message.
    #[inline]
    pub(super) fn begin_span_of(
        &self,
        running: &RunningProducer,
        plan: &mut SendPlan,
        message: &mut Message,
        half: bool,
    ) {
        if !otel::is_on() || is_inner_group(&running.producer_group) {
            return;
        }
        plan.span = SendSpan::begin(self.about(running), message, None, half);
        plan.span.travel_with(message);
    }

    fn about<'a>(&'a self, running: &'a RunningProducer) -> About<'a> {
        let client_id = running.instance.client_id();
        About { client_id, namespace: self.option.namespace(), consumer: None }
    }

    pub(super) fn note_failure(&self, plan: &SendPlan, maybe_stored: bool) {
        self.stats.failed(maybe_stored);
        self.permits.meter().failed(plan.messages);
    }

    /// Checks each message of a batch.
    pub(super) fn check_all(&self, batch: &MessageBatch) -> Result<(), MQClientError> {
        self.running()?.preparation(&self.option).check_all(batch)
    }

    pub(super) fn plan(&self, mode: CommunicationMode, options: SendOptions) -> SendPlan {
        let retries = match mode {
            CommunicationMode::Oneway => 0,
            CommunicationMode::Async => self.option.retry_times_when_send_async_failed(),
            CommunicationMode::Sync => self.option.retry_times_when_send_failed(),
        };
        let timeout = options.timeout.unwrap_or(self.option.send_msg_timeout());
        let attempt_limit = self.option.send_msg_max_timeout_per_request();
        SendPlan {
            mode,
            began: Instant::now(),
            timeout: millis(timeout),
            attempt_limit: (attempt_limit > 0).then(|| millis(attempt_limit)),
            retries: options.retry_times.unwrap_or(retries),
            retry_weakly_stored: self.option.retry_next_server(),
            queue: options.queue.map(|queue| self.wrap_queue(queue)),
            wants_reply: false,
            is_gathered: false,
            messages: Messages::new(1),
            span: SendSpan::default(),
            random,
        }
    }

    /// The queues of a topic, given under the user's name for it.
    pub(super) async fn publish_info(&self, topic: &str) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        let running = self.running()?;
        current_runtime()?;
        let timeout = self.timeout();
        let topic = self.wrap_topic(topic);
        match running.routes.known(&topic) {
            Some(info) => Ok(info),
            None => Box::pin(running.routes.find(&topic, timeout, Instant::now() + timeout)).await,
        }
    }

    /// Copies the queues of a topic.
    pub(super) fn fetch_queues<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Vec<MessageQueue>> {
        Box::pin(async move {
            let info = self.publish_info(topic).await?;
            Ok(self.queues(&info, topic).to_vec())
        })
    }

    /// The queues of a route, under the user's name for the topic.
    pub(super) fn queues<'a>(&self, info: &'a TopicPublishInfo, topic: &str) -> &'a [MessageQueue] {
        match self.option.namespace() {
            None => info.queues(),
            Some(_) => info.queues_without_namespace(topic),
        }
    }

    pub(super) fn running(&self) -> Result<&RunningProducer, MQClientError> {
        self.life.running()
    }

    /// The parts of a started producer, even while it shuts down and finishes admitted sends.
    pub(super) fn started(&self) -> Option<&RunningProducer> {
        self.life.started()
    }

    pub(super) fn option(&self) -> &ProducerOption {
        &self.option
    }

    pub(super) fn stats(&self) -> Result<ProducerStats, MQClientError> {
        self.running()?;
        let dropped = self.trace.as_ref().map_or(0, |trace| trace.dropped());
        Ok(ProducerStats { trace_dropped_count: dropped, ..self.stats.snapshot(self.permits.in_flight()) })
    }

    pub(super) fn trace(&self) -> Option<&TraceDispatcher> {
        self.trace.as_deref()
    }

    pub(super) fn timeout(&self) -> Duration {
        millis(self.option.send_msg_timeout())
    }

    /// The topic under its name at brokers.
    pub(super) fn wrap_topic<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.option.namespace().map_or(topic.into(), |ns| namespace::wrap_namespace(ns, topic))
    }

    fn wrap_queue(&self, queue: MessageQueue) -> MessageQueue {
        let Some(namespace) = self.option.namespace() else { return queue };
        let topic = namespace::wrap_namespace(namespace, queue.topic()).into_owned();
        MessageQueue::new(topic, queue.shared_broker_name().clone(), queue.queue_id())
    }
}

/// The runtime of the caller. A wait needs its timers, which would panic without a runtime.
pub(super) fn current_runtime() -> Result<runtime::Id, MQClientError> {
    Ok(Handle::try_current().map_err(|_| MQClientError::NoRuntime)?.id())
}

/// A producer that is dropped without a shutdown stops its tasks.
impl Drop for RunningProducer {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl RunningProducer {
    /// Whether the caller's runtime differs from the runtime of the connections, whose end it cannot see. A client
    /// with a thread of its own lives as long as it is used.
    pub(super) fn is_elsewhere(&self, runtime: runtime::Id) -> bool {
        self.instance.home().is_some_and(|home| home != runtime)
    }

    /// Reserves room for a message in a batch, if messages are gathered and this one may be.
    #[inline]
    pub(super) fn reserve(&self, message: &mut Message) -> Option<Reserved<'_>> {
        self.accumulator.as_deref()?.reserve(message)
    }

    #[inline]
    pub(super) fn preparation<'a>(&'a self, option: &'a ProducerOption) -> Preparation<'a> {
        Preparation { option, ids: self.ids }
    }
}
