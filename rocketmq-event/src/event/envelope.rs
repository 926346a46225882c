use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytestring::ByteString;
use uuid::Uuid;

use super::{Format, Headers};

/// The id of an event: CloudEvents' `id`. Ids of this crate are UUIDs of version 7, which sort by time; ids of
/// other publishers may be any text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(ByteString);

impl EventId {
    /// A new id.
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Into<ByteString>> From<T> for EventId {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a message lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// The stream: topic or exchange.
    pub stream: ByteString,
    /// The part of the stream that has one order: a RocketMQ queue as `broker/number`, a Kafka partition, a RabbitMQ queue.
    pub place: ByteString,
    /// The place of the message within; `None` where the backend does not number its messages.
    pub offset: Option<u64>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.place)?;
        self.offset.map_or(Ok(()), |offset| write!(f, "@{offset}"))
    }
}

/// Why a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error that may pass.
    Failed,
    /// The handler panicked.
    Panic,
    /// The handler took longer than its timeout.
    Timeout,
    /// The handler said that no further attempt can succeed.
    Permanent,
    /// The payload is not a value of the handler's type.
    Decode,
    /// No handler takes events of this name.
    Unmatched,
    /// Members of the group ended while they handled it, each time.
    Died,
}

impl FailureKind {
    const ALL: [(Self, &str); 7] = [
        (Self::Failed, "failed"),
        (Self::Panic, "panic"),
        (Self::Timeout, "timeout"),
        (Self::Permanent, "permanent"),
        (Self::Decode, "decode"),
        (Self::Unmatched, "unmatched"),
        (Self::Died, "died"),
    ];

    /// The word of this kind, in headers and metrics.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("failed", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Headers that the runtime adds to a copy after a failure: for a retry, and for a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// The group whose handler failed. Retries and replays go to this group alone.
    pub group: ByteString,
    /// Failed attempts so far.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub kind: FailureKind,
    /// The error of the last attempt with its causes, cut to 1,024 bytes.
    pub reason: ByteString,
    /// When the first attempt failed.
    pub first: SystemTime,
    /// When the last attempt failed.
    pub last: SystemTime,
    /// Where the event was first read.
    pub origin: Position,
    /// How often this event was put back from the dead letters.
    pub replays: u32,
}

/// All that travels beside the payload. Each backend writes it as headers or properties, with CloudEvents' names in binary
/// mode, and reads it back equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// CloudEvents' `id`.
    pub id: EventId,
    /// CloudEvents' `source`: which service published it.
    pub source: ByteString,
    /// CloudEvents' `type`: the name of the event, and the routing key.
    pub name: ByteString,
    /// The version of the payload's schema; extension `schemaversion`.
    pub version: u32,
    /// CloudEvents' `time`, to the microsecond.
    pub time: SystemTime,
    /// CloudEvents' `partitionkey`: events with equal keys keep their order.
    pub key: Option<ByteString>,
    /// Extension `correlationid`: the conversation that the event belongs to.
    pub correlation: Option<ByteString>,
    /// Extension `causationid`: the event that led to this event.
    pub cause: Option<EventId>,
    /// Extension `traceparent`, as W3C defines it.
    pub trace_parent: Option<ByteString>,
    /// Extension `tracestate`, as W3C defines it.
    pub trace_state: Option<ByteString>,
    /// CloudEvents' `datacontenttype`.
    pub content_type: ByteString,
    /// The user's own headers.
    pub headers: Headers,
    /// Set in copies that were made after a failure.
    pub failure: Option<Box<FailureRecord>>,
}

impl Envelope {
    /// A new event of this name: new id, time of now, JSON, nothing else set.
    pub fn new(name: impl Into<ByteString>) -> Self {
        Self {
            id: EventId::new(),
            source: ByteString::new(),
            name: name.into(),
            version: 1,
            time: now(),
            key: None,
            correlation: None,
            cause: None,
            trace_parent: None,
            trace_state: None,
            content_type: ByteString::from_static("application/json"),
            headers: Headers::new(),
            failure: None,
        }
    }

    /// The format that the content type says.
    pub fn format(&self) -> Option<Format> {
        Format::of_content_type(&self.content_type)
    }
}

/// Now, to the microsecond: what an envelope carries, so that it comes back equal.
pub(crate) fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_micros() * 1_000)
}
