use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;
use tokio::sync::{Mutex, OnceCell};

use super::StoreError;
use super::tail::{Fold, Readers, Tail, fetch};
use crate::backend::{Backend, Destination, Incoming, Outgoing, Positions};
use crate::error::SharedError;
use crate::event::{Envelope, Position};

/// The state of an aggregate at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of the aggregate.
    pub version: u64,
    /// Where the log of its place goes on: all before is in the state.
    pub position: Position,
    /// [`Aggregate::SNAPSHOT`](super::Aggregate::SNAPSHOT) of the program that made it.
    pub schema: u32,
    /// The state, as JSON.
    pub state: Bytes,
}

/// Keeps the last snapshot of each aggregate: in a log of the broker, if nothing else is said; a table or a cache does as well.
#[async_trait]
pub trait SnapshotStore: std::fmt::Debug + Send + Sync + 'static {
    /// The last snapshot of an aggregate of this stream; an older one is as good, and slower. `None`: there is none.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn load(&self, stream: &str, aggregate: &str) -> Result<Option<Snapshot>, StoreError>;

    /// Keeps a snapshot, in place of earlier snapshots of the aggregate.
    ///
    /// # Errors
    /// When it may not be kept.
    async fn save(&self, stream: &str, aggregate: &str, snapshot: Snapshot) -> Result<(), StoreError>;
}

const NAME: &str = "rocketmq-event.snapshot";
const VERSION: &str = "snapshot-version";
const PLACE: &str = "snapshot-place";
const OFFSET: &str = "snapshot-offset";

/// Snapshots in a log of the broker, the last of each aggregate found by reading it once.
#[derive(Debug)]
pub(super) struct LogSnapshots {
    backend: Arc<dyn Backend>,
    log: ByteString,
    /// Set by the first call, which makes the log.
    tail: OnceCell<Mutex<Tail<Latest>>>,
    readers: Readers,
}

/// Where the last snapshot of each aggregate lies.
#[derive(Debug, Default)]
struct Latest(HashMap<ByteString, (u64, Position)>);

impl Fold for Latest {
    fn begin(&mut self, _: &Positions) {
        self.0.clear();
    }

    fn record(&mut self, record: &Incoming) {
        let Some(version) = record.envelope.headers.text(VERSION).and_then(|text| text.parse().ok()) else {
            return;
        };
        let Some(aggregate) = record.envelope.key.clone() else { return };
        if self.0.get(&aggregate).is_none_or(|(known, _)| *known <= version) {
            self.0.insert(aggregate, (version, record.position.clone()));
        }
    }
}

impl LogSnapshots {
    pub(super) fn new(backend: Arc<dyn Backend>, log: impl Into<ByteString>) -> Self {
        let log = log.into();
        let readers = Readers::new(backend.clone(), log.clone());
        Self { backend, log, tail: OnceCell::new(), readers }
    }

    async fn tail(&self) -> Result<&Mutex<Tail<Latest>>, StoreError> {
        let open = || async {
            self.backend.ensure_log(&self.log).await?;
            Ok(Mutex::new(Tail::new(self.backend.clone(), self.log.clone(), Latest::default())))
        };
        self.tail.get_or_try_init(open).await
    }
}

#[async_trait]
impl SnapshotStore for LogSnapshots {
    async fn load(&self, stream: &str, aggregate: &str) -> Result<Option<Snapshot>, StoreError> {
        let position = {
            let mut tail = self.tail().await?.lock().await;
            tail.catch_up().await?;
            tail.fold.0.get(aggregate).map(|(_, position)| position.clone())
        };
        let Some(Position { place, offset: Some(offset), .. }) = position else { return Ok(None) };
        let mut reader = self.readers.take().await?;
        let record = fetch(&mut *reader, &self.log, &place, offset).await?;
        self.readers.give_back(reader);
        Ok(snapshot(stream, record))
    }

    async fn save(&self, _: &str, aggregate: &str, snapshot: Snapshot) -> Result<(), StoreError> {
        self.tail().await?;
        let mut envelope = Envelope::new(NAME);
        envelope.key = Some(aggregate.into());
        envelope.version = snapshot.schema;
        envelope.headers.insert(VERSION, snapshot.version.to_string());
        envelope.headers.insert(PLACE, snapshot.position.place.into_bytes());
        envelope.headers.insert(OFFSET, snapshot.position.offset.unwrap_or_default().to_string());
        let record =
            Outgoing { destination: Destination::Stream(self.log.clone()), envelope, body: snapshot.state };
        let failed = |source| StoreError::Snapshot { source };
        match self.backend.publish(vec![record]).await.pop() {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(failed(SharedError::new(error))),
            None => Err(failed(SharedError::new("the backend did not answer"))),
        }
    }
}

fn snapshot(stream: &str, record: Incoming) -> Option<Snapshot> {
    let Incoming { envelope, body, .. } = record;
    let text = |name| envelope.headers.text(name);
    let offset = text(OFFSET)?.parse().ok();
    Some(Snapshot {
        version: text(VERSION)?.parse().ok()?,
        position: Position { stream: stream.into(), place: text(PLACE)?.into(), offset },
        schema: envelope.version,
        state: body,
    })
}
