use std::borrow::Cow;

use rocketmq_common::MessageQueue;

use super::{AllocateError, AllocateMessageQueueStrategy};

/// Gives this member a fixed list of queues, whoever else is in the group. Java: `AllocateMessageQueueByConfig`, `CONFIG`.
///
/// The lists of all members together have to cover the topic: a queue on no list is read by nobody.
///
/// ```
/// use rocketmq_client::consumer::strategy::{AllocateMessageQueueByConfig, AllocateMessageQueueStrategy};
/// use rocketmq_client::model::MessageQueue;
///
/// let queues = [MessageQueue::new("Orders", "broker-a", 0), MessageQueue::new("Orders", "broker-a", 1)];
/// let strategy = AllocateMessageQueueByConfig::new([queues[1].clone()]);
/// let share = strategy.allocate("g", "a", &queues, &["a".to_owned()]).unwrap();
/// assert_eq!(share, queues[1..]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct AllocateMessageQueueByConfig {
    queues: Vec<MessageQueue>,
}

impl AllocateMessageQueueByConfig {
    /// The queues of this member, of all its topics.
    pub fn new(queues: impl IntoIterator<Item = MessageQueue>) -> Self {
        Self { queues: queues.into_iter().collect() }
    }
}

impl AllocateMessageQueueStrategy for AllocateMessageQueueByConfig {
    fn name(&self) -> Cow<'_, str> {
        "CONFIG".into()
    }

    fn allocate(
        &self,
        _group: &str,
        _me: &str,
        _queues: &[MessageQueue],
        _members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        Ok(self.queues.clone())
    }
}
