use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::timeout;

use super::{Delivery, Feed, Flight};
use crate::error::MQClientError;

/// The messages of a push consumer, one after the other or in batches; see [`PushConsumer::messages`].
///
/// The reader has up to `consume_concurrency` deliveries at a time; more come when it settles some. The stream ends with
/// `None` when the consumer is shut down. When the consumer is dropped instead, an error says so before the end.
///
/// Messages that wait in a stream when it is dropped stay uncommitted, and nothing is handed out any more.
///
/// [`PushConsumer::messages`]: crate::consumer::PushConsumer::messages
#[derive(Debug)]
#[must_use = "messages wait until the stream is read"]
pub struct MessageStream {
    feed: Arc<Feed>,
}

impl MessageStream {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self { feed }
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

    /// Waits until `max` messages are there, or as many as the limit of deliveries allows, but no longer than `wait`. Then it
    /// returns what is there, perhaps nothing. Nothing is lost when the future is dropped. `None`: the stream has ended.
    pub async fn next_batch(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Option<Result<Vec<Delivery>, MQClientError>> {
        let enough = poll_fn(|cx| self.feed.poll_take(cx, max, max));
        let taken = match timeout(wait, enough).await {
            Ok(taken) => taken?,
            Err(_) => Ok(self.feed.take_now(max)),
        };
        Some(taken.map(|flights| flights.into_iter().map(Delivery::new).collect()))
    }

    fn poll_one(&self, cx: &Context<'_>) -> Poll<Option<Result<Delivery, MQClientError>>> {
        let taken = ready!(self.feed.poll_take(cx, 1, 1));
        let one = |flights: Vec<Arc<Flight>>| flights.into_iter().next().map(Delivery::new);
        Poll::Ready(taken.and_then(|taken| taken.map(one).transpose()))
    }
}

impl Stream for MessageStream {
    type Item = Result<Delivery, MQClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}

impl Drop for MessageStream {
    fn drop(&mut self) {
        self.feed.leave();
    }
}
