use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::PullConsumerHandle;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::offsets::remote;
use crate::consumer::position::Bounds;
use crate::error::{Failure, MQClientError};
use crate::model::MessageQueue;
use crate::waiting;

impl PullConsumerHandle {
    /// Goes on at an offset of an owned queue. What was fetched of the queue is dropped; the poll that runs, and every later
    /// poll, returns messages from the offset on. Nothing is committed at once: the next commit of the queue has the position.
    /// Dropping the future leaves the position where it was.
    ///
    /// # Errors
    /// `InvalidArgument` if the queue is not owned, or does not have the offset: the error names its first offset and its end.
    /// `NoMaster`, `Remoting` and `Broker` if the broker does not say what the queue has. The position stays then.
    pub async fn seek(&self, queue: &MessageQueue, offset: i64) -> Result<(), MQClientError> {
        self.seek_with(queue, |bounds| {
            if (bounds.min..=bounds.max).contains(&offset) {
                return Ok(offset);
            }
            Err(outside(queue, offset, bounds))
        })
        .await
    }

    /// Goes on at the first message that the queue has; see [`seek`](Self::seek).
    ///
    /// # Errors
    /// The errors of [`seek`](Self::seek).
    pub async fn seek_to_begin(&self, queue: &MessageQueue) -> Result<(), MQClientError> {
        self.seek_with(queue, |bounds| Ok(bounds.min)).await
    }

    /// Goes on behind the last message that the queue has; see [`seek`](Self::seek).
    ///
    /// # Errors
    /// The errors of [`seek`](Self::seek).
    pub async fn seek_to_end(&self, queue: &MessageQueue) -> Result<(), MQClientError> {
        self.seek_with(queue, |bounds| Ok(bounds.max)).await
    }

    /// Goes on at the first message that was stored at this time or later, else behind the last message; see
    /// [`seek`](Self::seek).
    ///
    /// # Errors
    /// The errors of [`seek`](Self::seek).
    pub async fn seek_to_time(&self, queue: &MessageQueue, time: SystemTime) -> Result<(), MQClientError> {
        self.owned(queue)?;
        let offset = self.offset_for_timestamp(queue, time).await?;
        self.seek_with(queue, |bounds| Ok(bounds.clamp(offset))).await
    }

    /// The offset of the first message of a queue that was stored at this time or later. Request code 29; Java:
    /// `offsetForTimestamp`. Dropping the future has no effect.
    ///
    /// # Errors
    /// `NoMaster`, `Remoting`, `Broker`; `NotStarted` and `ShutDown`.
    pub async fn offset_for_timestamp(
        &self,
        queue: &MessageQueue,
        time: SystemTime,
    ) -> Result<i64, MQClientError> {
        let member = &self.inner.running()?.member;
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        remote::offset_at(member, &self.inner.wrap_queue(queue), i64::try_from(time).unwrap_or(i64::MAX))
            .await
    }

    /// The offset that the group has committed for a queue, owned or not; `None` if it has committed none. Request code 14.
    /// Dropping the future has no effect.
    ///
    /// # Errors
    /// `NoMaster`, `Remoting`, `Broker`; `NotStarted` and `ShutDown`.
    pub async fn committed(&self, queue: &MessageQueue) -> Result<Option<i64>, MQClientError> {
        remote::committed(&self.inner.running()?.member, &self.inner.wrap_queue(queue)).await
    }

    /// The offset of the next message that a poll may return of an owned queue.
    ///
    /// # Errors
    /// `InvalidArgument` if the queue is not owned, or its position is still looked up; `NotStarted` and `ShutDown`.
    pub fn position(&self, queue: &MessageQueue) -> Result<i64, MQClientError> {
        let (_, owned) = self.owned(queue)?;
        let next = owned.lock().window.as_ref().map(|window| window.next_to_take());
        next.ok_or_else(|| {
            MQClientError::argument("queue", format!("the position of {queue} is still looked up"))
        })
    }

    /// Confirms all messages that polls have returned, and commits the positions of all owned queues. Returns when the brokers
    /// have taken them. Dropping the future leaves open which brokers have; what they have not is repeated.
    ///
    /// # Errors
    /// `FanOut` names each queue whose commit failed. Its commit is repeated in the next interval. `NotSettled` within: this consumer was
    /// cut off, and another member has committed the queue meanwhile, whose offset stands.
    pub async fn commit(&self) -> Result<(), MQClientError> {
        let member = &self.inner.running()?.member;
        self.polled.confirm(member);
        let owned = member.queues.all();
        let due = owned.iter().filter_map(|owned| {
            let lowest = owned.lock().window.as_ref()?.lowest_unfinished();
            let is_committed = member.commits().committed(&owned.queue) == Some(lowest);
            (!is_committed).then(|| (owned.clone(), lowest))
        });
        commit_all(member, due.collect(), true).await
    }

    /// Commits these offsets of owned queues, whatever polls have returned. An offset is that of the next message to read.
    /// Returns when the brokers have taken them.
    ///
    /// With `auto_commit`, a later commit of the consumer replaces them. Dropping the future leaves open which brokers have
    /// taken them.
    ///
    /// # Errors
    /// `InvalidArgument` if a queue is not owned or ends before the offset: nothing is committed then. `FanOut` names each queue
    /// whose commit failed. Its commit is repeated in the next interval.
    pub async fn commit_offsets(
        &self,
        offsets: impl IntoIterator<Item = (MessageQueue, i64)>,
    ) -> Result<(), MQClientError> {
        let mut checked = Vec::new();
        for (queue, offset) in offsets {
            let (member, owned) = self.owned(&queue)?;
            let bounds = remote::ends(member, &owned.queue).await?;
            if offset < 0 || offset > bounds.max {
                return Err(outside(&queue, offset, bounds));
            }
            checked.push((owned, offset));
        }
        let member = &self.inner.running()?.member;
        commit_all(member, checked, false).await
    }

    async fn seek_with(
        &self,
        queue: &MessageQueue,
        choose: impl FnOnce(Bounds) -> Result<i64, MQClientError>,
    ) -> Result<(), MQClientError> {
        let (member, owned) = self.owned(queue)?;
        let offset = choose(remote::ends(member, &owned.queue).await?)?;
        // The queue may have gone on in another ownership meanwhile, or to another member.
        while !member.seek_to(&self.owned(queue)?.1, offset) {}
        Ok(())
    }

    /// The ownership of a queue.
    fn owned(&self, queue: &MessageQueue) -> Result<(&Arc<Member>, Arc<OwnedQueue>), MQClientError> {
        let member = &self.inner.running()?.member;
        let owned = member.queues.get(&self.inner.wrap_queue(queue)).ok_or_else(|| {
            let reason = format!(
                "{queue} is not assigned to this consumer of group {}: assignment() names its queues",
                member.settings.plain_group
            );
            MQClientError::argument("queue", reason)
        })?;
        Ok((member, owned))
    }
}

/// With `unless_moved`, a queue that another member has committed meanwhile stays as it is.
async fn commit_all(
    member: &Member,
    offsets: Vec<(Arc<OwnedQueue>, i64)>,
    unless_moved: bool,
) -> Result<(), MQClientError> {
    let commits = offsets.iter().map(|(owned, offset)| async move {
        let done = match unless_moved {
            true => remote::commit_position(member, owned, *offset).await,
            false => remote::commit_exactly(member, owned, *offset).await,
        };
        let failed = done.err()?;
        Some(Failure::new(&owned.shown, failed))
    });
    let failures: Box<[Failure]> = waiting::all(commits).await.into_iter().flatten().collect();
    if failures.is_empty() { Ok(()) } else { Err(MQClientError::FanOut { asked: offsets.len(), failures }) }
}

fn outside(queue: &MessageQueue, offset: i64, Bounds { min, max }: Bounds) -> MQClientError {
    let reason = format!("offset {offset} is outside of {queue}, which has {min} to {max}");
    MQClientError::argument("offset", reason)
}
