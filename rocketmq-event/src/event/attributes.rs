use std::time::SystemTime;

use bytes::Bytes;
use bytestring::ByteString;
use jiff::Timestamp;

use super::{Envelope, EventId, FailureKind, FailureRecord, Position};

/// How one backend names the parts of an envelope in its headers.
#[derive(Debug, Clone, Copy)]
pub struct Prefixes {
    /// Before CloudEvents' attributes: `ce_` on Kafka.
    pub attribute: &'static str,
    /// The name of the content type; `None` where the backend has a field for it.
    pub content_type: Option<&'static str>,
    /// Before the parts of a [`FailureRecord`].
    pub failure: &'static str,
    /// Before a header of the user whose name would be read as anything else.
    pub escape: &'static str,
    /// Names that the backend itself gives a meaning.
    pub is_reserved: fn(&str) -> bool,
}

/// Writes envelopes as pairs of name and value, and reads them back.
///
/// Reading never fails: a message of a publisher that knows nothing of CloudEvents has an envelope as well, made from what the
/// backend itself knows of it (its id, tag or routing key, time). A part that cannot be read counts as absent.
#[derive(Debug, Clone, Copy)]
pub struct Attributes(pub Prefixes);

impl Attributes {
    /// The pairs of an envelope. Attributes have values of text; headers of the user have the bytes that the user set.
    pub fn write(&self, envelope: &Envelope) -> Vec<(String, Bytes)> {
        let mut pairs = Vec::with_capacity(16 + envelope.headers.len());
        let names = &self.0;
        let mut put = |prefix: &str, name: &str, value: &str| {
            pairs.push((format!("{prefix}{name}"), Bytes::copy_from_slice(value.as_bytes())));
        };
        let mut attribute = |name, value: &str| put(names.attribute, name, value);
        attribute("specversion", "1.0");
        attribute("id", envelope.id.as_str());
        attribute("source", if envelope.source.is_empty() { "/" } else { &envelope.source });
        attribute("type", &envelope.name);
        attribute("time", &time_text(envelope.time));
        attribute("schemaversion", &envelope.version.to_string());
        let optional = [
            ("partitionkey", envelope.key.as_deref()),
            ("correlationid", envelope.correlation.as_deref()),
            ("causationid", envelope.cause.as_ref().map(EventId::as_str)),
            ("traceparent", envelope.trace_parent.as_deref()),
            ("tracestate", envelope.trace_state.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                attribute(name, value);
            }
        }
        if let Some(name) = names.content_type {
            put("", name, &envelope.content_type);
        }
        if let Some(failure) = &envelope.failure {
            let mut part = |name, value: &str| put(names.failure, name, value);
            part("group", &failure.group);
            part("attempts", &failure.attempts.to_string());
            part("kind", failure.kind.as_str());
            part("reason", &failure.reason);
            part("first", &time_text(failure.first));
            part("last", &time_text(failure.last));
            part("stream", &failure.origin.stream);
            part("place", &failure.origin.place);
            if let Some(offset) = failure.origin.offset {
                part("offset", &offset.to_string());
            }
            part("replays", &failure.replays.to_string());
        }
        for (name, value) in envelope.headers.iter() {
            let escape = if self.needs_escape(name) { names.escape } else { "" };
            pairs.push((format!("{escape}{name}"), value.clone()));
        }
        pairs
    }

    /// The envelope of these pairs. `native` holds what the backend itself knows of the message; attributes go before it.
    pub fn read(&self, native: Envelope, pairs: impl IntoIterator<Item = (ByteString, Bytes)>) -> Envelope {
        let mut envelope = native;
        let names = &self.0;
        let mut failure = FailureParts::default();
        for (name, value) in pairs {
            if let Some(name) = name.strip_prefix(names.escape) {
                envelope.headers.insert(name, value);
            } else if let Some(part) = name.strip_prefix(names.failure) {
                if let Ok(value) = ByteString::try_from(value) {
                    failure.set(part, value);
                }
            } else if names.content_type.is_some_and(|known| known.eq_ignore_ascii_case(&name)) {
                if let Ok(value) = ByteString::try_from(value) {
                    envelope.content_type = value;
                }
            } else if let Some(attribute) = name.strip_prefix(names.attribute) {
                let Some(value) = ByteString::try_from(value).ok().filter(|value| !value.is_empty()) else {
                    continue;
                };
                set_attribute(&mut envelope, attribute, value);
            } else if !(names.is_reserved)(&name) {
                envelope.headers.insert(name, value);
            }
        }
        envelope.failure = failure.finish();
        envelope
    }

    fn needs_escape(&self, name: &str) -> bool {
        let names = &self.0;
        [names.attribute, names.failure, names.escape].iter().any(|prefix| name.starts_with(prefix))
            || names.content_type.is_some_and(|known| known.eq_ignore_ascii_case(name))
            || (names.is_reserved)(name)
    }
}

fn set_attribute(envelope: &mut Envelope, name: &str, value: ByteString) {
    match name {
        "id" => envelope.id = value.into(),
        "source" => envelope.source = if value == "/" { ByteString::new() } else { value },
        "type" => envelope.name = value,
        "time" => envelope.time = read_time(&value).unwrap_or(envelope.time),
        "schemaversion" => envelope.version = value.parse().unwrap_or(envelope.version),
        "partitionkey" => envelope.key = Some(value),
        "correlationid" => envelope.correlation = Some(value),
        "causationid" => envelope.cause = Some(value.into()),
        "traceparent" => envelope.trace_parent = Some(value),
        "tracestate" => envelope.trace_state = Some(value),
        "datacontenttype" => envelope.content_type = value,
        "specversion" => {}
        // An extension of another publisher: the user sees it as a header.
        name => _ = envelope.headers.insert(name, value.into_bytes()),
    }
}

#[derive(Default)]
struct FailureParts {
    group: Option<ByteString>,
    attempts: Option<u32>,
    kind: Option<FailureKind>,
    reason: ByteString,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
    stream: ByteString,
    place: ByteString,
    offset: Option<u64>,
    replays: u32,
}

impl FailureParts {
    fn set(&mut self, part: &str, value: ByteString) {
        match part {
            "group" => self.group = Some(value),
            "attempts" => self.attempts = value.parse().ok(),
            "kind" => self.kind = FailureKind::of_word(&value),
            "reason" => self.reason = value,
            "first" => self.first = read_time(&value),
            "last" => self.last = read_time(&value),
            "stream" => self.stream = value,
            "place" => self.place = value,
            "offset" => self.offset = value.parse().ok(),
            "replays" => self.replays = value.parse().unwrap_or(0),
            _ => {}
        }
    }

    fn finish(self) -> Option<Box<FailureRecord>> {
        let (group, attempts) = (self.group?, self.attempts?);
        let now = SystemTime::now();
        Some(Box::new(FailureRecord {
            group,
            attempts,
            kind: self.kind.unwrap_or(FailureKind::Failed),
            reason: self.reason,
            first: self.first.unwrap_or(now),
            last: self.last.unwrap_or(now),
            origin: Position { stream: self.stream, place: self.place, offset: self.offset },
            replays: self.replays,
        }))
    }
}

/// RFC 3339 in UTC, to the microsecond.
fn time_text(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

fn read_time(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().and_then(|time| SystemTime::try_from(time).ok())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const NAMES: Attributes = Attributes(Prefixes {
        attribute: "ce_",
        content_type: Some("content-type"),
        failure: "failure_",
        escape: "user_",
        is_reserved: |name| name == "TAGS",
    });

    fn full() -> Envelope {
        let at = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        let mut envelope = Envelope::new("user.created");
        envelope.time = at;
        envelope.source = "shop/users".into();
        envelope.version = 3;
        envelope.key = Some("7".into());
        envelope.correlation = Some("c".into());
        envelope.cause = Some("before".into());
        envelope.trace_parent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        envelope.trace_state = Some("vendor=1".into());
        for name in ["plain", "größe", "ce_id", "failure_kind", "user_x", "Content-Type", "TAGS"] {
            envelope.headers.insert(name, "ä\0\u{1}");
        }
        envelope.headers.insert("empty", "");
        envelope.headers.insert("bytes", &b"\xff\xfe"[..]);
        envelope.failure = Some(Box::new(FailureRecord {
            group: "mailer".into(),
            attempts: 4,
            kind: FailureKind::Panic,
            reason: "boom".into(),
            first: at,
            last: at + Duration::from_micros(7),
            origin: Position { stream: "users".into(), place: "a/0".into(), offset: Some(9) },
            replays: 1,
        }));
        envelope
    }

    fn read(pairs: Vec<(String, Bytes)>) -> Envelope {
        NAMES.read(Envelope::new("native"), pairs.into_iter().map(|(name, value)| (name.into(), value)))
    }

    #[test]
    fn every_field_comes_back_and_no_header_is_taken_for_an_attribute() {
        let envelope = full();
        assert_eq!(read(NAMES.write(&envelope)), envelope);
    }

    #[test]
    fn a_message_without_attributes_has_what_the_backend_knows() {
        let envelope = read(vec![("tenant".to_owned(), Bytes::from_static(b"blue"))]);
        assert_eq!((&*envelope.name, envelope.headers.text("tenant")), ("native", Some("blue")));
    }

    #[test]
    fn times_of_other_publishers_are_read_with_their_offset() {
        let pairs = vec![("ce_time".to_owned(), Bytes::from_static(b"2023-11-14T23:13:20+01:00"))];
        assert_eq!(read(pairs).time, UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }
}
