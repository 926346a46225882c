use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Flight, Settlement};
use crate::consumer::listener::ConsumeOutcome;
use crate::consumer::offsets::remote;
use crate::error::MQClientError;

/// A time that no reader needs; a longer one may not fit the clock.
const LONGEST: Duration = Duration::from_secs(3600 * 24 * 365);

/// A message of a [`MessageStream`](super::MessageStream), which its reader settles once: each way to do so takes the
/// delivery.
///
/// ```compile_fail
/// # fn twice(delivery: rocketmq_client::consumer::Delivery) {
/// delivery.ack();
/// delivery.retry_later(None);
/// # }
/// ```
///
/// A delivery that is dropped has failed, and comes again later; while the consumer shuts down, it stays uncommitted. After
/// `consume_timeout` and `timeout_grace` it has failed, too, and what settles it then changes nothing.
#[must_use = "a delivery that is dropped has failed"]
pub struct Delivery {
    acker: Acker,
}

/// Settles a message that was [split](Delivery::split) from its delivery. It may wait elsewhere than the message is handled.
#[must_use = "a message whose acker is dropped has failed"]
pub struct Acker {
    flight: Arc<Flight>,
    /// The place of the message in the flight.
    index: usize,
    is_settled: bool,
}

impl Delivery {
    pub(super) fn new(flight: Arc<Flight>, index: usize) -> Self {
        Self { acker: Acker { flight, index, is_settled: false } }
    }

    /// The message is done. Its offset is committed with the next commit of its queue.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// delivery.ack();
    /// # assert!(consumer.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn ack(self) {
        self.acker.ack();
    }

    /// As [`Acker::ack_committed`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// delivery.ack_committed().await?;
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Acker::ack_committed`].
    pub async fn ack_committed(self) -> Result<(), MQClientError> {
        self.acker.ack_committed().await
    }

    /// The message comes again later; see [`ConsumeOutcome::Later`] for the level.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// delivery.retry_later(Some(3)); // In 10 s.
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_later(self, delay_level: Option<i32>) {
        self.acker.retry_later(delay_level);
    }

    /// As [`Acker::dead_letter`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// delivery.dead_letter("no such account").await?;
    /// assert_eq!(cluster.message_count("%DLQ%billing"), 1);
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Acker::dead_letter`].
    pub async fn dead_letter(self, reason: impl Into<String>) -> Result<(), MQClientError> {
        self.acker.dead_letter(reason).await
    }

    /// As [`Acker::extend`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// delivery.extend(std::time::Duration::from_secs(3600));
    /// // …
    /// delivery.ack();
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn extend(&self, time: Duration) {
        self.acker.extend(time);
    }

    /// The message, and the [`Acker`] that settles it. The body is not copied.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let producer = Producer::builder("docs").name_server_addr(&name_servers).start().await?;
    /// # producer.send(Message::new("Orders", "hello")).await?;
    /// # let option = |option: &mut rocketmq_client::conf::ConsumerOption| {
    /// #     option.set_consume_from_where(ConsumeFromWhere::First);
    /// # };
    /// # let builder = PushConsumer::builder("billing").name_server_addr(&name_servers).option(option);
    /// # let consumer = builder.subscribe("Orders", "*").build()?;
    /// # let mut messages = consumer.messages()?;
    /// # consumer.start().await?;
    /// let delivery = messages.next().await.ok_or("the stream has ended")??;
    /// let (message, acker) = delivery.split();
    /// println!("{:?}", message.body());
    /// acker.ack(); // Elsewhere, perhaps.
    /// # consumer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> (Arc<MessageExt>, Acker) {
        (Arc::new(self.acker.message().clone()), self.acker)
    }
}

impl Deref for Delivery {
    type Target = MessageExt;

    fn deref(&self) -> &MessageExt {
        self.acker.message()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Delivery").field(self.acker.message()).finish()
    }
}

impl Acker {
    /// The message is done. Its offset is committed with the next commit of its queue.
    pub fn ack(mut self) {
        self.settle(ConsumeOutcome::Success, None);
    }

    /// The message is done. Returns when the broker has its offset, so that the message does not come again after a crash. The
    /// offset waits until all earlier messages of the queue are settled; a commit that fails is repeated. A future that is
    /// dropped before its first poll leaves the message failed; dropped later, the message is done.
    ///
    /// # Errors
    /// `NotSettled` when the delivery was out of time, or when the queue went to another consumer, or the consumer ended,
    /// before the commit was known: the message may come again.
    pub async fn ack_committed(self) -> Result<(), MQClientError> {
        let (flight, offset) = (self.flight.clone(), self.flight.offset(self.index));
        if flight.owned.is_pop {
            let acked = flight.owned.lock().pop.as_mut().and_then(|book| book.watch(offset));
            let is_done = self.told(ConsumeOutcome::Success).await;
            let is_acked = match acked {
                Some(acked) if is_done => acked.await.unwrap_or(false),
                _ => false,
            };
            let late = "its acknowledgement may have come too late";
            return if is_acked { Ok(()) } else { Err(not_settled(&flight, offset, late)) };
        }
        let is_done = self.told(ConsumeOutcome::Success).await;
        if is_done && remote::wait_until_committed(&flight.member, &flight.owned, offset).await {
            return Ok(());
        }
        Err(not_settled(&flight, offset, "its offset may not be committed"))
    }

    /// The message comes again later; see [`ConsumeOutcome::Later`] for the level.
    pub fn retry_later(mut self, delay_level: Option<i32>) {
        self.settle(ConsumeOutcome::Later { delay_level }, None);
    }

    /// Stores the message in the group's dead letter topic, with the reason. Returns when a broker has it. A future that is
    /// dropped before its first poll leaves the message failed; dropped later, the message becomes a dead letter.
    ///
    /// # Errors
    /// `NotSettled` when no broker took the message, or the delivery was out of time. The consumer tries again, and the offset
    /// of the message stands meanwhile; the event `SendBackFailed` tells the cause.
    pub async fn dead_letter(self, reason: impl Into<String>) -> Result<(), MQClientError> {
        let (flight, offset) = (self.flight.clone(), self.flight.offset(self.index));
        if self.told(ConsumeOutcome::DeadLetter { reason: reason.into() }).await {
            return Ok(());
        }
        Err(not_settled(&flight, offset, "no broker has stored the dead letter yet"))
    }

    /// Asks for more time, counted from now. It never shortens the time, and changes nothing once the time is over.
    pub fn extend(&self, time: Duration) {
        self.flight.extend(self.index, Instant::now() + time.min(LONGEST));
    }

    fn message(&self) -> &MessageExt {
        self.flight.message(self.index)
    }

    /// Settles, and waits for the end. True: the message is finished.
    async fn told(mut self, outcome: ConsumeOutcome) -> bool {
        let (tell, told) = oneshot::channel();
        self.settle(outcome, Some(tell));
        told.await.unwrap_or(false)
    }

    fn settle(&mut self, outcome: ConsumeOutcome, tell: Option<oneshot::Sender<bool>>) {
        self.is_settled = true;
        self.flight.settle(self.index, Settlement::Told(outcome, tell));
    }
}

impl Drop for Acker {
    fn drop(&mut self) {
        if !self.is_settled {
            self.flight.settle(self.index, Settlement::Dropped);
        }
    }
}

impl fmt::Debug for Acker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acker").field(&self.flight.owned.shown).field(&self.message().queue_offset()).finish()
    }
}

fn not_settled(flight: &Flight, offset: i64, reason: &'static str) -> MQClientError {
    MQClientError::NotSettled {
        group: flight.member.events.group(),
        queue: Box::new(flight.owned.shown.clone()),
        offset,
        reason,
    }
}
