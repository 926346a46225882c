use std::borrow::Cow;

use rocketmq_common::MessageQueue;

use super::{AllocateError, AllocateMessageQueueStrategy, place_of};

/// Gives each member a run of neighbouring queues; the first members get one queue more if the division leaves a rest. The
/// default. Java: `AllocateMessageQueueAveragely`, `AVG`.
///
/// ```
/// use rocketmq_client::consumer::strategy::{AllocateMessageQueueAveragely, AllocateMessageQueueStrategy};
/// use rocketmq_client::model::MessageQueue;
///
/// let queues: Vec<_> = (0..8).map(|id| MessageQueue::new("Orders", "broker-a", id)).collect();
/// let members = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
/// let share = AllocateMessageQueueAveragely.allocate("g", "c", &queues, &members).unwrap();
/// assert_eq!(share, queues[6..]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AllocateMessageQueueAveragely;

/// Deals the queues out in turn, like cards. Java: `AllocateMessageQueueAveragelyByCircle`, `AVG_BY_CIRCLE`.
///
/// ```
/// use rocketmq_client::consumer::strategy::{
///     AllocateMessageQueueAveragelyByCircle, AllocateMessageQueueStrategy,
/// };
/// use rocketmq_client::model::MessageQueue;
///
/// let queues: Vec<_> = (0..4).map(|id| MessageQueue::new("Orders", "broker-a", id)).collect();
/// let members = ["a".to_owned(), "b".to_owned()];
/// let share = AllocateMessageQueueAveragelyByCircle.allocate("g", "b", &queues, &members).unwrap();
/// assert_eq!(share, [queues[1].clone(), queues[3].clone()]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AllocateMessageQueueAveragelyByCircle;

impl AllocateMessageQueueStrategy for AllocateMessageQueueAveragely {
    fn name(&self) -> Cow<'_, str> {
        "AVG".into()
    }

    fn allocate(
        &self,
        _group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        let Some(place) = place_of(me, members) else { return Ok(Vec::new()) };
        let (share, rest) = (queues.len() / members.len(), queues.len() % members.len());
        let start = place * share + place.min(rest);
        let count = share + usize::from(place < rest);
        Ok(queues.iter().skip(start).take(count).cloned().collect())
    }
}

impl AllocateMessageQueueStrategy for AllocateMessageQueueAveragelyByCircle {
    fn name(&self) -> Cow<'_, str> {
        "AVG_BY_CIRCLE".into()
    }

    fn allocate(
        &self,
        _group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        let Some(place) = place_of(me, members) else { return Ok(Vec::new()) };
        Ok(queues.iter().skip(place).step_by(members.len()).cloned().collect())
    }
}
