use std::time::Duration;

use tokio::time::Instant;

use super::CancelToken;
use crate::model::MessageQueue;

/// The circumstances of a message, for its listener. Java: `ConsumeConcurrentlyContext`, `ConsumeOrderlyContext`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[doc(alias("ConsumeConcurrentlyContext", "ConsumeOrderlyContext"))]
pub struct ConsumeContext {
    /// The queue that the message came from. Of a message that comes again: a queue of the group's retry topic, while
    /// the message names its original topic.
    pub queue: MessageQueue,
    /// How often the message failed before; of a batch: its first message.
    pub reconsume_times: u32,
    /// How often it may fail before it goes to the dead letter topic. `None`: any number of times.
    pub max_reconsume_times: Option<u32>,
    /// Tells the handler to stop.
    pub cancelled: CancelToken,
    /// When the handler's time (`consume_timeout`) is over: the token is cancelled then.
    pub deadline: Instant,
}

impl ConsumeContext {
    /// A context for tests of a listener: no failure before, 16 allowed, 15 minutes.
    ///
    /// ```
    /// use rocketmq_client::consumer::ConsumeContext;
    /// use rocketmq_client::model::MessageQueue;
    ///
    /// let mut context = ConsumeContext::new(MessageQueue::new("Orders", "broker-a", 0));
    /// context.reconsume_times = 16;
    /// assert!(context.is_last_attempt());
    /// ```
    pub fn new(queue: MessageQueue) -> Self {
        Self {
            queue,
            reconsume_times: 0,
            max_reconsume_times: Some(16),
            cancelled: CancelToken::new(),
            deadline: Instant::now() + Duration::from_secs(15 * 60),
        }
    }

    /// Whether the message goes to the dead letter topic if it fails again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let mut context = ConsumeContext::new(MessageQueue::new("Orders", "broker-a", 0));
    /// (context.reconsume_times, context.max_reconsume_times) = (2, Some(3));
    /// assert!(!context.is_last_attempt());
    /// context.max_reconsume_times = None;
    /// assert!(!context.is_last_attempt(), "it may fail any number of times");
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_last_attempt(&self) -> bool {
        self.max_reconsume_times.is_some_and(|max| self.reconsume_times >= max)
    }
}
