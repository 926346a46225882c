use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use tokio::time::{Instant, sleep, timeout_at};

use super::StoreError;
use crate::backend::{Backend, Incoming, LogError, LogReader, Positions};
use crate::event::Position;

/// Between two attempts to read a log whose broker does not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// What follows from the records of a log, in their order.
pub(super) trait Fold: Send {
    /// Nothing yet: the places of the log begin at `firsts`.
    fn begin(&mut self, firsts: &Positions);

    /// The next record of its place.
    fn record(&mut self, record: &Incoming);
}

/// Reads a log from its beginning on, up to the place that a caller asks for.
pub(super) struct Tail<F> {
    backend: Arc<dyn Backend>,
    log: ByteString,
    reader: Option<Box<dyn LogReader>>,
    pub(super) fold: F,
}

impl<F: Fold> Tail<F> {
    pub(super) fn new(backend: Arc<dyn Backend>, log: ByteString, fold: F) -> Self {
        Self { backend, log, reader: None, fold }
    }

    /// Reads up to the end that the log has now. Returns that end.
    pub(super) async fn catch_up(&mut self) -> Result<Positions, LogError> {
        let mut ends = self.open().await?.ends().await?;
        let known = self.open().await?.positions();
        let added = ends.0.iter().find(|(place, end)| **end > 0 && !known.0.contains_key(*place));
        if let Some((place, _)) = added {
            // The reader does not know the place, and would wait for its end for ever.
            self.open_with(&place.clone()).await?;
            let known = self.open().await?.positions();
            ends.0.retain(|place, _| known.0.contains_key(place));
        }
        while !self.open().await?.positions().have_reached(&ends) {
            self.step(None).await?;
        }
        Ok(ends)
    }

    /// Reads on until `done` knows. The record that it waits for lies in `place`, if the broker tells places.
    ///
    /// # Errors
    /// The last error, or `None`, when the deadline passed before.
    pub(super) async fn until<T>(
        &mut self,
        place: Option<&ByteString>,
        deadline: Instant,
        done: impl Fn(&F) -> Option<T>,
    ) -> Result<T, Option<LogError>> {
        let mut last = None;
        loop {
            if let Some(done) = done(&self.fold) {
                return Ok(done);
            }
            let step = timeout_at(deadline, async {
                if let Some(place) = place {
                    self.open_with(place).await?;
                }
                self.step(place).await
            });
            match step.await {
                Ok(Ok(())) => {}
                Ok(Err(error @ LogError::Truncated { .. })) => return Err(Some(error)),
                Ok(Err(error)) => {
                    last = Some(error);
                    sleep(PAUSE).await;
                }
                Err(_) => return Err(last),
            }
        }
    }

    /// Where it goes on reading this place.
    pub(super) fn at(&self, place: &ByteString) -> u64 {
        let positions = self.reader.as_ref().map(|reader| reader.positions());
        positions.and_then(|positions| positions.0.get(place).copied()).unwrap_or_default()
    }

    async fn step(&mut self, place: Option<&ByteString>) -> Result<(), LogError> {
        let reader = self.open().await?;
        if let Some(place) = place {
            reader.prefer(place);
        }
        match reader.next().await {
            Ok(record) => {
                self.fold.record(&record);
                Ok(())
            }
            Err(error) => {
                if matches!(error, LogError::Truncated { .. }) {
                    // What was missed cannot be made up: the next call begins with what is left.
                    self.reader = None;
                }
                Err(error)
            }
        }
    }

    async fn open(&mut self) -> Result<&mut Box<dyn LogReader>, LogError> {
        if self.reader.is_none() {
            let reader = self.backend.log(&self.log, Positions::beginning()).await?;
            self.fold.begin(&reader.positions());
            self.reader = Some(reader);
        }
        self.reader.as_mut().ok_or(LogError::Impossible)
    }

    /// Opens the log anew if it has got a place that the reader does not know.
    async fn open_with(&mut self, place: &ByteString) -> Result<(), LogError> {
        let positions = self.open().await?.positions();
        if !positions.0.contains_key(place) {
            let reader = self.backend.log(&self.log, positions).await?;
            if reader.positions().0.contains_key(place) {
                self.reader = Some(reader);
            }
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Tail<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("log", &self.log).field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// Readers of a log that are sent from place to place. A reader that is not in use is kept for the next caller.
#[derive(Debug)]
pub(super) struct Readers {
    backend: Arc<dyn Backend>,
    log: ByteString,
    idle: Mutex<Option<Box<dyn LogReader>>>,
}

impl Readers {
    pub(super) fn new(backend: Arc<dyn Backend>, log: ByteString) -> Self {
        Self { backend, log, idle: Mutex::default() }
    }

    /// A reader somewhere in the log: send it to a place before it reads.
    pub(super) async fn take(&self) -> Result<Box<dyn LogReader>, LogError> {
        let idle = self.idle().take();
        match idle {
            Some(reader) => Ok(reader),
            None => self.backend.log(&self.log, Positions::beginning()).await,
        }
    }

    pub(super) fn give_back(&self, reader: Box<dyn LogReader>) {
        *self.idle() = Some(reader);
    }

    fn idle(&self) -> MutexGuard<'_, Option<Box<dyn LogReader>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the record at this place. `reader` reads that place alone afterwards.
pub(super) async fn fetch(
    reader: &mut dyn LogReader,
    log: &ByteString,
    place: &ByteString,
    offset: u64,
) -> Result<Incoming, StoreError> {
    reader.seek(place, offset).await?;
    loop {
        let record = reader.next().await?;
        match record.position.offset {
            Some(found) if found < offset => {}
            Some(found) if found == offset => return Ok(record),
            found => {
                let asked = Position { stream: log.clone(), place: place.clone(), offset: Some(offset) };
                return Err(LogError::Truncated { asked, first: found.unwrap_or_default() }.into());
            }
        }
    }
}

#[cfg(all(test, feature = "rocketmq"))]
mod tests {
    use rocketmq_namesrv_mock::MockCluster;
    use serde::{Deserialize, Serialize};

    use crate::store::{EventStore, Expected};
    use crate::{Bus, EventType};

    #[derive(Clone, Serialize, Deserialize)]
    struct Opened;

    impl EventType for Opened {
        const NAMES: &'static [&'static str] = &["opened"];
    }

    #[tokio::test]
    async fn a_store_that_is_open_reads_the_queues_that_its_topic_gets() {
        let cluster = MockCluster::start().await.unwrap();
        let bus = Bus::connect(&format!("rocketmq://{}", cluster.name_server_addr())).await.unwrap();
        let store = EventStore::open(&bus, "accounts").await.unwrap();
        assert_eq!(store.append("first", Expected::New, &[Opened]).await.unwrap(), 1);
        cluster.create_topic("accounts", 64).unwrap();
        let other = EventStore::open(&bus, "accounts").await.unwrap();
        for number in 0..32 {
            other.append(&number.to_string(), Expected::New, &[Opened]).await.unwrap();
        }
        for number in 0..32 {
            assert_eq!(store.replay_events(&number.to_string()).await.unwrap().len(), 1, "{number}");
        }
    }
}
