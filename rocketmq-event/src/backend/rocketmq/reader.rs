use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use rocketmq_client::admin::{MQAdmin, PullStatus};
use rocketmq_client::model::MessageQueue;
use tokio_util::sync::CancellationToken;

use super::failures::failed;
use super::mapping;
use crate::backend::{BackendError, Incoming, LogError, LogReader, Positions, Tag};
use crate::event::Position;

/// Brokers return no more at a time.
const BATCH: u32 = 32;
/// The pause after a look at all queues that found no message: the first pause is short, each further pause is twice as long, up to the
/// last.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// Reads all queues of a topic, without a group.
#[derive(Debug)]
pub(super) struct TopicReader {
    admin: MQAdmin,
    topic: ByteString,
    queues: Vec<Queue>,
    /// The queue to ask next.
    turn: usize,
    /// The only queue that is read.
    only: Option<usize>,
    /// How many messages the next pull asks for.
    batch: u32,
    /// The messages of one queue that were read and not returned yet.
    read: VecDeque<Incoming>,
}

#[derive(Debug)]
struct Queue {
    queue: MessageQueue,
    place: ByteString,
    /// The offset behind what `next` returned.
    at: u64,
    /// The offset to ask for next.
    ahead: u64,
}

impl TopicReader {
    pub(super) async fn open(admin: MQAdmin, topic: &str, from: Positions) -> Result<Self, LogError> {
        let what = || format!("the queues of {topic} are not known");
        let firsts = admin.min_offsets(topic).await.map_err(failed(what()))?;
        let firsts = firsts.into_complete().map_err(failed(what()))?;
        let mut queues = Vec::with_capacity(firsts.len());
        for (queue, first) in firsts {
            let first = u64::try_from(first).unwrap_or_default();
            let place = ByteString::from(format!("{}/{}", queue.broker_name(), queue.queue_id()));
            let at = from.0.get(&place).copied().unwrap_or(first);
            if at < first {
                return Err(LogError::Truncated { asked: position(topic, &place, at), first });
            }
            queues.push(Queue { queue, place, at, ahead: at });
        }
        Ok(Self {
            admin,
            topic: topic.into(),
            queues,
            turn: 0,
            only: None,
            batch: BATCH,
            read: VecDeque::new(),
        })
    }

    /// Asks the queue whose turn it is. True: it had something.
    async fn pull(&mut self) -> Result<bool, LogError> {
        let turn = self.only.unwrap_or(self.turn % self.queues.len());
        let what = || format!("{} cannot be read", self.topic);
        let Queue { queue, place, ahead, .. } = &self.queues[turn];
        let offset = i64::try_from(*ahead).unwrap_or(i64::MAX);
        let pulled = self.admin.pull(queue, offset, self.batch).await.map_err(failed(what()))?;
        let next = u64::try_from(pulled.next_begin_offset).unwrap_or_default();
        if pulled.status == PullStatus::OffsetIllegal && next > *ahead {
            return Err(LogError::Truncated { asked: position(&self.topic, place, *ahead), first: next });
        }
        let mut read = VecDeque::with_capacity(pulled.messages.len());
        for record in pulled.messages {
            let message = record.map_err(|error| BackendError::with_source(what(), error))?;
            let (envelope, body) = mapping::envelope(&message);
            let position = mapping::position(&self.topic, &message);
            let tag = Tag(position.offset.unwrap_or_default());
            let revoked = CancellationToken::new();
            read.push_back(Incoming { tag, envelope, body, position, redeliveries: 0, revoked });
        }
        self.turn = turn + 1;
        self.batch = (self.batch * 2).min(BATCH);
        let had_something = !read.is_empty();
        if had_something {
            let queue = &mut self.queues[turn];
            queue.ahead = queue.ahead.max(next);
            self.read = read;
        }
        Ok(had_something)
    }
}

#[async_trait]
impl LogReader for TopicReader {
    async fn next(&mut self) -> Result<Incoming, LogError> {
        let (mut idle, mut pause) = (0, FIRST_PAUSE);
        loop {
            if let Some(incoming) = self.read.pop_front() {
                let offset = incoming.position.offset.unwrap_or_default();
                if let Some(queue) =
                    self.queues.iter_mut().find(|queue| queue.place == incoming.position.place)
                {
                    queue.at = offset + 1;
                }
                return Ok(incoming);
            }
            if self.queues.is_empty() || self.only.is_some() && idle > 0 || idle == self.queues.len() {
                idle = 0;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            if !self.queues.is_empty() {
                idle = if self.pull().await? { 0 } else { idle + 1 };
            }
        }
    }

    fn positions(&self) -> Positions {
        Positions(self.queues.iter().map(|queue| (queue.place.clone(), queue.at)).collect())
    }

    async fn seek(&mut self, place: &str, offset: u64) -> Result<(), LogError> {
        let missing = || BackendError::new(format!("{} has no queue {place}", self.topic));
        let number = self.queues.iter().position(|queue| queue.place == place).ok_or_else(missing)?;
        self.only = Some(number);
        let is_read = |incoming: &Incoming| {
            incoming.position.place == place && incoming.position.offset <= Some(offset)
        };
        if self.read.front().is_some_and(is_read) && self.queues[number].ahead > offset {
            while self.read.front().is_some_and(|incoming| incoming.position.offset < Some(offset)) {
                self.read.pop_front();
            }
        } else {
            self.read.clear();
            let queue = &mut self.queues[number];
            if !(queue.ahead..queue.ahead + u64::from(BATCH)).contains(&offset) {
                // A caller that jumps wants single messages. Batches grow again while it reads on.
                self.batch = 1;
            }
            queue.ahead = offset;
        }
        self.queues[number].at = offset;
        Ok(())
    }

    fn prefer(&mut self, place: &str) {
        if let Some(number) = self.queues.iter().position(|queue| queue.place == place) {
            self.turn = number;
        }
    }

    async fn ends(&self) -> Result<Positions, LogError> {
        let what = || format!("the ends of {} are not known", self.topic);
        let ends = self.admin.max_offsets(&self.topic).await.map_err(failed(what()))?;
        let ends = ends.into_complete().map_err(failed(what()))?;
        let end = |(queue, end): (MessageQueue, i64)| {
            let place = ByteString::from(format!("{}/{}", queue.broker_name(), queue.queue_id()));
            (place, u64::try_from(end).unwrap_or_default())
        };
        Ok(Positions(ends.into_iter().map(end).collect()))
    }
}

fn position(topic: &str, place: &ByteString, offset: u64) -> Position {
    Position { stream: topic.into(), place: place.clone(), offset: Some(offset) }
}
