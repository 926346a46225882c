use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use bytestring::ByteString;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::error::{PublishError, PublishErrorKind};
use crate::event::{Attributes, Envelope, Prefixes};

/// The names that CloudEvents gives to attributes in AMQP 1.0, which RabbitMQ makes of these headers for clients of that version.
const NAMES: Attributes = Attributes(Prefixes {
    attribute: "cloudEvents:",
    content_type: None,
    failure: "eventFailure:",
    escape: "eventHeader:",
    is_reserved,
});
/// Stored on disk.
const PERSISTENT: u8 = 2;
/// Headers go in one frame, which the broker limits to 128 KiB.
const MAX_HEADERS: usize = 120 * 1024;
/// Type and length of a name and of its value.
const OVERHEAD: usize = 6;

/// Headers that the broker itself writes or reads.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["CC", "BCC", "x-death", "x-delivery-count", "x-acquired-count", "x-stream-offset"];
    const PREFIXES: [&str; 2] = ["x-first-death-", "x-last-death-"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Properties and headers of an envelope, which leave `reserve` bytes free.
pub(super) fn properties(envelope: &Envelope, reserve: usize) -> Result<BasicProperties, PublishError> {
    let mut headers = FieldTable::default();
    let mut size = 0;
    for (name, value) in NAMES.write(envelope) {
        size += name.len() + value.len() + OVERHEAD;
        let name = ShortString::try_new(name).map_err(|_| {
            let what = "the name of a header is longer than the 250 bytes that fit in AMQP";
            PublishError::not_stored(PublishErrorKind::Invalid, what)
        })?;
        headers.insert(name, AMQPValue::LongString(LongString::from(Vec::from(value))));
    }
    let limit = MAX_HEADERS - reserve;
    if size > limit {
        let what = format!("headers of {size} bytes are larger than {limit}");
        return Err(PublishError::not_stored(PublishErrorKind::TooLarge, what));
    }
    let since = envelope.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut properties = BasicProperties::default()
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(since.as_secs());
    // For other readers: what does not fit stands in the headers alone.
    let fitting = |text: &str| ShortString::try_new(text).ok().filter(|text| !text.as_str().is_empty());
    if let Some(id) = fitting(envelope.id.as_str()) {
        properties = properties.with_message_id(id);
    }
    if let Some(name) = fitting(&envelope.name) {
        properties = properties.with_type(name);
    }
    if let Some(correlation) = envelope.correlation.as_deref().and_then(fitting) {
        properties = properties.with_correlation_id(correlation);
    }
    let Ok(content_type) = ShortString::try_new(&*envelope.content_type) else {
        let what = "the content type is longer than the 255 bytes that fit in AMQP";
        return Err(PublishError::not_stored(PublishErrorKind::Invalid, what));
    };
    Ok(properties.with_content_type(content_type))
}

/// The envelope of a message; of a message that knows nothing of CloudEvents, from its properties.
pub(super) fn envelope(routing_key: &str, properties: &BasicProperties) -> Envelope {
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| ByteString::from(text.as_str()));
    let name = text(properties.kind()).unwrap_or_else(|| routing_key.into());
    let mut native = Envelope::new(name);
    if let Some(id) = text(properties.message_id()) {
        native.id = id.into();
    }
    if let Some(seconds) = properties.timestamp() {
        native.time = UNIX_EPOCH.checked_add(Duration::from_secs(*seconds)).unwrap_or(native.time);
    }
    if let Some(content_type) = text(properties.content_type()) {
        native.content_type = content_type;
    }
    native.correlation = text(properties.correlation_id());
    native.source = text(properties.app_id()).unwrap_or_default();
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let pairs = headers.into_iter().flatten();
    NAMES.read(native, pairs.filter_map(|(name, value)| Some((name.as_str().into(), bytes(value)?))))
}

/// How often the broker has handed the message out before. Only quorum queues count it.
pub(super) fn delivery_count(properties: &BasicProperties) -> u32 {
    let headers = properties.headers().as_ref();
    let count = headers.and_then(|headers| headers.inner().get("x-delivery-count"));
    count.and_then(whole).and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

/// Where the message lies in a stream queue.
pub(super) fn stream_offset(properties: &BasicProperties) -> Option<u64> {
    let offset = properties.headers().as_ref()?.inner().get("x-stream-offset")?;
    whole(offset).and_then(|offset| u64::try_from(offset).ok())
}

/// Why the broker itself moved the message here last: `delivery_limit`, `expired`, `rejected`.
pub(super) fn death(properties: &BasicProperties) -> Option<String> {
    let deaths = properties.headers().as_ref()?.inner().get("x-death")?;
    let AMQPValue::FieldArray(deaths) = deaths else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    String::from_utf8(bytes(last.inner().get("reason")?)?.into()).ok()
}

fn whole(value: &AMQPValue) -> Option<i64> {
    Some(match value {
        AMQPValue::ShortShortInt(number) => (*number).into(),
        AMQPValue::ShortShortUInt(number) => (*number).into(),
        AMQPValue::ShortInt(number) => (*number).into(),
        AMQPValue::ShortUInt(number) => (*number).into(),
        AMQPValue::LongInt(number) => (*number).into(),
        AMQPValue::LongUInt(number) => (*number).into(),
        AMQPValue::LongLongInt(number) => *number,
        _ => return None,
    })
}

/// The value as bytes; other publishers send numbers too. `None` for tables and arrays.
fn bytes(value: &AMQPValue) -> Option<Bytes> {
    if let Some(number) = whole(value) {
        return Some(number.to_string().into());
    }
    match value {
        AMQPValue::LongString(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        AMQPValue::ShortString(text) => Some(Bytes::copy_from_slice(text.as_str().as_bytes())),
        AMQPValue::ByteArray(bytes) => Some(Bytes::copy_from_slice(bytes.as_slice())),
        AMQPValue::Boolean(value) => Some(value.to_string().into()),
        AMQPValue::Float(value) => Some(value.to_string().into()),
        AMQPValue::Double(value) => Some(value.to_string().into()),
        AMQPValue::Timestamp(seconds) => Some(seconds.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_comes_back_equal() {
        let mut envelope = Envelope::new("user.created");
        envelope.correlation = Some("c".into());
        envelope.key = Some("7".into());
        for name in ["CC", "x-death", "cloudEvents:id", "eventHeader:x", "größe"] {
            envelope.headers.insert(name, &b"\0\xff"[..]);
        }
        let properties = properties(&envelope, 0).unwrap();
        let mut read = super::envelope("elsewhere", &properties);
        // AMQP sorts headers by name.
        let mut expected: Vec<_> = envelope.headers.iter().collect();
        let mut found: Vec<_> = read.headers.iter().collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        read.headers = envelope.headers.clone();
        assert_eq!(read, envelope);
    }

    #[test]
    fn a_foreign_message_has_the_envelope_of_its_properties() {
        let mut headers = FieldTable::default();
        headers.insert("tenant".into(), AMQPValue::LongInt(7));
        let properties = BasicProperties::default().with_headers(headers).with_message_id("id".into());
        let read = envelope("user.created", &properties);
        assert_eq!(
            (&*read.name, read.id.as_str(), read.headers.text("tenant")),
            ("user.created", "id", Some("7"))
        );
    }

    #[test]
    fn headers_that_fit_in_no_frame_are_not_sent() {
        let mut envelope = Envelope::new("user.created");
        envelope.headers.insert("large", vec![0; MAX_HEADERS]);
        assert_eq!(properties(&envelope, 0).unwrap_err().kind(), PublishErrorKind::TooLarge);
    }
}
