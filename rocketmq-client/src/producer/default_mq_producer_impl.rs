use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rocketmq_common::{UniqueIdGenerator, namespace};
use tokio::runtime::{self, Handle};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::accumulator::{Accumulator, Reserved, send_due_batches};
use super::permits::{HasPermits, Permits};
use super::prepared::Preparation;
use super::sending::SendPlan;
use super::stats::Recorder;
use super::transaction::{Checker, DynListener};
use super::{ProducerStats, SendOptions, ShutdownReport};
use crate::conf::{ProducerOption, millis};
use crate::error::{MQClientError, Outcome, with_causes};
use crate::factory::{MQClientInstance, Role, TopicPublishInfo, TransactionCheck, unique_ids};
use crate::hook::CommunicationMode;
use crate::latency::MQFaultStrategy;
use crate::model::{Message, MessageBatch, MessageQueue};
use crate::trace::{SendMessageTraceHook, TraceDispatcher, inner_group};

pub(super) const CLIENT: &str = "producer";

/// Only one-way sends have no result.
pub(super) const NO_RESULT: MQClientError = MQClientError::NotStarted { client: CLIENT };

const CREATED: u8 = 0;
const STARTING: u8 = 1;
const RUNNING: u8 = 2;
const SHUT_DOWN: u8 = 3;

/// The working part of a producer. Java: `DefaultMQProducerImpl`.
#[derive(Debug)]
pub(crate) struct DefaultMQProducerImpl {
    pub(super) option: ProducerOption,
    state: AtomicU8,
    running: OnceLock<Running>,
    pub(super) permits: Permits,
    pub(super) stats: Recorder,
    /// Decides about transactions, if the producer sends any.
    listener: Option<Arc<dyn DynListener>>,
    trace: Option<Arc<TraceDispatcher>>,
}

/// What exists once the producer is started.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) instance: MQClientInstance,
    /// The group as brokers know it.
    pub(crate) producer_group: Arc<str>,
    pub(super) ids: &'static UniqueIdGenerator,
    pub(super) faults: Arc<MQFaultStrategy>,
    accumulator: Option<Arc<Accumulator>>,
    /// Where the tasks of the connections run.
    pub(super) runtime: runtime::Id,
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

/// Puts a producer back where it was, unless starting it succeeds.
struct Starting<'a>(&'a AtomicU8);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(STARTING, CREATED, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl DefaultMQProducerImpl {
    pub(super) fn new(mut option: ProducerOption, listener: Option<Arc<dyn DynListener>>) -> Self {
        let trace_topic = option.trace_topic().filter(|_| option.enable_trace());
        let trace = trace_topic.map(TraceDispatcher::new);
        if let Some(trace) = &trace {
            option.add_send_message_hook(Arc::new(SendMessageTraceHook::new(trace.clone())));
        }
        let permits =
            Permits::new(option.client_async_semaphore_value(), option.client_async_semaphore_bytes());
        let (state, stats) = (AtomicU8::new(CREATED), Recorder::default());
        let running = OnceLock::new();
        Self { option, state, running, permits, stats, listener, trace }
    }

    pub(super) async fn start(self: &Arc<Self>) -> Result<(), MQClientError> {
        match self.state.compare_exchange(CREATED, STARTING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {}
            Err(SHUT_DOWN) => return Err(MQClientError::ShutDown { client: CLIENT }),
            Err(_) => return Err(MQClientError::AlreadyStarted { client: CLIENT }),
        }
        let starting = Starting(&self.state);
        self.option.validate()?;
        let group = self.option.group_name().unwrap_or_default();
        let producer_group: Arc<str> = match self.option.namespace() {
            Some(namespace) => Arc::from(&*namespace::wrap_namespace(namespace, group)),
            None => Arc::from(group),
        };
        let (checks, waiting_checks) = mpsc::channel(self.option.check_request_hold_max() as usize);
        let role = Role {
            producer_group: Some(producer_group.to_string()),
            default_topic_queue_nums: self.option.default_topic_queue_nums(),
            transaction_checks: self.listener.is_some().then_some(checks),
        };
        let instance = MQClientInstance::start(self.option.client_config()?, role).await?;
        let detecting = self.option.start_detector_enable();
        let faults = Arc::new(MQFaultStrategy::new(self.option.latency_tables(), detecting));
        if detecting {
            let (every, limit) = (self.option.detect_interval(), self.option.detect_timeout());
            instance.start_detector(faults.clone(), millis(every), millis(limit));
        }
        let ids = unique_ids(instance.ip());
        let accumulator = Accumulator::new(&self.option, ids);
        if let Some(accumulator) = &accumulator {
            instance.tasks().spawn(send_due_batches(accumulator.clone(), Arc::downgrade(self)));
        }
        let runtime = Handle::current().id();
        let running = Running { instance, producer_group, ids, faults, accumulator, runtime };
        self.preload_routes(&running).await;
        self.start_trace(&running).await;
        if let Some(listener) = &self.listener {
            self.start_checks(&running, listener, waiting_checks).await;
        }
        tracing::debug!(client_id = running.instance.client_id(), "producer started");
        let _ = self.running.set(running);
        let _ = self.state.compare_exchange(STARTING, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        drop(starting);
        Ok(())
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
        match running.instance.known_route(&topic) {
            Some(info) => Ok(info),
            None => Box::pin(running.instance.find_route(&topic, timeout, Instant::now() + timeout)).await,
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
        match self.state.load(Ordering::Acquire) {
            RUNNING => self.running.get().ok_or(MQClientError::NotStarted { client: CLIENT }),
            SHUT_DOWN => Err(MQClientError::ShutDown { client: CLIENT }),
            _ => Err(MQClientError::NotStarted { client: CLIENT }),
        }
    }

    /// What there is from `start` on, also while the producer shuts down and finishes what was admitted.
    pub(super) fn started(&self) -> Option<&Running> {
        self.running.get()
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
        let Some(running) = self.running.get() else {
            return Err(MQClientError::NotStarted { client: CLIENT });
        };
        current_runtime()?;
        self.state.store(SHUT_DOWN, Ordering::Release);
        let began = Instant::now();
        if let Some(accumulator) = &running.accumulator {
            accumulator.close(self, running);
        }
        let unfinished_sends = self.permits.drain(self.timeout()).await;
        if let Some(trace) = &self.trace {
            trace.shutdown(self.timeout()).await;
        }
        let (untold, _) = running.instance.shutdown(self.timeout()).await;
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
        if let Err(error) = trace.start(option, running.instance.tasks()).await {
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
        if let Err(error) = running.instance.find_route(&topic, self.timeout(), deadline).await {
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
            running.instance.tasks().spawn(checker.clone().work());
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

impl HasPermits for Arc<DefaultMQProducerImpl> {
    fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Running {
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
