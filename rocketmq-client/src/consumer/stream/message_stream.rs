use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Sleep, timeout};

use super::{Delivery, Feed};
use crate::error::MQClientError;

/// The messages of a push consumer, one after the other or in batches; see [`PushConsumer::messages`].
///
/// The reader may hold as many deliveries as the flow control lets it: a queue brings no more messages while
/// `pull_threshold_for_queue` of its messages, or `cache_limit` bytes of the consumer's, are not settled. Deliveries that
/// succeed are finished at once; `consume_concurrency` bounds how many failed deliveries are given back to brokers at a
/// time. The stream ends with `None` when the consumer is shut down. When the consumer ends by itself, because it cannot heal
/// (see [`PushConsumer::wait`]), or is dropped, an error says so before the end.
///
/// Messages that the reader has not taken stay with the consumer: they move with their queue, and nothing waits for them. Once the
/// stream is dropped, nothing is handed out any more; deliveries that were taken can still be settled. The event
/// [`NobodyReads`] tells of a stream that was dropped or is not polled.
///
/// [`PushConsumer::messages`]: crate::consumer::PushConsumer::messages
/// [`PushConsumer::wait`]: crate::consumer::PushConsumer::wait
/// [`NobodyReads`]: crate::consumer::ConsumerEvent::NobodyReads
#[derive(Debug)]
#[must_use = "messages wait until the stream is read"]
pub struct MessageStream {
    feed: Arc<Feed>,
    /// Waits until the rate lets a message go.
    pause: Option<Pin<Box<Sleep>>>,
}

impl MessageStream {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self { feed, pause: None }
    }

    /// Waits for the next message. Nothing is lost when the future is dropped. `None`: the stream has ended.
    ///
    /// ```
    /// # use rocketmq_client::consumer::MessageStream;
    /// # use rocketmq_client::error::MQClientError;
    /// async fn print(mut messages: MessageStream) -> Result<(), MQClientError> {
    ///     while let Some(delivery) = messages.next().await {
    ///         let delivery = delivery?;
    ///         println!("{:?}", delivery.body());
    ///         delivery.ack();
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn next(&mut self) -> Option<Result<Delivery, MQClientError>> {
        poll_fn(|cx| self.poll_one(cx)).await
    }

    /// Waits until `max` messages are there, or as many as a limit of the flow control allows, but no longer than `wait`. Then
    /// it returns what is there, perhaps nothing. Nothing is lost when the future is dropped. `None`: the stream has ended.
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
    /// let batch = messages.next_batch(100, std::time::Duration::from_millis(50)).await;
    /// for delivery in batch.ok_or("the stream has ended")?? {
    ///     println!("{:?}", delivery.body());
    ///     delivery.ack();
    /// }
    /// # assert!(consumer.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_batch(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Option<Result<Vec<Delivery>, MQClientError>> {
        let (feed, pause, mut taken) = (&self.feed, &mut self.pause, Vec::new());
        let mut take = |delivery| {
            // Mostly as many come as one answer has.
            if taken.capacity() == 0 {
                taken.reserve(max.min(32));
            }
            taken.push(delivery);
        };
        match timeout(wait, poll_fn(|cx| feed.poll_take(cx, pause, (max, max), &mut take))).await {
            Ok(ended) => ended.map(|ended| ended.map(|()| taken)),
            Err(_) => Some(Ok(self.feed.take_now(max))),
        }
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery, MQClientError>>> {
        let mut taken = None;
        let ended =
            ready!(self.feed.poll_take(cx, &mut self.pause, (1, 1), &mut |delivery| taken = Some(delivery)));
        Poll::Ready(ended.and_then(|ended| ended.map(|()| taken).transpose()))
    }
}

impl Stream for MessageStream {
    type Item = Result<Delivery, MQClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}
