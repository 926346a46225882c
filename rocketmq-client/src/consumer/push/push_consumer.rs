use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::body::ConsumerRunningInfo;

use super::PushConsumerBuilder;
use crate::conf::{ConsumerOption, millis};
use crate::consumer::inner::{ConsumerDraft, MQConsumerInner};
use crate::consumer::subscription::MessageSelector;
use crate::consumer::watch::{ConsumerEvents, ConsumerHealth, ConsumerShutdownReport, ConsumerStats};
use crate::error::MQClientError;
use crate::model::MessageQueue;

/// Receives the messages of a group: they come to a listener or a stream. Java: `DefaultMQPushConsumer`.
///
/// It is a handle: clones share everything. Each message comes at least once; a message whose listener fails comes again.
///
/// ```
/// use rocketmq_client::conf::ConsumerOption;
/// use rocketmq_client::consumer::PushConsumer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # cluster.create_topic("TopicTest", 4)?;
/// # let name_servers = cluster.name_server_addr();
/// let mut option = ConsumerOption::default();
/// option.set_name_server_addr(name_servers).set_group_name("billing");
/// let consumer = PushConsumer::new(option);
/// consumer.listener(|message, _| async move { println!("{:?}", message.body()) });
/// consumer.subscribe("TopicTest", "*").await?;
/// consumer.start().await?;
/// // …
/// assert!(consumer.shutdown().await?.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PushConsumer {
    pub(super) inner: Arc<MQConsumerInner>,
}

impl PushConsumer {
    /// A consumer with these options, which `start` checks.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let mut option = rocketmq_client::conf::ConsumerOption::default();
    /// option.set_name_server_addr(name_servers).set_group_name("billing").set_consume_concurrency(64);
    /// let consumer = PushConsumer::new(option);
    /// assert!(!consumer.health().running, "not yet");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(option: ConsumerOption) -> Self {
        Self { inner: Arc::new(MQConsumerInner::new(option)) }
    }

    /// A consumer of this group in the making.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let builder = PushConsumer::builder("billing").name_server_addr(name_servers).subscribe("Orders", "*");
    /// let consumer = builder.listener(|message, _| async move { println!("{}", message.msg_id()) }).start().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(group: impl Into<String>) -> PushConsumerBuilder {
        PushConsumerBuilder::new(ConsumerDraft::new(group.into()))
    }

    /// Subscribes to a topic: `"*"`, `"TagA || TagB"` (with two bars: `"TagA | TagB"` is the name of one tag), or
    /// [`MessageSelector::by_sql`]. A second call for a topic replaces the first. All members of a group must subscribe to equal topics
    /// with equal expressions.
    ///
    /// While the consumer runs it returns when the brokers know of it. Dropping the future then leaves open whether they
    /// do; call it again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// # cluster.create_topic("Payments", 1)?;
    /// consumer.subscribe("Payments", "Card || Cash").await?; // While it runs, or before the start.
    /// consumer.subscribe("Orders", MessageSelector::by_sql("amount > 100")).await?; // In place of "*".
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption` for an expression that cannot be read; while the consumer runs, `BrokerNotFound` if the topic has no
    /// route, and `Broker` with code 23 if a broker cannot read an SQL expression.
    pub async fn subscribe(
        &self,
        topic: impl Into<String>,
        selector: impl Into<MessageSelector>,
    ) -> Result<(), MQClientError> {
        self.inner.subscribe(topic.into(), selector.into()).await
    }

    /// Ends a subscription. Its queues are released: handlers finish, and offsets are committed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// consumer.unsubscribe("Orders").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ShutDown`.
    pub async fn unsubscribe(&self, topic: impl AsRef<str>) -> Result<(), MQClientError> {
        self.inner.unsubscribe(topic.as_ref()).await
    }

    /// Checks the options, joins the group, takes queues and looks their positions up. A message that is sent after it
    /// returned is delivered, whatever `consume_from_where` says. It returns after `start_timeout` at the latest: a broker
    /// that does not answer keeps no consumer from the messages of the others. A queue whose position is not known by then
    /// is in [`health`](Self::health) as `OffsetUnknown`; a new group that starts at the end reads such a queue from the
    /// messages on that were stored since the start began, by the clock of their broker. When it fails, or its future is
    /// dropped, the consumer is as before and `start` may be called again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// consumer.listener(|_, _| async {});
    /// consumer.subscribe("Orders", "*").await?;
    /// consumer.start().await?;
    /// assert!(consumer.health().running);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption`, also when there is neither a listener nor a stream; `NameServerUnreachable`, `BrokerNotFound` for a topic
    /// without a route (unless `require_topics` is false), `Broker` with code 23 for an SQL expression that a broker cannot read, `AlreadyStarted`, `ShutDown`, or
    /// `NoRuntime`.
    pub async fn start(&self) -> Result<(), MQClientError> {
        self.inner.start().await
    }

    /// Stops handing out and pulling messages, until [`resume`](Self::resume). Handlers that run go on. Before the
    /// start it holds from the start on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// consumer.suspend();
    /// assert!(consumer.health().queues.iter().all(|queue| queue.state == QueueState::Suspended));
    /// consumer.resume();
    /// # Ok(())
    /// # }
    /// ```
    pub fn suspend(&self) {
        self.inner.suspend(true);
    }

    /// Ends [`suspend`](Self::suspend).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// consumer.suspend();
    /// consumer.resume();
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&self) {
        self.inner.suspend(false);
    }

    /// Stops handing out and pulling messages of these queues, for as long as this consumer owns them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// let queue = MessageQueue::new("Orders", "broker-a", 0);
    /// consumer.pause_queues(&[queue.clone()]);
    /// # assert!(consumer.health().queues.iter().any(|health| health.state == QueueState::Paused));
    /// consumer.resume_queues(&[queue]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause_queues(&self, queues: &[MessageQueue]) {
        self.inner.pause(queues, true);
    }

    /// Ends [`pause_queues`](Self::pause_queues).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// consumer.pause_queues(&consumer.assignment());
    /// consumer.resume_queues(&consumer.assignment());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume_queues(&self, queues: &[MessageQueue]) {
        self.inner.pause(queues, false);
    }

    /// How many handlers may run at a time, from now on. Handlers that are too many finish their messages first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// consumer.set_concurrency(200)?;
    /// assert!(consumer.set_concurrency(0).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidOption` for 0.
    pub fn set_concurrency(&self, handlers: usize) -> Result<(), MQClientError> {
        self.inner.set_concurrency(handlers)
    }

    /// The queues that this consumer owns now, including the queues of the retry topic.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// let orders: Vec<_> = consumer.assignment().into_iter().filter(|queue| queue.topic() == "Orders").collect();
    /// assert_eq!(orders, [MessageQueue::new("Orders", "broker-a", 0)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn assignment(&self) -> Vec<MessageQueue> {
        self.inner.assignment()
    }

    /// Waits until the consumer has ended: its handlers have finished, and its offsets are committed as far as possible. Returns
    /// with success after a [`shutdown`](Self::shutdown) by any caller. Several callers may wait; dropping the future
    /// changes nothing.
    ///
    /// A consumer heals from everything that can end without a change of its program: brokers and NameServers that are down,
    /// topics that are deleted (they may come again), an operator's switch that forbids reading for a while. It ends by itself
    /// in two cases only: its group was deleted (code 26), or its key is unknown or lost the right to read (code 16 without
    /// a `forbiddenType`). For that, *each* queue that it owns has to be refused for 60 s, by three answers in a row or more
    /// and no other answer in between, and all other masters of its topics, which are asked then, have to refuse it as well:
    /// one broker that has lost its settings ends no consumer, and neither does a master that does not answer. The event
    /// [`Ended`](crate::consumer::ConsumerEvent::Ended), [`health`](Self::health) and the last item of the stream name the
    /// reason, too.
    ///
    /// ```no_run
    /// # use rocketmq_client::consumer::PushConsumer;
    /// # type Stop = tokio::sync::oneshot::Receiver<()>;
    /// # async fn run(consumer: PushConsumer, stop: Stop) -> Result<(), Box<dyn std::error::Error>> {
    /// tokio::select! {
    ///     ended = consumer.wait() => ended?,
    ///     _ = stop => assert!(consumer.shutdown().await?.is_clean()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The reason, when the consumer has ended by itself: `Broker` with code 16 or 26; `NotStarted`.
    pub async fn wait(&self) -> Result<(), MQClientError> {
        self.inner.wait().await
    }

    /// Whether the consumer works, for a liveness probe: [`ConsumerHealth::is_live`] of [`health`](Self::health).
    pub fn is_live(&self) -> bool {
        self.health().is_live()
    }

    /// Whether the consumer gets its messages, for a readiness probe: [`ConsumerHealth::is_ready`] of
    /// [`health`](Self::health), whose [`problems`](ConsumerHealth::problems) say why not.
    pub fn is_ready(&self) -> bool {
        self.health().is_ready()
    }

    /// How the consumer is, queue by queue.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// for queue in consumer.health().queues {
    ///     println!("{}: {:?} for {:?}, {:?} messages behind", queue.queue, queue.state, queue.in_state_for, queue.lag());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn health(&self) -> ConsumerHealth {
        self.inner.health()
    }

    /// The state of the consumer for operators: the answer to `mqadmin consumerStatus` (request 307). Its offsets are the lowest that
    /// are not finished. It has no rates and no stacks; before the start it is empty.
    ///
    /// ```
    /// # use rocketmq_client::consumer::PushConsumer;
    /// fn cached(consumer: &PushConsumer) -> i32 {
    ///     consumer.consumer_running_info().mq_table.values().map(|queue| queue.cached_msg_count).sum()
    /// }
    /// ```
    pub fn consumer_running_info(&self) -> ConsumerRunningInfo {
        self.inner.running_info()
    }

    /// The events of the consumer from now on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.build()?;
    /// let mut events = consumer.events();
    /// consumer.listener(|_, _| async {});
    /// consumer.start().await?;
    /// assert!(matches!(events.next().await, Some(ConsumerEvent::Assigned { .. } | ConsumerEvent::Started { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> ConsumerEvents {
        self.inner.events.reader()
    }

    /// The counters of the consumer since its start.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// let stats = consumer.get_stats()?;
    /// println!("{} done, {} failed", stats.consume_success_count, stats.consume_failure_count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotStarted` or `ShutDown`.
    pub fn get_stats(&self) -> Result<ConsumerStats, MQClientError> {
        self.inner.stats()
    }

    /// [`shutdown_within`](Self::shutdown_within) `shutdown_timeout`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// let report = consumer.shutdown().await?;
    /// assert!(report.is_clean(), "{report:?}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotStarted` or `NoRuntime`.
    pub async fn shutdown(&self) -> Result<ConsumerShutdownReport, MQClientError> {
        self.shutdown_within(millis(self.inner.option.shutdown_timeout())).await
    }

    /// Stops pulling, lets handlers finish, commits, tells the brokers, and closes the connections of a client of its own.
    /// It may be called in a listener, and again: each call gets the same report. Dropping the future does not stop the
    /// shutdown.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PushConsumer::builder("billing").name_server_addr(&name_servers).subscribe("Orders", "*");
    /// # let consumer = consumer.listener(|_, _| async {}).start().await?;
    /// let report = consumer.shutdown_within(std::time::Duration::from_secs(5)).await?;
    /// println!("{} handlers did not end, after {:?}", report.unfinished, report.took);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotStarted` or `NoRuntime`.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<ConsumerShutdownReport, MQClientError> {
        self.inner.shutdown(limit).await
    }
}
