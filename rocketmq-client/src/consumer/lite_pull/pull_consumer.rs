use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{PullConsumerBuilder, PullConsumerHandle};
use crate::conf::ConsumerOption;
use crate::consumer::inner::{ConsumerDraft, MQConsumerInner};
use crate::error::MQClientError;
use crate::model::MessageExt;

/// Receives the messages of a group when it asks for them. Java: `DefaultLitePullConsumer`.
///
/// Its queues come from [`subscribe`](PullConsumerHandle::subscribe), which shares them with the other members of the group, or
/// from [`assign`](PullConsumerHandle::assign), which names them. Messages are fetched ahead, within the limits of the options.
///
/// A message that [`poll`](Self::poll) returned counts as processed when the next `poll` begins, or with
/// [`commit`](PullConsumerHandle::commit). Processed messages are committed every `persist_offset_interval`, unless the option
/// `auto_commit` is false. A message that was fetched or polled but not processed comes again after a crash.
///
/// A consumer has one poller. Every other method is on its [`handle`](Self::handle) too, which other tasks may hold. Dropping the
/// consumer ends it: if handles are left, as a [`shutdown`](PullConsumerHandle::shutdown) does, and they answer `ShutDown`.
///
/// ```
/// use std::time::Duration;
/// use rocketmq_client::conf::ConsumerOption;
/// use rocketmq_client::consumer::PullConsumer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # cluster.create_topic("TopicTest", 4)?;
/// # let name_servers = cluster.name_server_addr();
/// let mut option = ConsumerOption::default();
/// option.set_name_server_addr(name_servers).set_group_name("billing");
/// let mut consumer = PullConsumer::new(option);
/// consumer.subscribe("TopicTest", "*").await?;
/// consumer.start().await?;
/// # let mut rounds = 0;
/// loop {
///     for message in consumer.poll(Duration::from_millis(100)).await? {
///         println!("{:?}", message.body());
///     }
///     # rounds += 1;
///     # if rounds == 2 { break }
/// }
/// consumer.commit().await?;
/// assert!(consumer.shutdown().await?.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PullConsumer {
    handle: PullConsumerHandle,
}

impl PullConsumer {
    /// A consumer with these options, which `start` checks.
    pub fn new(option: ConsumerOption) -> Self {
        Self { handle: PullConsumerHandle::new(MQConsumerInner::new(option)) }
    }

    pub(super) fn of(handle: PullConsumerHandle) -> Self {
        Self { handle }
    }

    /// A consumer of this group in the making.
    pub fn builder(group: impl Into<String>) -> PullConsumerBuilder {
        PullConsumerBuilder::new(ConsumerDraft::new(group.into()))
    }

    /// A handle for other tasks of the program: it does everything but poll.
    pub fn handle(&self) -> PullConsumerHandle {
        self.handle.clone()
    }

    /// Confirms the messages of the last poll, then waits for messages. Returns up to `pull_batch_size` messages, and none when
    /// `timeout` is over first. The messages of one queue come in order.
    ///
    /// Dropping the future takes no message. The messages of the last poll are confirmed even then.
    ///
    /// # Errors
    /// `NotStarted`, `ShutDown`; when the consumer has ended by itself, the reason: `Broker` with code 16 or 26. See
    /// [`PushConsumer::wait`](crate::consumer::PushConsumer::wait).
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<MessageExt>, MQClientError> {
        let Self { handle } = self;
        let running = handle.inner.running_or_reason()?;
        let member = &running.member;
        member.polls_begun.fetch_add(1, Ordering::Relaxed);
        handle.polled.confirm(member);
        let max = usize::try_from(member.settings.pull_batch_size).unwrap_or(1);
        let now = Instant::now();
        // A time-out that no clock can count is none.
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(1 << 30));
        let mut ended = running.report.subscribe();
        loop {
            handle.inner.running_or_reason()?;
            let messages = handle.polled.take(member, max);
            if !messages.is_empty() {
                return Ok(messages);
            }
            let waiting = async {
                tokio::select! {
                    () = member.ready.filled() => {}
                    _ = ended.changed() => {}
                }
            };
            if timeout_at(deadline, waiting).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

/// Handles that are left keep the consumer alive. Without this it would stay in its group, and its queues would not be read.
impl Drop for PullConsumer {
    fn drop(&mut self) {
        if Arc::strong_count(&self.handle.polled) > 1 {
            self.handle.inner.end_unpolled();
        }
    }
}

impl Deref for PullConsumer {
    type Target = PullConsumerHandle;

    fn deref(&self) -> &PullConsumerHandle {
        &self.handle
    }
}
