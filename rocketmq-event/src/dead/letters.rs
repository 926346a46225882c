use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use futures_core::Stream;

use super::DeadLetter;
use crate::backend::{Backend, BackendError, DeadQueue, Destination, Outgoing};
use crate::error::PublishError;

/// The dead letters of a group: [`Bus::dead_letters`](crate::Bus::dead_letters).
#[derive(Debug, Clone)]
pub struct DeadLetters {
    backend: Arc<dyn Backend>,
    stream: ByteString,
    group: ByteString,
}

/// The result of [`DeadLetters::replay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// Dead letters that were put back to their group.
    pub replayed: usize,
    /// Dead letters that were looked at and left where they are.
    pub left: usize,
}

impl DeadLetters {
    pub(crate) fn new(backend: Arc<dyn Backend>, stream: ByteString, group: ByteString) -> Self {
        Self { backend, stream, group }
    }

    /// The number of dead letters.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn count(&self) -> Result<u64, BackendError> {
        self.open().await?.count().await
    }

    /// The dead letters that are there now, from the oldest on. Reading takes nothing away. The stream ends after an error.
    pub fn read(&self) -> impl Stream<Item = Result<DeadLetter, BackendError>> + Send + use<> {
        let start = Reading::Closed(self.clone());
        futures_util::stream::unfold(start, |reading| async move {
            let (mut queue, group) = match reading {
                Reading::Closed(letters) => match letters.open().await {
                    Ok(queue) => (queue, letters.group),
                    Err(error) => return Some((Err(error), Reading::Over)),
                },
                Reading::Open(queue, group) => (queue, group),
                Reading::Over => return None,
            };
            match queue.next().await {
                Ok(Some(incoming)) => {
                    let letter = DeadLetter::of(incoming, &group);
                    Some((Ok(letter), Reading::Open(queue, group)))
                }
                Ok(None) => None,
                Err(error) => Some((Err(error), Reading::Over)),
            }
        })
    }

    /// Puts up to `limit` dead letters back that `which` chooses, to this group alone: other groups of the stream never see them. Their
    /// attempts are counted anew; [`DeadLetter::replays`] counts how often they were put back, so that `which` can leave out
    /// letters that failed again. Dead letters that come meanwhile are not looked at.
    ///
    /// A letter is taken away after the group has its event. When the future is dropped, or the process ends, between the two, the event
    /// can be put back a second time.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached. Letters that were put back until then stay put back.
    pub async fn replay(
        &self,
        mut which: impl FnMut(&DeadLetter) -> bool,
        limit: usize,
    ) -> Result<Replayed, BackendError> {
        let mut queue = self.open().await?;
        let mut done = Replayed::default();
        while done.replayed < limit {
            let Some(incoming) = queue.next().await? else { break };
            let letter = DeadLetter::of(incoming, &self.group);
            if !which(&letter) {
                done.left += 1;
                continue;
            }
            self.put_back(&letter).await?;
            queue.remove(letter.tag).await?;
            done.replayed += 1;
        }
        Ok(done)
    }

    async fn put_back(&self, letter: &DeadLetter) -> Result<(), BackendError> {
        let destination = Destination::Group {
            stream: self.stream.clone(),
            group: self.group.clone(),
            delay: Duration::ZERO,
        };
        let mut envelope = letter.envelope.clone();
        envelope.failure = Some(Box::new(letter.record()));
        let copy = Outgoing { destination, envelope, body: letter.body.clone() };
        let stored = self.backend.publish(vec![copy]).await.pop();
        let not_stored = |error: PublishError| {
            BackendError::with_source(
                format!("the dead letter {} is not put back", letter.envelope.id),
                error,
            )
        };
        let nothing = || BackendError::new("the backend did not answer for a dead letter");
        stored.ok_or_else(nothing)?.map_err(not_stored)?;
        Ok(())
    }

    async fn open(&self) -> Result<Box<dyn DeadQueue>, BackendError> {
        self.backend.dead(&self.stream, &self.group).await
    }
}

/// Where [`DeadLetters::read`] is.
enum Reading {
    Closed(DeadLetters),
    Open(Box<dyn DeadQueue>, ByteString),
    Over,
}
