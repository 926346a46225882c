use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::{UniqueIdGenerator, namespace};
use rocketmq_remoting::net::TaskOwner;
use tokio::runtime::{self, Handle};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::accumulator::{Accumulator, Reserved, send_due_batches};
use super::permits::{HasPermits, Permits};
use super::prepared::Preparation;
use super::sending::SendPlan;
use super::stats::Recorder;
use super::transaction::{Checker, DynListener, TransactionCheck, check_queue};
use super::{Producer, ProducerStats, SendOptions, ShutdownReport};
use crate::client::MQClient;
use crate::conf::{ProducerOption, millis};
use crate::error::{MQClientError, Outcome, with_causes};
use crate::factory::{MQClientInstance, Membership, PublishRoutes, TopicPublishInfo, unique_ids};
use crate::hook::CommunicationMode;
use crate::latency::MQFaultStrategy;
use crate::life_cycle::LifeCycle;
use crate::model::{Message, MessageBatch, MessageQueue};
use crate::trace::{SendMessageTraceHook, TraceDispatcher, inner_group};

pub(super) const CLIENT: &str = "producer";

/// Only one-way sends have no result.
pub(super) const NO_RESULT: MQClientError = MQClientError::NotStarted { client: CLIENT };

/// The working part of a producer. Java: `DefaultMQProducerImpl`.
#[derive(Debug)]
pub(crate) struct DefaultMQProducerImpl {
    pub(super) option: ProducerOption,
    client: MQClient,
    /// Whether nobody else uses the client.
    is_alone: bool,
    life: LifeCycle<Running>,
    pub(super) permits: Permits,
    pub(super) stats: Recorder,
    /// Decides about transactions, if the producer sends any.
    listener: Option<Arc<dyn DynListener>>,
    trace: Option<Arc<TraceDispatcher>>,
}

/// What exists once the producer is started.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) instance: Arc<MQClientInstance>,
    /// The routes as this producer sees them.
    pub(super) routes: PublishRoutes,
    /// What ends with this producer, while the instance may go on.
    pub(super) tasks: TaskOwner,
    membership: Membership,
    /// The group as brokers know it.
    pub(crate) producer_group: Arc<str>,
    pub(super) ids: &'static UniqueIdGenerator,
    pub(super) faults: Arc<MQFaultStrategy>,
    accumulator: Option<Arc<Accumulator>>,
}

/// What one call hands in.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(Message),
    /// The half message of a transaction.
    Half(Message),
    Batch(MessageBatch),
    /// Messages that were checked before each was gathered.
    Gathered(MessageBatch),
}

impl Outgoing {
    pub(super) fn body_len(&self) -> usize {
        match self {
            Self::Message(message) | Self::Half(message) => message.body().len(),
            Self::Batch(batch) | Self::Gathered(batch) => batch.encoded_len(),
        }
    }
}

impl DefaultMQProducerImpl {
    /// A producer with a client of its own.
    pub(super) fn new(option: ProducerOption, listener: Option<Arc<dyn DynListener>>) -> Self {
        let client = MQClient::new(option.client_option());
        Self { is_alone: true, ..Self::of_client(client, option, listener) }
    }

    /// A producer of a client that others use too.
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
        let permits =
            Permits::new(option.client_async_semaphore_value(), option.client_async_semaphore_bytes());
        let (life, stats) = (LifeCycle::new(CLIENT), Recorder::default());
        Self { option, client, is_alone: false, life, permits, stats, listener, trace }
    }

    pub(super) async fn start(self: &Arc<Self>) -> Result<(), MQClientError> {
        let starting = self.life.begin()?;
        self.option.validate()?;
        let instance =
            if self.is_alone { self.client.started().await? } else { self.client.running()?.clone() };
        let (checks, waiting_checks) = check_queue(self.option.check_request_hold_max());
        let handlers = self.listener.is_some().then_some(checks).into_iter().collect();
        let group = self.option.group_name().unwrap_or_default();
        let producer_group: Arc<str> = match self.option.namespace() {
            Some(namespace) => Arc::from(&*namespace::wrap_namespace(namespace, group)),
            None => Arc::from(group),
        };
        let membership = instance.join_producer_group(producer_group.clone(), handlers)?;
        let ids = unique_ids(instance.ip());
        let running = Running {
            routes: instance.publish_routes(self.option.default_topic_queue_nums()),
            tasks: instance.more_tasks(),
            membership,
            producer_group,
            ids,
            faults: self.faults(),
            accumulator: Accumulator::new(&self.option, ids),
            instance,
        };
        self.start_duties(&running);
        self.preload_routes(&running).await;
        self.start_trace(&running).await;
        if let Some(listener) = &self.listener {
            self.start_checks(&running, listener, waiting_checks).await;
        }
        tracing::debug!(client_id = running.instance.client_id(), %group, "producer started");
        starting.finish(running);
        if !self.is_alone {
            self.client.adopt(self);
        }
        Ok(())
    }

    fn faults(&self) -> Arc<MQFaultStrategy> {
        let detecting = self.option.start_detector_enable();
        Arc::new(MQFaultStrategy::new(self.option.latency_tables(), detecting))
    }

    fn start_duties(self: &Arc<Self>, running: &Running) {
        let Running { instance, tasks, faults, accumulator, .. } = running;
        if self.option.start_detector_enable() {
            let (every, limit) = (self.option.detect_interval(), self.option.detect_timeout());
            instance.start_detector(tasks, faults.clone(), millis(every), millis(limit));
        }
        if let Some(accumulator) = accumulator {
            tasks.spawn(send_due_batches(accumulator.clone(), Arc::downgrade(self)));
        }
    }

    /// Counts the outcome of one send.
    pub(super) fn note<T>(&self, sent: &Result<T, MQClientError>, began: Instant) {
        self.note_at(sent, began, Instant::now());
    }

    /// The same for one that ended then.
    pub(super) fn note_at<T>(&self, sent: &Result<T, MQClientError>, began: Instant, ended: Instant) {
        match sent {
            Ok(_) => self.stats.succeeded(ended - began),
            Err(MQClientError::MessageIllegal { .. }) => {}
            Err(error) => self.stats.failed(error.outcome() == Outcome::MaybeStored),
        }
    }

    /// Checks what can be checked of a message before it is admitted.
    pub(super) fn check(&self, running: &Running, message: &Message) -> Result<(), MQClientError> {
        running.preparation(&self.option).check(message)
    }

    pub(super) fn plan(&self, mode: CommunicationMode, options: SendOptions) -> SendPlan {
        let retries = match mode {
            CommunicationMode::Oneway => 0,
            CommunicationMode::Async => self.option.retry_times_when_send_async_failed(),
            CommunicationMode::Sync => self.option.retry_times_when_send_failed(),
        };
        let timeout = options.timeout.unwrap_or(self.option.send_msg_timeout());
        SendPlan {
            mode,
            began: Instant::now(),
            timeout: millis(timeout),
            retries: options.retry_times.unwrap_or(retries),
            queue: options.queue.map(|queue| self.wrap_queue(queue)),
            wants_reply: false,
        }
    }

    /// The queues of a topic, as the user names it.
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

    /// The queues of a route, with the topic as the user names it.
    pub(super) fn queues<'a>(&self, info: &'a TopicPublishInfo, topic: &str) -> &'a [MessageQueue] {
        match self.option.namespace() {
            None => info.queues(),
            Some(_) => info.queues_without_namespace(topic),
        }
    }

    pub(super) fn running(&self) -> Result<&Running, MQClientError> {
        self.life.running()
    }

    /// What there is from `start` on, also while the producer shuts down and finishes what was admitted.
    pub(super) fn started(&self) -> Option<&Running> {
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

    /// Counts attempts after the first one.
    pub(super) fn retried(&self, times: u32) {
        self.stats.retried(times);
    }

    pub(super) fn callback_panicked(&self) {
        self.stats.callback_panicked();
    }

    pub(super) async fn shutdown(self: &Arc<Self>) -> Result<ShutdownReport, MQClientError> {
        let running = self.life.started().ok_or(MQClientError::NotStarted { client: CLIENT })?;
        current_runtime()?;
        self.life.shut_down()?;
        let began = Instant::now();
        if let Some(accumulator) = &running.accumulator {
            accumulator.close(self, running);
        }
        let unfinished_sends = self.permits.drain(self.timeout()).await;
        if let Some(trace) = &self.trace {
            trace.shutdown(self.timeout()).await;
        }
        let deadline = Instant::now() + self.timeout();
        running.tasks.shutdown(self.timeout()).await;
        let untold = running.instance.leave_group(&running.membership, deadline).await;
        if self.is_alone {
            self.client.close(deadline.saturating_duration_since(Instant::now())).await;
        }
        Ok(ShutdownReport {
            unfinished_sends,
            brokers_not_told: untold.iter().map(ToString::to_string).collect(),
            took: began.elapsed(),
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        millis(self.option.send_msg_timeout())
    }

    /// Tracing is no reason to refuse service: without it, records are dropped and counted.
    async fn start_trace(&self, running: &Running) {
        let Some(trace) = &self.trace else { return };
        let option = self.option.for_trace(inner_group(&running.producer_group, "PRODUCE"));
        let producer = Self::of_client(self.client.clone(), option, None);
        if let Err(error) = trace.start(Producer { inner: Arc::new(producer) }, &running.tasks).await {
            tracing::warn!(error = with_causes(&error), "messages are not traced");
        }
    }

    /// Fetches the routes of the topics that the options name. A failure shows at the first send.
    async fn preload_routes(&self, running: &Running) {
        for topic in self.option.topics() {
            self.preload_route(running, topic).await;
        }
    }

    async fn preload_route(&self, running: &Running, topic: &str) {
        let topic = self.wrap_topic(topic);
        let deadline = Instant::now() + self.timeout();
        if let Err(error) = running.routes.find(&topic, self.timeout(), deadline).await {
            tracing::warn!(%topic, %error, "route not loaded in advance");
        }
    }

    /// Answers brokers' questions about transactions from now on, also about those of an earlier producer of the group.
    /// Brokers ask those that sent them a heartbeat, so all that can be known yet get one.
    async fn start_checks(
        &self,
        running: &Running,
        listener: &Arc<dyn DynListener>,
        waiting: mpsc::Receiver<TransactionCheck>,
    ) {
        let checker = Arc::new(Checker {
            api: running.instance.api().clone(),
            listener: listener.clone(),
            producer_group: running.producer_group.clone(),
            namespace: self.option.namespace().map(str::to_owned),
            trace: self.trace.clone(),
            waiting: tokio::sync::Mutex::new(waiting),
        });
        for _ in 0..self.option.check_thread_pool_max_size() {
            running.tasks.spawn(checker.clone().work());
        }
        self.preload_route(running, self.option.create_topic_key().unwrap_or_default()).await;
        running.instance.want_heartbeat();
    }

    /// The topic as brokers know it.
    pub(super) fn wrap_topic<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.option.namespace().map_or(topic.into(), |ns| namespace::wrap_namespace(ns, topic))
    }

    fn wrap_queue(&self, queue: MessageQueue) -> MessageQueue {
        let Some(namespace) = self.option.namespace() else { return queue };
        let topic = namespace::wrap_namespace(namespace, queue.topic()).into_owned();
        MessageQueue::new(topic, queue.shared_broker_name().clone(), queue.queue_id())
    }
}

/// Whoever waits needs the timers of a runtime, which panic where there is none.
pub(super) fn current_runtime() -> Result<runtime::Id, MQClientError> {
    Ok(Handle::try_current().map_err(|_| MQClientError::NoRuntime)?.id())
}

/// What runs for a producer that is dropped without a shutdown ends, too.
impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl HasPermits for Arc<DefaultMQProducerImpl> {
    fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Running {
    /// Whether a runtime cannot tell if the one lives on which the connections are. A client with a thread of its own
    /// lives as long as it is used.
    pub(super) fn is_elsewhere(&self, runtime: runtime::Id) -> bool {
        self.instance.home().is_some_and(|home| home != runtime)
    }

    /// Room in a batch for a message, if messages are gathered and this one may go with others.
    pub(super) fn reserve(&self, message: &Message) -> Option<Reserved<'_>> {
        self.accumulator.as_deref()?.reserve(message)
    }

    /// The same, unless it is something else than a message.
    pub(super) fn reserve_any(&self, outgoing: &Outgoing) -> Option<Reserved<'_>> {
        match outgoing {
            Outgoing::Message(message) => self.reserve(message),
            _ => None,
        }
    }

    pub(super) fn preparation<'a>(&'a self, option: &'a ProducerOption) -> Preparation<'a> {
        Preparation { option, ids: self.ids }
    }
}
