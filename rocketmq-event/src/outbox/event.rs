use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;

use crate::error::PublishError;
use crate::event::{Attributes, EncodeError, Envelope, Event, EventType, Format, Prefixes};
use crate::publish::{EventPublisher, MessageProducer, Receipt};

/// An event in an outbox: its envelope, and its payload as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxEvent {
    /// Its place in the table: above 0, and higher for each later event. The store gives it.
    pub sequence: u64,
    /// All that travels beside the payload. Its id stays the same in each attempt to publish the event.
    pub envelope: Envelope,
    /// The payload, in the format that the envelope's content type says.
    pub body: Bytes,
}

/// A row of a table of events: the event, or why the row is none.
pub type OutboxRow = Result<OutboxEvent, UnreadableRow>;

/// A row of an outbox that cannot be read as an event. A [`Relay`](super::Relay) sets it aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row {sequence} of the outbox cannot be read: {reason}")]
pub struct UnreadableRow {
    /// Its place in the table.
    pub sequence: u64,
    /// Why, for a person who repairs the row.
    pub reason: String,
}

/// Names of CloudEvents' JSON format. No header of the user begins with `user:` or `failure:` unescaped.
const NAMES: Attributes = Attributes(Prefixes {
    attribute: "",
    content_type: Some("datacontenttype"),
    failure: "failure:",
    escape: "user:",
    is_reserved: |_| true,
});

impl OutboxEvent {
    /// A new event for a table: the payload is written now, so that an event that cannot be written fails in the transaction of its row.
    ///
    /// # Errors
    /// When the value cannot be written in this format.
    pub fn new<E: EventType>(event: &Event<E>, format: Format) -> Result<Self, EncodeError> {
        let body = event.data.encode(format)?;
        let mut envelope = event.envelope.clone();
        envelope.content_type = ByteString::from_static(format.content_type());
        Ok(Self { sequence: 0, envelope, body })
    }

    /// The event of a row.
    ///
    /// # Errors
    /// When `envelope` is not a text of [`envelope_text`](Self::envelope_text): give the error to the relay, in the place of the event.
    pub fn from_row(sequence: u64, envelope: &str, body: impl Into<Bytes>) -> OutboxRow {
        let unreadable =
            |problem: String| UnreadableRow { sequence, reason: format!("its envelope: {problem}") };
        let pairs: Vec<(String, Value)> =
            serde_json::from_str(envelope).map_err(|error| unreadable(error.to_string()))?;
        // A broken attribute must not count as absent: without its id an event has a new id in each attempt, without its key no order.
        let is_broken = |(name, value): &&(String, Value)| match (name.as_str(), value) {
            ("id" | "type", Value::Text(text)) => text.is_empty(),
            ("time", Value::Text(text)) => text.parse::<jiff::Timestamp>().is_err(),
            ("schemaversion", Value::Text(text)) => text.parse::<u32>().is_err(),
            (_, Value::Text(_)) => false,
            (name, Value::Bytes(_)) => {
                !name.starts_with(NAMES.0.escape) && !name.starts_with(NAMES.0.failure)
            }
        };
        if let Some((name, _)) = pairs.iter().find(is_broken) {
            return Err(unreadable(format!("its attribute {name} is broken")));
        }
        for wanted in ["id", "type"] {
            if !pairs.iter().any(|(name, _)| name == wanted) {
                return Err(unreadable(format!("it has no {wanted}")));
            }
        }
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into_bytes()));
        Ok(Self { sequence, envelope: NAMES.read(Envelope::new(""), pairs), body: body.into() })
    }

    /// The envelope as JSON text, for a column of the table: pairs of name and value.
    pub fn envelope_text(&self) -> String {
        let pairs = NAMES.write(&self.envelope).into_iter();
        let pairs: Vec<(String, Value)> = pairs.map(|(name, value)| (name, Value::of(value))).collect();
        // Texts and lists of numbers can always be written.
        serde_json::to_string(&pairs).unwrap_or_default()
    }
}

/// Text stays readable in the table; a header that is no text is a list of its bytes.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn of(bytes: Bytes) -> Self {
        match String::from_utf8(bytes.into()) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => bytes.into(),
        }
    }
}

/// A [`Relay`](super::Relay) publishes through it. The id of the event stays.
#[async_trait]
impl EventPublisher<OutboxEvent> for MessageProducer {
    async fn publish(&self, event: OutboxEvent) -> Result<Receipt, PublishError> {
        self.send_encoded(event.envelope, event.body).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_row_keeps_every_field() {
        let mut envelope = Envelope::new("user.created");
        envelope.time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        envelope.source = "shop".into();
        envelope.version = 3;
        envelope.key = Some("7".into());
        envelope.correlation = Some("c".into());
        envelope.cause = Some("before".into());
        envelope.trace_parent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        envelope.content_type = "application/msgpack".into();
        for name in ["plain", "id", "type", "user:x", "failure:kind", "größe"] {
            envelope.headers.insert(name, "[1,2] \" ä\0");
        }
        envelope.headers.insert("bytes", &b"\xff\xfe"[..]);
        let event = OutboxEvent { sequence: 9, envelope, body: Bytes::from_static(b"\x81") };
        assert_eq!(OutboxEvent::from_row(9, &event.envelope_text(), event.body.clone()).unwrap(), event);
    }

    #[test]
    fn a_text_that_is_no_envelope_is_an_error() {
        for text in ["", "{}", "[]", r#"[["id","1"]]"#, r#"[["id",7],["type","x"]]"#] {
            assert!(OutboxEvent::from_row(1, text, "").is_err(), "{text}");
        }
        let with = |more: &str| OutboxEvent::from_row(1, &format!(r#"[["type","x"],{more}]"#), "");
        assert!(with(r#"["id","1"]"#).is_ok());
        for broken in [
            r#"["id",""]"#,
            r#"["id","1"],["partitionkey",[255]]"#,
            r#"["id","1"],["time","yesterday"]"#,
            r#"["id","1"],["schemaversion","one"]"#,
        ] {
            let error = with(broken).unwrap_err();
            assert!(error.to_string().starts_with("the row 1 of the outbox cannot be read"), "{error}");
        }
    }
}
