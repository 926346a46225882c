//! Start and shutdown of a producer.

use std::pin::Pin;
use std::sync::Arc;

use rocketmq_common::namespace;
use rocketmq_remoting::net::TaskOwner;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::accumulator::Accumulator;
use super::default_mq_producer_impl::{
    BoxFuture, CLIENT, DefaultMQProducerImpl, RunningProducer, Tracer, current_runtime,
};
use super::drivers::{send_batch, send_due_batches};
use super::transaction::{Checker, DynListener, TransactionCheck, check_queue};
use crate::client::{ClientMember, MQClient};
use crate::conf::{ProducerOption, millis};
use crate::error::{MQClientError, with_causes};
use crate::factory::unique_ids;
use crate::latency::MQFaultStrategy;
use crate::life_cycle::ShutdownReport;
use crate::model::{Message, SendResult};
use crate::trace::{TraceDispatcher, TraceSender, inner_group};

impl ClientMember for DefaultMQProducerImpl {
    fn shut_down(
        self: Arc<Self>,
    ) -> Pin<Box<dyn Future<Output = Result<ShutdownReport, MQClientError>> + Send>> {
        Box::pin(async move { self.drain_and_stop().await })
    }
}

impl DefaultMQProducerImpl {
    pub(super) fn start(self: &Arc<Self>) -> BoxFuture<'_, ()> {
        Box::pin(self.start_once())
    }

    pub(crate) fn shutdown(self: &Arc<Self>) -> BoxFuture<'_, ShutdownReport> {
        Box::pin(self.drain_and_stop())
    }

    async fn start_once(self: &Arc<Self>) -> Result<(), MQClientError> {
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
        let mut running = RunningProducer {
            routes: instance.publish_routes(self.option.default_topic_queue_nums()),
            tasks: instance.more_tasks(),
            membership,
            producer_group,
            ids,
            faults: Arc::new(MQFaultStrategy::of(&self.option)),
            accumulator: Accumulator::new(&self.option, ids),
            tracer: None,
            instance,
        };
        self.start_duties(&running);
        self.preload_routes(&running).await;
        self.start_trace(&mut running).await;
        if let Some(listener) = &self.listener {
            self.start_checks(&running, listener, waiting_checks).await;
        }
        tracing::debug!(client_id = running.instance.client_id(), %group, "producer started");
        starting.finish(running);
        // A client that was shut down meanwhile did not find a producer that runs.
        if let Err(shut_down) = self.client.running() {
            self.life.shut_down()?;
            return Err(shut_down);
        }
        Ok(())
    }

    fn start_duties(self: &Arc<Self>, running: &RunningProducer) {
        let RunningProducer { instance, tasks, faults, accumulator, .. } = running;
        if self.option.start_detector_enable() {
            let (every, limit) = (self.option.detect_interval(), self.option.detect_timeout());
            tasks.spawn(faults.clone().detect(instance.clone(), millis(every), millis(limit)));
        }
        if let Some(accumulator) = accumulator {
            tasks.spawn(send_due_batches(accumulator.clone(), Arc::downgrade(self)));
        }
    }

    async fn drain_and_stop(self: &Arc<Self>) -> Result<ShutdownReport, MQClientError> {
        let running = self.life.started().ok_or(MQClientError::NotStarted { client: CLIENT })?;
        current_runtime()?;
        self.life.shut_down()?;
        let began = Instant::now();
        if let Some(accumulator) = &running.accumulator {
            accumulator.close().into_iter().for_each(|batch| send_batch(self, running, batch));
        }
        let unfinished_sends = self.permits.drain(self.timeout()).await;
        if let Some(tracer) = &running.tracer {
            tracer.stop(Instant::now() + self.timeout()).await;
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
            ..ShutdownReport::default()
        })
    }

    async fn start_trace(&self, running: &mut RunningProducer) {
        let Some(trace) = &self.trace else { return };
        let option = self.option.for_trace(inner_group(&running.producer_group, "PRODUCE"));
        running.tracer =
            Some(Tracer::start(self.client.clone(), option, trace.clone(), &running.tasks).await);
    }

    /// Looks up the routes of the topics in the options. A failure shows at the first send.
    async fn preload_routes(&self, running: &RunningProducer) {
        for topic in self.option.topics() {
            self.preload_route(running, topic).await;
        }
    }

    async fn preload_route(&self, running: &RunningProducer, topic: &str) {
        let topic = self.wrap_topic(topic);
        let deadline = Instant::now() + self.timeout();
        if let Err(error) = running.routes.find(&topic, self.timeout(), deadline).await {
            tracing::warn!(%topic, %error, "route not loaded in advance");
        }
    }

    /// Starts to answer transaction checks, including those for an earlier producer of the group. Brokers ask only
    /// clients that sent a heartbeat, so all brokers known by now get one.
    async fn start_checks(
        &self,
        running: &RunningProducer,
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
}

impl TraceSender for Arc<DefaultMQProducerImpl> {
    fn send_trace(
        &self,
        message: Message,
        done: impl FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
    ) -> impl Future<Output = Result<(), MQClientError>> + Send {
        self.send_async(message, done)
    }
}

impl Tracer {
    /// Starts tracing, in a task of `tasks`. A failure must not stop what is traced: records are then dropped and counted.
    pub(crate) async fn start(
        client: MQClient,
        option: ProducerOption,
        trace: Arc<TraceDispatcher>,
        tasks: &TaskOwner,
    ) -> Self {
        let sender = Arc::new(DefaultMQProducerImpl::of_client(client, option, None));
        match sender.start().await {
            Ok(()) => trace.start(sender.clone(), tasks),
            Err(error) => tracing::warn!(error = with_causes(&error), "messages are not traced"),
        }
        Self { trace, sender }
    }

    /// The number of dropped records.
    pub(crate) fn dropped(&self) -> u64 {
        self.trace.dropped()
    }

    /// Sends the records that wait, and stops.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.trace.stop(deadline).await;
        if timeout_at(deadline, self.sender.shutdown()).await.is_err() {
            tracing::warn!(topic = self.trace.topic(), "not all trace records were sent before the shutdown");
        }
    }
}
