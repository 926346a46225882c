use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::event_store::Shared;
use super::ledger::Append;
use super::tail::fetch;
use super::{EventStore, StoreError, record};
use crate::backend::{Incoming, LogReader, Positions};
use crate::event::{DecodeError, Event, EventType, Position};

/// An event in the store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded<T> {
    /// The event.
    pub event: Event<T>,
    /// The aggregate that it belongs to.
    pub aggregate: ByteString,
    /// The number of the event within its aggregate, from 1 on.
    pub version: u64,
    /// Where its append lies.
    pub position: Position,
    /// Whether it is the last event of its append.
    pub is_last: bool,
}

impl<T> Recorded<T> {
    /// Notes that the event is handled: [`read_all`](EventStore::read_all) from `positions` goes on behind it. A position names an
    /// append: from a position within an append of several events, all events of the append come again.
    pub fn pass(&self, positions: &mut Positions) {
        if let Some(offset) = self.position.offset {
            positions.0.insert(self.position.place.clone(), if self.is_last { offset + 1 } else { offset });
        }
    }
}

/// Where a replay is.
enum Step<T> {
    Start(T),
    Reading(T, Box<dyn LogReader>),
    Over,
}

impl<E: EventType> EventStore<E> {
    /// The events of an aggregate from this version on, 1 being the first, up to the last that is there now. An aggregate without
    /// events has none, which is no error.
    ///
    /// The stream ends after an error, except after [`StoreError::Decode`], behind which it goes on.
    pub fn read(
        &self,
        aggregate: &str,
        from_version: u64,
    ) -> impl Stream<Item = Result<Recorded<E>, StoreError>> + Send + use<E> {
        let (shared, aggregate) = (self.shared.clone(), ByteString::from(aggregate));
        let found = async move {
            match shared.appends(&aggregate, from_version).await {
                Ok(found) => shared.fetched(found.unwrap_or_default(), from_version).left_stream(),
                Err(error) => stream::iter([Err(error)]).right_stream(),
            }
        };
        stream::once(found).flatten().map(|raw| raw.and_then(decoded))
    }

    /// All events of an aggregate, in order.
    ///
    /// # Errors
    /// The first error of [`read`](Self::read).
    pub async fn replay_events(&self, aggregate: &str) -> Result<Vec<E>, StoreError> {
        self.read(aggregate, 1).map_ok(|recorded| recorded.event.data).try_collect().await
    }

    /// The events of all aggregates from these positions on, up to the last that is there now. Events of one aggregate come in the order of
    /// their versions; events of one place come in the order of its log. [`Recorded::pass`] keeps positions, from which a later call goes on.
    ///
    /// The stream ends after an error, except after [`StoreError::Decode`], behind which it goes on.
    pub fn read_all(
        &self,
        from: Positions,
    ) -> impl Stream<Item = Result<Recorded<E>, StoreError>> + Send + use<E> {
        self.shared.clone().all(from).map(|raw| raw.and_then(decoded))
    }
}

/// Where events of an aggregate lie.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) place: ByteString,
    appends: Vec<Append>,
    /// The log of the place was read up to here.
    pub(super) end: u64,
}

pub(super) type Raw = Result<Recorded<Bytes>, StoreError>;

impl Shared {
    /// Where the events of an aggregate lie from a version on, by what the log says now. `None`: it has no events.
    pub(super) async fn appends(
        &self,
        aggregate: &ByteString,
        from_version: u64,
    ) -> Result<Option<Found>, StoreError> {
        if aggregate.is_empty() {
            return Err(StoreError::NoId);
        }
        let mut tail = self.tail.lock().await;
        tail.catch_up().await?;
        let ledger = &tail.fold.ledger;
        let Some(history) = ledger.known(aggregate)? else { return Ok(None) };
        if from_version.max(1) <= history.base {
            return Err(ledger.truncated(aggregate, &history.place, Some(history.base + 1)));
        }
        let begin = history.appends.partition_point(|append| append.last() < from_version);
        let (place, appends) = (history.place.clone(), history.appends[begin..].to_vec());
        let end = tail.at(&place);
        Ok(Some(Found { place, appends, end }))
    }

    /// The events of these appends.
    pub(super) fn fetched(
        self: Arc<Self>,
        found: Found,
        from_version: u64,
    ) -> impl Stream<Item = Raw> + Send {
        let Found { place, appends, .. } = found;
        let start = (Step::Start(self), appends.into_iter());
        let records = stream::unfold(start, move |(step, mut appends)| {
            let place = place.clone();
            async move {
                let append = appends.next();
                let (shared, reader) = match (step, append) {
                    (Step::Over, _) | (Step::Start(_), None) => return None,
                    (Step::Reading(shared, reader), None) => {
                        shared.readers.give_back(reader);
                        return None;
                    }
                    (Step::Start(shared), Some(_)) => {
                        let reader = shared.readers.take().await;
                        (shared, reader)
                    }
                    (Step::Reading(shared, reader), Some(_)) => (shared, Ok(reader)),
                };
                let append = append?;
                let fetched = async {
                    let mut reader = reader?;
                    let record = fetch(&mut *reader, &shared.stream, &place, append.offset).await?;
                    Ok((recorded(record, &append)?, reader))
                };
                match fetched.await {
                    Ok((events, reader)) => Some((Ok(events), (Step::Reading(shared, reader), appends))),
                    Err(error) => Some((Err(error), (Step::Over, appends))),
                }
            }
        });
        flattened(records).filter(move |raw| {
            std::future::ready(raw.as_ref().map_or(true, |recorded| recorded.version >= from_version))
        })
    }

    fn all(self: Arc<Self>, from: Positions) -> impl Stream<Item = Raw> + Send {
        let records = stream::unfold(Step::Start((self, Positions::default())), move |step| {
            let from = from.clone();
            async move {
                let ((shared, ends), reader) = match step {
                    Step::Over => return None,
                    Step::Reading(state, reader) => (state, Ok(reader)),
                    Step::Start((shared, _)) => match shared.begin(from).await {
                        Ok((ends, reader)) => ((shared, ends), Ok(reader)),
                        Err(error) => ((shared, Positions::default()), Err(error)),
                    },
                };
                let read = async {
                    let mut reader: Box<dyn LogReader> = reader?;
                    while !reader.positions().have_reached(&ends) {
                        let record = reader.next().await?;
                        // What came later may not be in the ledger yet.
                        let end = ends.0.get(&record.position.place).copied();
                        if record.position.offset >= end {
                            continue;
                        }
                        if let Some(events) = shared.counted(record).await? {
                            return Ok(Some((events, reader)));
                        }
                    }
                    Ok(None)
                };
                match read.await {
                    Ok(Some((events, reader))) => Some((Ok(events), Step::Reading((shared, ends), reader))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), Step::Over)),
                }
            }
        });
        flattened(records)
    }

    /// The ledger knows all that comes before the ends.
    async fn begin(&self, from: Positions) -> Result<(Positions, Box<dyn LogReader>), StoreError> {
        let mut tail = self.tail.lock().await;
        let ends = tail.catch_up().await?;
        if let Some((place, first)) = tail.fold.ledger.cut(&from) {
            let place = place.clone();
            return Err(StoreError::Truncated { aggregate: None, place, first, first_version: None });
        }
        drop(tail);
        Ok((ends, self.backend.log(&self.stream, from).await?))
    }

    /// The events of a record; `None` if it does not count, or is none of a store.
    async fn counted(&self, record: Incoming) -> Result<Option<VecDeque<Recorded<Bytes>>>, StoreError> {
        let Some(claim) = record::Claim::of(&record) else { return Ok(None) };
        let tail = self.tail.lock().await;
        let history = tail.fold.ledger.readable(&claim.aggregate)?;
        let history = history.filter(|history| history.place == claim.place);
        let append = history.and_then(|history| history.at(claim.offset)).copied();
        drop(tail);
        append.map(|append| recorded(record, &append)).transpose()
    }
}

/// The events of a record that counts.
fn recorded(record: Incoming, append: &Append) -> Result<VecDeque<Recorded<Bytes>>, StoreError> {
    let position = record.position.clone();
    let aggregate = record.envelope.key.clone().unwrap_or_default();
    let events = record::events(record).filter(|events| events.len() == append.count as usize);
    let damaged = || StoreError::Damaged {
        position: position.clone(),
        what: "its events are not those that it announces".to_owned(),
    };
    let events = events.ok_or_else(damaged)?;
    let count = events.len() as u64;
    let recorded = (append.first..).zip(events).map(|(version, (envelope, body))| Recorded {
        event: Event::from_parts(envelope, body),
        aggregate: aggregate.clone(),
        version,
        position: position.clone(),
        is_last: version + 1 == append.first + count,
    });
    Ok(recorded.collect())
}

fn flattened(
    records: impl Stream<Item = Result<VecDeque<Recorded<Bytes>>, StoreError>> + Send,
) -> impl Stream<Item = Raw> + Send {
    records.flat_map(|record| match record {
        Ok(events) => stream::iter(events.into_iter().map(Ok)).left_stream(),
        Err(error) => stream::iter([Err(error)]).right_stream(),
    })
}

pub(super) fn decoded<E: EventType>(raw: Recorded<Bytes>) -> Result<Recorded<E>, StoreError> {
    let envelope = &raw.event.envelope;
    let unknown = || DecodeError::ContentType { content_type: envelope.content_type.to_string() };
    let data = envelope
        .format()
        .ok_or_else(unknown)
        .and_then(|format| E::decode(&envelope.name, envelope.version, format, &raw.event.data));
    match data {
        Ok(data) => {
            let Recorded { event, aggregate, version, position, is_last } = raw;
            Ok(Recorded {
                event: Event::from_parts(event.envelope, data),
                aggregate,
                version,
                position,
                is_last,
            })
        }
        Err(source) => Err(StoreError::Decode { recorded: Box::new(raw), source }),
    }
}
