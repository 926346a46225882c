use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use tokio::time::{Instant, sleep};

use super::ledger::{Ledger, Verdict};
use super::record::{self, Expected, Mark};
use super::{AppendError, EventStore, StoreError};
use crate::backend::{Destination, LogError, Outgoing, Stored};
use crate::error::{Outcome, PublishError, PublishErrorKind, SharedError, wait_before};
use crate::event::{Envelope, Event, EventType, Position};

/// How long an append tries to learn what became of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it publishes a record that may be stored: copies count once.
const TRIES: u32 = 3;

impl<E: EventType> EventStore<E> {
    /// Appends events to an aggregate, all or none of them, if it has the expected version. Returns its new version, which is
    /// the number of its events.
    ///
    /// It returns when the events are stored and the log has said that they count. When the future is dropped, they are maybe stored.
    ///
    /// # Errors
    /// `Conflict` when the aggregate has another version: none of the events is visible. The others say whether the events may be stored:
    /// [`AppendError::outcome`].
    pub async fn append(
        &self,
        aggregate: &str,
        expected: Expected,
        events: &[E],
    ) -> Result<u64, AppendError> {
        let events = events.iter().map(|event| (crate::event::envelope_of(event), event));
        self.append_all(aggregate, expected, events).await
    }

    /// As [`append`](Self::append), with envelopes: ids, correlation, headers. The key of each becomes the id of the aggregate. Appending the
    /// same events with the same version again, after *maybe stored* or after a crash, finds them by their ids and
    /// returns the version that they gave: they count once.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_events(
        &self,
        aggregate: &str,
        expected: Expected,
        events: &[Event<E>],
    ) -> Result<u64, AppendError> {
        let events = events.iter().map(|event| (event.envelope.clone(), &event.data));
        self.append_all(aggregate, expected, events).await
    }

    /// Appends one event, whatever the version is.
    ///
    /// # Errors
    /// As [`append`](Self::append), without `Conflict`.
    pub async fn append_event(&self, aggregate: &str, event: E) -> Result<u64, AppendError> {
        self.append(aggregate, Expected::Any, &[event]).await
    }

    async fn append_all<'event>(
        &self,
        aggregate: &str,
        expected: Expected,
        events: impl Iterator<Item = (Envelope, &'event E)> + Send,
    ) -> Result<u64, AppendError> {
        if aggregate.is_empty() {
            return Err(StoreError::NoId.into());
        }
        let aggregate = ByteString::from(aggregate);
        let written: Result<Vec<_>, _> =
            events.map(|(envelope, event)| self.written(envelope, event)).collect();
        let written = written?;
        if written.is_empty() {
            return Err(invalid("an append has no events", None));
        }
        let (envelope, body) = record::record(&aggregate, expected, written);
        let limit = self.shared.backend.abilities().max_body;
        if body.len() > limit {
            return Err(AppendError::NotStored(PublishError::too_large(body.len(), limit)));
        }
        let attempt = Attempt { store: self, mark: record::mark(envelope.id.as_str()), aggregate, expected };
        let _turn = self.shared.turn(&attempt.aggregate).await;
        if let Some(version) = attempt.look().await? {
            return Ok(version);
        }
        let destination = Destination::Stream(self.shared.stream.clone());
        attempt.run(Outgoing { destination, envelope, body }).await
    }

    fn written(&self, mut envelope: Envelope, event: &E) -> Result<(Envelope, Bytes), AppendError> {
        if let Some((header, _)) = envelope.headers.iter().find(|(name, _)| record::is_reserved(name)) {
            return Err(invalid(format!("the header {header} is the store's own"), None));
        }
        let source = |error| Some(SharedError::new(error));
        let body = event.encode(self.format).map_err(|error| {
            invalid(format!("the event {} cannot be written", envelope.name), source(error))
        })?;
        envelope.content_type = ByteString::from_static(self.format.content_type());
        if envelope.source.is_empty() {
            envelope.source = self.shared.service.clone();
        }
        Ok((envelope, body))
    }
}

/// One append.
struct Attempt<'store, E> {
    store: &'store EventStore<E>,
    aggregate: ByteString,
    expected: Expected,
    mark: Mark,
}

impl<E: EventType> Attempt<'_, E> {
    /// What is known before anything is published: a conflict then leaves no void record. `Some`: the append is there already.
    async fn look(&self) -> Result<Option<u64>, AppendError> {
        let mut tail = self.store.shared.tail.lock().await;
        if self.fits(&tail.fold.ledger) {
            return Ok(None);
        }
        // Others may have appended since.
        tail.catch_up().await.map_err(StoreError::from)?;
        let history = tail.fold.ledger.known(&self.aggregate)?;
        let there = history.and_then(|history| history.known(self.expected.version(), self.mark));
        if there.is_some() {
            return Ok(there);
        }
        let actual = history.map_or(0, |history| history.version);
        match self.expected.version() {
            Some(expected) if expected != actual => Err(self.conflict(actual)),
            _ => Ok(None),
        }
    }

    /// Whether the append would count, by what is known without asking the broker.
    fn fits(&self, ledger: &Ledger) -> bool {
        let Some(history) = ledger.history(&self.aggregate) else { return false };
        let is_new = history.known(self.expected.version(), self.mark).is_none();
        let is_expected = self.expected.version().is_none_or(|version| version == history.version);
        !history.is_undecided() && history.elsewhere.is_none() && is_new && is_expected
    }

    /// Publishes, and reads the log until it says what became of the record.
    async fn run(&self, record: Outgoing) -> Result<u64, AppendError> {
        let shared = &self.store.shared;
        let deadline = Instant::now() + PATIENCE;
        let expecting = shared.verdicts.expect(&self.aggregate, self.mark);
        let stored = self.publish(record, deadline).await?;
        let Position { place, offset, .. } = &stored.position;
        let mut tail = shared.tail.lock().await;
        let known = offset.map(|_| place);
        let verdict = tail.until(known, deadline, |_| expecting.verdict()).await.map_err(unread)?;
        match verdict {
            Verdict::Counted { last } => Ok(last),
            Verdict::Void { actual } => Err(self.conflict(actual)),
            Verdict::Elsewhere => {
                let home = tail.fold.ledger.history(&self.aggregate).map(|history| history.place.clone());
                let (home, other) = (home.unwrap_or_default(), place.clone());
                Err(StoreError::Moved { aggregate: self.aggregate.clone(), home, other }.into())
            }
            Verdict::Undecided => Err(maybe(tail.fold.ledger.truncated(&self.aggregate, place, None))),
        }
    }

    async fn publish(&self, record: Outgoing, deadline: Instant) -> Result<Stored, AppendError> {
        let mut attempt = 0;
        // Once a copy may be stored, a later refusal of another copy does not change that.
        let mut may_be_stored = false;
        loop {
            attempt += 1;
            let answer = self.store.shared.backend.publish(vec![record.clone()]).await.pop();
            let no_answer = || {
                PublishError::maybe_stored(
                    PublishErrorKind::Refused,
                    "the backend did not answer for the append",
                )
            };
            let error = match answer.unwrap_or_else(|| Err(no_answer())) {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            may_be_stored |= error.outcome() == Outcome::MaybeStored;
            if !may_be_stored {
                return Err(AppendError::NotStored(error));
            }
            let wait = wait_before(attempt);
            if attempt == TRIES || Instant::now() + wait >= deadline {
                return Err(maybe(error));
            }
            sleep(wait).await;
        }
    }

    fn conflict(&self, actual: u64) -> AppendError {
        let expected = self.expected.version().unwrap_or(actual);
        AppendError::Conflict { aggregate: self.aggregate.clone(), expected, actual }
    }
}

fn invalid(what: impl Into<String>, source: Option<SharedError>) -> AppendError {
    AppendError::Invalid { what: what.into(), source }
}

fn maybe(source: impl std::error::Error + Send + Sync + 'static) -> AppendError {
    AppendError::MaybeStored { source: SharedError::new(source) }
}

/// The record is stored, and the log did not say in time whether it counts.
fn unread(error: Option<LogError>) -> AppendError {
    let source = match error {
        Some(error) => SharedError::new(error),
        None => SharedError::new(format!("the log did not show the append within {PATIENCE:?}")),
    };
    AppendError::MaybeStored { source }
}
