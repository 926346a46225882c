use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::header::BoundaryType;

use crate::error::MQClientError;
use crate::mq_client_api::Asking;

/// A place in a queue, for [`MQAdmin::read_queue`](super::MQAdmin::read_queue) and for the reset of a group.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use rocketmq_client::{admin::*, model::*, producer::Producer};
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// # let sent = producer.send(Message::new("TopicTest", "hello")).await?;
/// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
/// let today = 1_790_000_000_000;
/// for from in [QueuePosition::Begin, QueuePosition::Time(today), QueuePosition::Offset(0)] {
///     let _messages = admin.read_queue(&sent.message_queue, from, Some(QueuePosition::End));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueuePosition {
    /// The first message that the queue still has.
    Begin,
    /// Behind the last message that the queue has now.
    End,
    /// The first message that was stored at this time or later, in milliseconds since 1970; else the end.
    Time(i64),
    /// This offset.
    Offset(i64),
}

/// A position as an offset, and the range of the queue: `min` is its first offset, `max` its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    pub(super) min: i64,
    pub(super) max: i64,
}

impl QueuePosition {
    /// Looks the position up at one server. An offset that the caller named is not checked.
    pub(super) async fn find(
        self,
        api: Asking<'_>,
        address: &str,
        queue: &MessageQueue,
    ) -> Result<Found, MQClientError> {
        let bounds =
            async { tokio::try_join!(api.min_offset(address, queue), api.max_offset(address, queue)) };
        let (min, max) = bounds.await.map_err(|error| error.of_queue(queue))?;
        // Brokers answer −1 for a queue whose files are not there yet.
        let min = min.max(0);
        let max = max.max(min);
        let offset = match self {
            Self::Begin => min,
            Self::End => max,
            Self::Offset(offset) => offset,
            Self::Time(time) => {
                let found = api.search_offset(address, queue, time.max(0), BoundaryType::Lower).await;
                found.map_err(|error| error.of_queue(queue))?.clamp(min, max)
            }
        };
        Ok(Found { offset, min, max })
    }
}

impl Found {
    /// The error of an offset that the queue does not have.
    pub(super) fn check(self, queue: &MessageQueue) -> Result<Self, MQClientError> {
        let Self { offset, min, max } = self;
        if (min..=max).contains(&offset) { Ok(self) } else { Err(outside(queue, offset, min, max)) }
    }
}

pub(super) fn outside(queue: &MessageQueue, offset: i64, min: i64, max: i64) -> MQClientError {
    super::invalid("offset", format!("offset {offset} is outside of {queue}, which has {min} to {max}"))
}
