use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use uuid::Uuid;

use crate::backend::Incoming;
use crate::event::{Attributes, Envelope, Prefixes};

/// The version that an aggregate must have for an append to count. The version of an aggregate is the number of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Any version: the events follow the events that the aggregate has.
    Any,
    /// The aggregate has no event yet. Equal to `Version(0)`.
    New,
    /// The version that the writer has read.
    Version(u64),
}

impl Expected {
    /// The version; `None` for any.
    pub(super) fn version(self) -> Option<u64> {
        match self {
            Self::Any => None,
            Self::New => Some(0),
            Self::Version(version) => Some(version),
        }
    }
}

/// Headers of a record. The key of its envelope is the aggregate.
const EXPECTED: &str = "eventstore-expected";
const COUNT: &str = "eventstore-count";
const ANY: &str = "any";
/// The name and the content type of a record with several events, so that they count together or not at all.
const SEVERAL: &str = "rocketmq-event.append";
const SEVERAL_TYPE: &str = "application/x-rocketmq-event-append";
/// The first byte of the body of a record with several events.
const FORMAT: u8 = 1;
const NAMES: Attributes = Attributes(Prefixes {
    attribute: "ce_",
    content_type: Some("content-type"),
    failure: "event_failure_",
    escape: "event_user_",
    is_reserved: |_| false,
});

/// Whether the store writes this header itself.
pub(super) fn is_reserved(header: &str) -> bool {
    [EXPECTED, COUNT].contains(&header)
}

/// The record of an append: the event itself, or one record that holds several. The id of the first event is the id of the record.
pub(super) fn record(
    aggregate: &ByteString,
    expected: Expected,
    mut events: Vec<(Envelope, Bytes)>,
) -> (Envelope, Bytes) {
    let count = events.len();
    let (mut envelope, body) = match events.pop() {
        Some(only) if events.is_empty() => only,
        last => {
            events.extend(last);
            let mut envelope = Envelope::new(SEVERAL);
            if let Some((first, _)) = events.first() {
                envelope.id = first.id.clone();
                envelope.source = first.source.clone();
                envelope.time = first.time;
            }
            envelope.content_type = ByteString::from_static(SEVERAL_TYPE);
            (envelope, pack(&events))
        }
    };
    envelope.key = Some(aggregate.clone());
    envelope
        .headers
        .insert(EXPECTED, expected.version().map_or(ANY.to_owned(), |version| version.to_string()));
    envelope.headers.insert(COUNT, count.to_string());
    (envelope, body)
}

/// The events of a record; `None` when the body of a record with several events is not what `record` writes.
pub(super) fn events(record: Incoming) -> Option<Vec<(Envelope, Bytes)>> {
    let Incoming { mut envelope, body, .. } = record;
    if envelope.name == SEVERAL && envelope.content_type == SEVERAL_TYPE {
        return unpack(body, envelope.key);
    }
    envelope.headers.remove(EXPECTED);
    envelope.headers.remove(COUNT);
    Some(vec![(envelope, body)])
}

fn pack(events: &[(Envelope, Bytes)]) -> Bytes {
    let mut packed = BytesMut::new();
    packed.put_u8(FORMAT);
    let mut put = |bytes: &[u8]| {
        packed.put_u64(bytes.len() as u64);
        packed.put_slice(bytes);
    };
    for (envelope, body) in events {
        let pairs = NAMES.write(envelope);
        put(pairs.len().to_string().as_bytes());
        for (name, value) in pairs {
            put(name.as_bytes());
            put(&value);
        }
        put(body);
    }
    packed.freeze()
}

fn unpack(mut packed: Bytes, aggregate: Option<ByteString>) -> Option<Vec<(Envelope, Bytes)>> {
    if packed.try_get_u8().ok()? != FORMAT {
        return None;
    }
    let mut take = || {
        let length = usize::try_from(packed.try_get_u64().ok()?).ok()?;
        (length <= packed.len()).then(|| packed.split_to(length))
    };
    let mut events = Vec::new();
    while let Some(pairs) = take() {
        let pairs: usize = std::str::from_utf8(&pairs).ok()?.parse().ok()?;
        let pairs: Option<Vec<(ByteString, Bytes)>> =
            (0..pairs).map(|_| Some((ByteString::try_from(take()?).ok()?, take()?))).collect();
        let mut envelope = NAMES.read(Envelope::new(""), pairs?);
        envelope.key.clone_from(&aggregate);
        events.push((envelope, take()?));
    }
    packed.is_empty().then_some(events)
}

/// The claim of a record on the next versions of an aggregate.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) aggregate: ByteString,
    pub(super) place: ByteString,
    pub(super) offset: u64,
    pub(super) expected: Option<u64>,
    pub(super) count: u32,
    pub(super) mark: Mark,
}

impl Claim {
    /// `None` for a message that a store did not write.
    pub(super) fn of(record: &Incoming) -> Option<Self> {
        let headers = &record.envelope.headers;
        let expected = match headers.text(EXPECTED)? {
            ANY => None,
            version => Some(version.parse().ok()?),
        };
        Some(Self {
            aggregate: record.envelope.key.clone()?,
            place: record.position.place.clone(),
            offset: record.position.offset?,
            expected,
            count: headers.text(COUNT)?.parse().ok().filter(|count| *count > 0)?,
            mark: mark(record.envelope.id.as_str()),
        })
    }
}

/// An id in 16 bytes: a ledger keeps one for each append.
pub(super) type Mark = u128;

pub(super) fn mark(id: &str) -> Mark {
    if let Ok(id) = Uuid::try_parse(id) {
        return id.as_u128();
    }
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::backend::Tag;
    use crate::event::Position;

    fn stored((envelope, body): (Envelope, Bytes)) -> Incoming {
        let position = Position { stream: "s".into(), place: "0".into(), offset: Some(7) };
        Incoming { tag: Tag(0), envelope, body, position, redeliveries: 0, revoked: CancellationToken::new() }
    }

    fn event(name: &'static str, body: &'static [u8]) -> (Envelope, Bytes) {
        let mut envelope = Envelope::new(name);
        envelope.headers.insert("größe", &b"\0\xff"[..]);
        envelope.key = Some("account".into());
        (envelope, Bytes::from_static(body))
    }

    #[test]
    fn one_event_and_several_come_back_equal() {
        for count in 1..=3 {
            let written: Vec<_> =
                [event("a", b""), event("b", b"x"), event("c", b"\0\xff")].into_iter().take(count).collect();
            let record = stored(record(&"account".into(), Expected::Version(4), written.clone()));
            let claim = Claim::of(&record).unwrap();
            assert_eq!((claim.expected, claim.count as usize, claim.offset), (Some(4), count, 7));
            assert_eq!(claim.mark, mark(written[0].0.id.as_str()));
            assert_eq!(events(record).unwrap(), written);
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_and_a_foreign_message_no_claim() {
        let (envelope, body) =
            record(&"account".into(), Expected::Any, vec![event("a", b"1"), event("b", b"2")]);
        for length in 0..body.len() {
            // Who reads it compares the number of events with the one that is announced.
            let read = events(stored((envelope.clone(), body.slice(..length))));
            assert!(read.is_none_or(|events| events.len() < 2), "cut at {length}");
        }
        assert!(Claim::of(&stored(event("a", b""))).is_none());
    }

    #[test]
    fn ids_that_are_no_uuids_have_marks_of_their_own() {
        assert_ne!(mark("a"), mark("b"));
        assert_eq!(mark("a"), mark("a"));
    }
}
