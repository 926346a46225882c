use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Backend, BackendError, DeadQueue, Destination, Incoming, LogError, LogReader, Outgoing, Positions, Tag,
};
use crate::event::Envelope;

/// The name of the record that takes a dead letter away.
const REMOVED: &str = "rocketmq-event.removed";
const PLACE: &str = "place";
const OFFSET: &str = "offset";

/// The dead letters of a broker whose dead letters are a log. A log forgets nothing, so that a record behind a dead letter
/// says that it is gone: every reader then leaves out both.
pub(crate) struct DeadLog {
    backend: Arc<dyn Backend>,
    /// The log, as `Backend::log` names it.
    log: ByteString,
    destination: Destination,
    /// Reads ahead, and knows what is gone.
    survey: Survey,
    /// Hands out, up to the end that the log had when it was opened.
    reader: Box<dyn LogReader>,
    ends: Positions,
    out: HashMap<Tag, (ByteString, u64)>,
    last_tag: u64,
}

struct Survey {
    reader: Box<dyn LogReader>,
    letters: u64,
    gone: HashSet<(ByteString, u64)>,
}

impl Survey {
    /// Reads up to the end that the log has now, and returns it.
    async fn catch_up(&mut self) -> Result<Positions, LogError> {
        let ends = self.reader.ends().await?;
        while !self.reader.positions().have_reached(&ends) {
            let record = self.reader.next().await?;
            match removed_by(&record) {
                Some(place) => _ = self.gone.insert(place),
                None => self.letters += 1,
            }
        }
        Ok(ends)
    }
}

impl DeadLog {
    pub(crate) async fn open(
        backend: Arc<dyn Backend>,
        log: ByteString,
        stream: &str,
        group: &str,
    ) -> Result<Self, BackendError> {
        let destination = Destination::Dead { stream: stream.into(), group: group.into() };
        backend.ensure(&destination).await?;
        let open = || backend.log(&log, Positions::beginning());
        let (reader, ahead) = (open().await.map_err(plain)?, open().await.map_err(plain)?);
        let mut survey = Survey { reader: ahead, letters: 0, gone: HashSet::new() };
        let ends = survey.catch_up().await.map_err(plain)?;
        Ok(Self { backend, log, destination, survey, reader, ends, out: HashMap::new(), last_tag: 0 })
    }
}

#[async_trait]
impl DeadQueue for DeadLog {
    async fn count(&mut self) -> Result<u64, BackendError> {
        self.survey.catch_up().await.map_err(plain)?;
        Ok(self.survey.letters.saturating_sub(self.survey.gone.len() as u64))
    }

    async fn next(&mut self) -> Result<Option<Incoming>, BackendError> {
        while !self.reader.positions().have_reached(&self.ends) {
            let mut record = self.reader.next().await.map_err(plain)?;
            let place = (record.position.place.clone(), record.position.offset.unwrap_or_default());
            if removed_by(&record).is_some() || self.survey.gone.contains(&place) {
                continue;
            }
            self.last_tag += 1;
            record.tag = Tag(self.last_tag);
            self.out.insert(record.tag, place);
            return Ok(Some(record));
        }
        Ok(None)
    }

    async fn remove(&mut self, tag: Tag) -> Result<(), BackendError> {
        let Some((place, offset)) = self.out.get(&tag) else { return Ok(()) };
        let mut envelope = Envelope::new(REMOVED);
        envelope.headers.insert(PLACE, place.clone().into_bytes());
        envelope.headers.insert(OFFSET, offset.to_string());
        let body = Bytes::from_static(b"-");
        let marker = Outgoing { destination: self.destination.clone(), envelope, body };
        let stored = self.backend.publish(vec![marker]).await.pop();
        match stored {
            Some(Ok(_)) => {
                self.out.remove(&tag);
                Ok(())
            }
            Some(Err(error)) => {
                Err(BackendError::with_source("the removal of a dead letter is not noted", error))
            }
            None => Err(BackendError::new("the backend did not answer for the removal of a dead letter")),
        }
    }
}

/// The place of the dead letter that this record takes away.
fn removed_by(record: &Incoming) -> Option<(ByteString, u64)> {
    let envelope = &record.envelope;
    let headers = Some(&envelope.headers).filter(|_| envelope.name == REMOVED)?;
    Some((headers.text(PLACE)?.into(), headers.text(OFFSET)?.parse().ok()?))
}

fn plain(error: LogError) -> BackendError {
    match error {
        LogError::Backend(error) => error,
        error => BackendError::with_source("the dead letters cannot be read", error),
    }
}

impl fmt::Debug for DeadLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLog")
            .field("log", &self.log)
            .field("letters", &self.survey.letters)
            .finish_non_exhaustive()
    }
}
