use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use rocketmq_common::{MessageExt, MessageQueue};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::{Instant, sleep};

use super::position::outside;
use super::pull::{MOST, Wanted};
use super::{MQAdmin, PullStatus, QueuePosition};
use crate::consumer::MessageSelector;
use crate::error::MQClientError;

/// How long a broker may hold a pull at the end of the queue. Java: `brokerSuspendMaxTimeMillis`.
const HOLD: Duration = Duration::from_secs(15);

/// The pause after a failed request, and after a broker that answered at once with nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// A broker that has nothing holds the pull at least this long.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The messages of one queue, from one position to another. Made by [`MQAdmin::read_queue`].
///
/// An error is an item in its place, and the next item goes on behind it: `while let Some(Ok(message))` and `?` stop at the
/// first error, a loop over all items reads everything that is left.
///
/// | item | the next item |
/// |---|---|
/// | `MessagesDeleted`: the broker deleted messages before they were read | the first message that is left |
/// | `BadAnswer` with a [`RecordError`](crate::error::RecordError): a stored record cannot be read | the message behind it |
/// | `InvalidArgument`: the offset is outside the queue; `InvalidOption`, or `Broker` with code 23 or 1 to request 46: a filter that cannot be read; `NotStarted`, `ShutDown` | none, the stream ends |
/// | any other error: a request failed | its place once more, after a second |
#[must_use = "a stream does nothing until it is read"]
pub struct QueueStream {
    queue: MessageQueue,
    /// Items that were fetched and not yet returned.
    items: VecDeque<Item>,
    /// The request that runs or comes next. `None`: the stream has ended.
    fetching: Option<Pin<Box<dyn Future<Output = Fetched> + Send>>>,
}

type Item = Result<MessageExt, MQClientError>;

/// The outcome of a request, and how to go on; `None` at the end.
type Fetched = (Option<Reading>, VecDeque<Item>);

impl MQAdmin {
    /// Reads a queue from a position on, to the position `until`, which is not read; with `None` it waits for new messages and
    /// never ends. Both positions are looked up once, when the stream is first read: [`QueuePosition::End`] as `until` is the
    /// end of the queue at that moment. An offset as `until` may lie ahead: the stream waits until it is reached.
    ///
    /// For replays and tools: no group is involved, nothing is committed, and no position of any consumer moves. The queue
    /// is read from its master, or from a slave without a master, by requests 105, 30, 31, 29 and 11. Java:
    /// `DefaultMQPullConsumer.pullBlockIfNotFound`; `mqadmin consumeMessage`, `printMsgByQueue`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let mut count = 0;
    /// for queue in admin.message_queues("TopicTest").await? {
    ///     let mut messages = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
    ///     while let Some(message) = messages.next().await {
    ///         println!("{:?}", message?.body());
    ///         count += 1;
    ///     }
    /// }
    /// assert_eq!(count, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn read_queue(
        &self,
        queue: &MessageQueue,
        from: QueuePosition,
        until: Option<QueuePosition>,
    ) -> QueueStream {
        self.read_queue_matching(queue, "*", from, until)
    }

    /// Reads the messages of a queue that match an expression of tags or of SQL92; see [`read_queue`](Self::read_queue).
    pub fn read_queue_matching(
        &self,
        queue: &MessageQueue,
        selector: impl Into<MessageSelector>,
        from: QueuePosition,
        until: Option<QueuePosition>,
    ) -> QueueStream {
        let reading = Reading {
            admin: self.clone(),
            queue: queue.clone(),
            selector: selector.into(),
            from,
            until,
            address: None,
            place: None,
            failed: false,
        };
        QueueStream {
            queue: queue.clone(),
            items: VecDeque::new(),
            fetching: Some(Box::pin(reading.fetch())),
        }
    }
}

impl QueueStream {
    /// The next message, or an error in its place; `None` at the end. Dropping the future loses nothing: the next call goes on
    /// where it was.
    pub async fn next(&mut self) -> Option<Result<MessageExt, MQClientError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The queue that is read.
    pub fn queue(&self) -> &MessageQueue {
        &self.queue
    }
}

impl Stream for QueueStream {
    type Item = Result<MessageExt, MQClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Poll::Ready(Some(item));
            }
            let Some(fetching) = &mut self.fetching else { return Poll::Ready(None) };
            let (reading, items) = ready!(fetching.as_mut().poll(cx));
            self.items = items;
            self.fetching = reading.map(|reading| Box::pin(reading.fetch()) as _);
        }
    }
}

impl fmt::Debug for QueueStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.fetching.is_none();
        f.debug_struct("QueueStream")
            .field("queue", &self.queue)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

/// How far a queue is read.
struct Reading {
    admin: MQAdmin,
    queue: MessageQueue,
    selector: MessageSelector,
    from: QueuePosition,
    until: Option<QueuePosition>,
    /// The server that answered last.
    address: Option<Arc<str>>,
    /// The next offset, and the offset that is not read any more.
    place: Option<(i64, Option<i64>)>,
    /// Whether the last request failed.
    failed: bool,
}

impl Reading {
    async fn fetch(mut self) -> Fetched {
        if self.failed {
            sleep(PAUSE).await;
        }
        match self.try_fetch().await {
            Ok(items) => {
                self.failed = false;
                (items.is_some().then_some(self), items.unwrap_or_default())
            }
            Err(error) => {
                // Another server may serve the queue by now.
                (self.address, self.failed) = (None, true);
                let ends = matches!(
                    error,
                    MQClientError::InvalidArgument { .. }
                        | MQClientError::InvalidOption { .. }
                        | MQClientError::NotStarted { .. }
                        | MQClientError::ShutDown { .. }
                );
                let ends = ends || refuses_filter(&error);
                ((!ends).then_some(self), [Err(error)].into())
            }
        }
    }

    /// The items of one request; `None` at the end.
    async fn try_fetch(&mut self) -> Result<Option<VecDeque<Item>>, MQClientError> {
        let wanted = Wanted::new(&self.queue, &self.selector, HOLD)?;
        let address = match &self.address {
            Some(address) => address.clone(),
            None => self.admin.read_address(&self.queue).await?,
        };
        let (next, end) = match self.place {
            Some(place) => place,
            None => {
                self.admin.check_filter(&address, &wanted).await?;
                self.find(&address).await?
            }
        };
        self.address = Some(address.clone());
        self.place = Some((next, end));
        if end.is_some_and(|end| next >= end) {
            return Ok(None);
        }
        let asked = Instant::now();
        let pulled = self.admin.pull_from(&address, &wanted, next, MOST).await?;
        if pulled.status == PullStatus::OffsetIllegal {
            let (min, max) = (pulled.min_offset, pulled.max_offset);
            if next >= min {
                return Err(outside(&self.queue, next, min, max));
            }
            let to = end.map_or(min, |end| end.min(min));
            self.place = Some((to, end));
            let queue = Box::new(self.queue.clone());
            return Ok(Some([Err(MQClientError::MessagesDeleted { queue, from: next, to })].into()));
        }
        if pulled.messages.is_empty() && pulled.next_begin_offset <= next && asked.elapsed() < AT_ONCE {
            // A slave that is behind its master, or a broker that holds no pulls.
            sleep(PAUSE).await;
        }
        self.place = Some((pulled.next_begin_offset.max(next), end));
        let is_read = |offset: i64| offset >= next && end.is_none_or(|end| offset < end);
        let items = pulled.messages.into_iter().filter_map(|record| match record {
            Ok(message) => is_read(message.queue_offset()).then_some(Ok(message)),
            Err(error) => Some(Err(MQClientError::bad_answer(address.clone(), error).of_queue(&self.queue))),
        });
        Ok(Some(items.collect()))
    }

    /// The offsets of both positions.
    async fn find(&self, address: &str) -> Result<(i64, Option<i64>), MQClientError> {
        let api = self.admin.asking()?;
        let mut from = self.from.find(api, address, &self.queue).await?;
        // An offset before the first message is no mistake: the messages between are told as deleted.
        if from.offset >= from.min || from.offset < 0 {
            from = from.check(&self.queue)?;
        }
        let until = match self.until {
            Some(QueuePosition::End) => Some(from.max),
            Some(until) => Some(until.find(api, address, &self.queue).await?.offset),
            None => None,
        };
        Ok((from.offset, until))
    }
}

/// Whether a broker cannot read an SQL expression, or filters by tags only.
fn refuses_filter(error: &MQClientError) -> bool {
    let codes = [ResponseCode::SUBSCRIPTION_PARSE_FAILED, ResponseCode::SYSTEM_ERROR];
    error.context().and_then(|context| context.operation()) == RequestCode::CHECK_CLIENT_CONFIG.name()
        && error.response_code().is_some_and(|code| codes.contains(&code))
}
