use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rocketmq_common::UniqueIdGenerator;
use tokio::runtime::{self, Handle};
use tokio::time::{Instant, timeout_at};

use super::ShutdownReport;
use super::permits::{NoPermit, Permits};
use super::prepared::Prepared;
use super::retry::{is_refusal, is_retryable, wants_fresh_route};
use super::send_kernel::{Attempted, CommunicationMode, send_kernel_impl};
use crate::conf::ProducerOption;
use crate::error::{Attempt, MQClientError, SendReport, with_causes};
use crate::factory::{MQClientInstance, Role, unique_ids};
use crate::model::{Message, SendResult, SendStatus};

const CLIENT: &str = "producer";

/// What a send from another runtime gets on top of its deadline, so that the ordinary time-out comes first.
const ELSEWHERE_GRACE: Duration = Duration::from_millis(100);

const CREATED: u8 = 0;
const STARTING: u8 = 1;
const RUNNING: u8 = 2;
const SHUT_DOWN: u8 = 3;

/// The working part of a producer. Java: `DefaultMQProducerImpl`.
#[derive(Debug)]
pub(super) struct DefaultMQProducerImpl {
    option: ProducerOption,
    state: AtomicU8,
    running: OnceLock<Running>,
    permits: Permits,
}

/// What exists once the producer is started.
#[derive(Debug)]
struct Running {
    instance: MQClientInstance,
    ids: &'static UniqueIdGenerator,
    /// Where the tasks of the connections run.
    runtime: runtime::Id,
}

/// Puts a producer back where it was, unless starting it succeeds.
struct Starting<'a>(&'a AtomicU8);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(STARTING, CREATED, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl DefaultMQProducerImpl {
    pub(super) fn new(option: ProducerOption) -> Self {
        let permits =
            Permits::new(option.client_async_semaphore_value(), option.client_async_semaphore_bytes());
        Self { option, state: AtomicU8::new(CREATED), running: OnceLock::new(), permits }
    }

    pub(super) async fn start(&self) -> Result<(), MQClientError> {
        match self.state.compare_exchange(CREATED, STARTING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {}
            Err(SHUT_DOWN) => return Err(MQClientError::ShutDown { client: CLIENT }),
            Err(_) => return Err(MQClientError::AlreadyStarted { client: CLIENT }),
        }
        let starting = Starting(&self.state);
        self.option.validate()?;
        let role = Role {
            producer_group: self.option.group_name().map(str::to_owned),
            default_topic_queue_nums: self.option.default_topic_queue_nums(),
        };
        let instance = MQClientInstance::start(self.option.client_config()?, role).await?;
        let ids = unique_ids(instance.ip());
        tracing::debug!(client_id = instance.client_id(), "producer started");
        let runtime = Handle::current().id();
        let _ = self.running.set(Running { instance, ids, runtime });
        let _ = self.state.compare_exchange(STARTING, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        drop(starting);
        Ok(())
    }

    pub(super) async fn send(&self, message: Message) -> Result<SendResult, MQClientError> {
        match self.send_default_impl(message, CommunicationMode::Sync).await? {
            Some(result) => Ok(result),
            // Only one-way sends have no result.
            None => Err(MQClientError::NotStarted { client: CLIENT }),
        }
    }

    pub(super) async fn send_oneway(&self, message: Message) -> Result<(), MQClientError> {
        self.send_default_impl(message, CommunicationMode::Oneway).await.map(|_| ())
    }

    pub(super) async fn shutdown(&self) -> Result<ShutdownReport, MQClientError> {
        let before = self.state.swap(SHUT_DOWN, Ordering::AcqRel);
        let Some(running) = self.running.get() else {
            if before != SHUT_DOWN {
                self.state.store(before, Ordering::Release);
            }
            return Err(MQClientError::NotStarted { client: CLIENT });
        };
        let began = Instant::now();
        let unfinished_sends = self.permits.drain(self.timeout()).await;
        let (untold, _) = running.instance.shutdown(self.timeout()).await;
        Ok(ShutdownReport {
            unfinished_sends,
            brokers_not_told: untold.iter().map(ToString::to_string).collect(),
            took: began.elapsed(),
        })
    }

    /// One message, as many attempts as it takes and its deadline allows. Java: `sendDefaultImpl`.
    async fn send_default_impl(
        &self,
        message: Message,
        mode: CommunicationMode,
    ) -> Result<Option<SendResult>, MQClientError> {
        let running = self.running()?;
        let began = Instant::now();
        let deadline = began + self.timeout();
        let here = Handle::try_current().map_err(|_| MQClientError::NoRuntime)?.id();
        let sending = self.send_by(running, message, mode, began, deadline);
        if here == running.runtime {
            return sending.await;
        }
        // Deadlines are kept by tasks of the runtime that the producer was started on. Nobody can tell from
        // another one whether that still runs.
        timeout_at(deadline + ELSEWHERE_GRACE, sending).await.unwrap_or_else(|_| {
            Err(MQClientError::TimedOut {
                timeout: self.timeout(),
                waited_for: "the runtime on which the producer was started: it does not run any more, or is blocked",
                report: Box::new(SendReport { given_up: true, ..SendReport::default() }),
            })
        })
    }

    async fn send_by(
        &self,
        running: &Running,
        message: Message,
        mode: CommunicationMode,
        began: Instant,
        deadline: Instant,
    ) -> Result<Option<SendResult>, MQClientError> {
        let mut report = SendReport::default();

        let permit = self.permits.acquire(message.body().len(), deadline).await;
        report.waited_for_permits = began.elapsed();
        let _permit = permit.map_err(|reason| self.no_permit(reason, &report))?;

        let prepared = Prepared::new(message, &self.option, running.ids).await?;
        report.prepared = began.elapsed().saturating_sub(report.waited_for_permits);

        let mut sending = Sending { producer: self, running, prepared, deadline, report };
        sending.attempt_all(mode).await
    }

    fn running(&self) -> Result<&Running, MQClientError> {
        match self.state.load(Ordering::Acquire) {
            RUNNING => self.running.get().ok_or(MQClientError::NotStarted { client: CLIENT }),
            SHUT_DOWN => Err(MQClientError::ShutDown { client: CLIENT }),
            _ => Err(MQClientError::NotStarted { client: CLIENT }),
        }
    }

    fn no_permit(&self, reason: NoPermit, report: &SendReport) -> MQClientError {
        match reason {
            NoPermit::Closed => MQClientError::ShutDown { client: CLIENT },
            NoPermit::TimedOut => MQClientError::TimedOut {
                timeout: self.timeout(),
                waited_for: "permits: too many sends, or bytes, in flight",
                report: Box::new(report.clone()),
            },
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.option.send_msg_timeout())
    }
}

/// One message on its way.
struct Sending<'a> {
    producer: &'a DefaultMQProducerImpl,
    running: &'a Running,
    prepared: Prepared,
    deadline: Instant,
    report: SendReport,
}

impl Sending<'_> {
    async fn attempt_all(&mut self, mode: CommunicationMode) -> Result<Option<SendResult>, MQClientError> {
        let option = &self.producer.option;
        let retries =
            if mode == CommunicationMode::Oneway { 0 } else { option.retry_times_when_send_failed() };
        let mut last_broker: Option<Arc<str>> = None;
        let mut weak: Option<SendResult> = None;
        for left in (0..=retries).rev() {
            let began = Instant::now();
            let route = self.running.instance.find_route(
                self.prepared.message.topic(),
                self.producer.timeout(),
                self.deadline,
            );
            let route = route.await.map_err(|error| error.with_report(self.report.clone()))?;
            self.report.waited_for_route += began.elapsed();
            let Some(choice) = route.select(last_broker.as_deref()) else { break };
            last_broker = Some(choice.queue.shared_broker_name().clone());

            let began = Instant::now();
            let attempt = Attempted {
                queue: choice.queue,
                address: choice.address,
                deadline: self.attempt_deadline(began, left),
            };
            let sent = send_kernel_impl(&self.running.instance, option, &self.prepared, &attempt, mode).await;
            let error = match sent {
                Ok(Some(result))
                    if result.send_status != SendStatus::SendOk && option.retry_next_server() =>
                {
                    weak = Some(result);
                    continue;
                }
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let again = self.note_failure(&attempt, began, &error);
            if left == 0 || !again || Instant::now() >= self.deadline {
                return weak
                    .map_or_else(|| Err(error.with_report(self.report.clone())), |weak| Ok(Some(weak)));
            }
        }
        weak.map(Some).ok_or_else(|| self.no_time())
    }

    /// The last attempt may use all the time that is left.
    fn attempt_deadline(&self, now: Instant, attempts_left: u32) -> Instant {
        match self.producer.option.send_msg_max_timeout_per_request() {
            limit if limit > 0 && attempts_left > 0 => self.deadline.min(now + Duration::from_millis(limit)),
            _ => self.deadline,
        }
    }

    /// Writes the failure into the report. Returns whether another attempt may help.
    fn note_failure(&mut self, attempt: &Attempted<'_>, began: Instant, error: &MQClientError) -> bool {
        let code = error.response_code();
        let (maybe_stored, again) = match error {
            MQClientError::Remoting { source, .. } => (!source.is_unsent(), true),
            MQClientError::BadAnswer { .. } => (true, false),
            _ => (!code.is_some_and(is_refusal), code.is_some_and(is_retryable)),
        };
        if code.is_none_or(wants_fresh_route) {
            self.running.instance.want_fresh_routes();
        }
        self.report.attempts.push(Attempt {
            queue: attempt.queue.clone(),
            address: attempt.address.clone(),
            took: began.elapsed(),
            code,
            error: with_causes(error),
            maybe_stored,
        });
        again
    }

    fn no_time(&self) -> MQClientError {
        MQClientError::TimedOut {
            timeout: self.producer.timeout(),
            waited_for: "an attempt",
            report: Box::new(self.report.clone()),
        }
    }
}
