use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytestring::ByteString;
use tokio_util::sync::CancellationToken;

use super::broker::Shared;
use super::state::{Message, PLACE};
use crate::backend::{BackendError, DeadQueue, Incoming, LogError, LogReader, Positions, Tag};

/// The dead letters that a group had when the reader was opened.
#[derive(Debug)]
pub(super) struct Dead {
    broker: Arc<Shared>,
    stream: ByteString,
    group: ByteString,
    left: VecDeque<(u64, Arc<Message>)>,
}

impl Dead {
    pub(super) fn open(broker: Arc<Shared>, stream: &str, group: &str) -> Self {
        let mut dead = Self { broker, stream: stream.into(), group: group.into(), left: VecDeque::new() };
        dead.left =
            dead.with(|dead| dead.iter().map(|(number, message)| (*number, message.clone())).collect());
        dead
    }

    fn with<T: Default>(&self, look: impl FnOnce(&mut BTreeMap<u64, Arc<Message>>) -> T) -> T {
        let mut state = self.broker.state();
        let group = state.streams.get_mut(&self.stream).and_then(|stream| stream.groups.get_mut(&self.group));
        group.map(|group| look(&mut group.dead)).unwrap_or_default()
    }
}

#[async_trait]
impl DeadQueue for Dead {
    async fn count(&mut self) -> Result<u64, BackendError> {
        Ok(self.with(|dead| dead.len() as u64))
    }

    async fn next(&mut self) -> Result<Option<Incoming>, BackendError> {
        Ok(self.left.pop_front().map(|(number, message)| incoming(Tag(number), &message)))
    }

    async fn remove(&mut self, tag: Tag) -> Result<(), BackendError> {
        self.with(|dead| _ = dead.remove(&tag.0));
        Ok(())
    }
}

/// The log of a stream.
#[derive(Debug)]
pub(super) struct Log {
    broker: Arc<Shared>,
    stream: ByteString,
    at: u64,
}

impl Log {
    pub(super) fn open(broker: Arc<Shared>, stream: &str, from: &Positions) -> Self {
        Self { broker, stream: stream.into(), at: from.0.get(PLACE).copied().unwrap_or(0) }
    }

    fn positions_at(at: u64) -> Positions {
        Positions([(ByteString::from_static(PLACE), at)].into())
    }

    fn read(&self) -> Option<Arc<Message>> {
        let state = self.broker.state();
        let at = usize::try_from(self.at).ok()?;
        state.streams.get(&self.stream)?.log.get(at).cloned()
    }
}

#[async_trait]
impl LogReader for Log {
    async fn next(&mut self) -> Result<Incoming, LogError> {
        loop {
            let mut changed = pin!(self.broker.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(message) = self.read() {
                self.at += 1;
                return Ok(incoming(Tag(self.at - 1), &message));
            }
            changed.await;
        }
    }

    fn positions(&self) -> Positions {
        Self::positions_at(self.at)
    }

    async fn seek(&mut self, _: &str, offset: u64) -> Result<(), LogError> {
        self.at = offset;
        Ok(())
    }

    async fn ends(&self) -> Result<Positions, LogError> {
        let state = self.broker.state();
        Ok(Self::positions_at(state.streams.get(&self.stream).map_or(0, |stream| stream.log.len() as u64)))
    }
}

fn incoming(tag: Tag, message: &Message) -> Incoming {
    Incoming {
        tag,
        envelope: message.envelope.clone(),
        body: message.body.clone(),
        position: message.position.clone(),
        redeliveries: 0,
        revoked: CancellationToken::new(),
    }
}
