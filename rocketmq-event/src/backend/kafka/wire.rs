use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use bytestring::ByteString;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

use super::settings::MAX_RECORD;
use crate::backend::{Incoming, Tag};
use crate::error::{PublishError, PublishErrorKind};
use crate::event::{Attributes, Envelope, Position, Prefixes};

/// CloudEvents' binding for Kafka, in binary mode.
const NAMES: Attributes = Attributes(Prefixes {
    attribute: "ce_",
    content_type: Some("content-type"),
    failure: "event_failure_",
    escape: "event_user_",
    is_reserved: |_| false,
});
/// The bytes of a record beside body and headers, at most.
const OVERHEAD: usize = 1024;

/// The headers of an envelope.
pub(super) fn headers(
    envelope: &Envelope,
    body: &[u8],
    reserve: usize,
) -> Result<OwnedHeaders, PublishError> {
    let pairs = NAMES.write(envelope);
    let mut size = body.len() + envelope.key.as_ref().map_or(0, |key| key.len()) + OVERHEAD;
    let mut headers = OwnedHeaders::new_with_capacity(pairs.len());
    for (name, value) in &pairs {
        if name.contains('\0') {
            let what = "the name of a header has a byte 0, at which librdkafka ends it";
            return Err(PublishError::not_stored(PublishErrorKind::Invalid, what));
        }
        size += name.len() + value.len() + 10;
        headers = headers.insert(Header { key: name, value: Some(&value[..]) });
    }
    let limit = MAX_RECORD - reserve;
    if size > limit {
        let what = format!("a record of {size} bytes is larger than {limit}");
        return Err(PublishError::not_stored(PublishErrorKind::TooLarge, what));
    }
    Ok(headers)
}

/// When the record was stored, or when its publisher wrote it: `message.timestamp.type` of the topic decides.
pub(super) fn time(message: &BorrowedMessage<'_>) -> Option<SystemTime> {
    let millis = u64::try_from(message.timestamp().to_millis()?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The delivery of a record. `stream` is the user's name for the topic.
pub(super) fn incoming(message: &BorrowedMessage<'_>, stream: &ByteString) -> Incoming {
    let (topic, partition) = (message.topic(), message.partition());
    let mut native = Envelope::new(topic);
    // A record without an id gets an id from its place: each delivery has it.
    native.id = format!("{topic}/{partition}@{}", message.offset()).into();
    native.time = time(message).unwrap_or(native.time);
    // A key that is not text still decides over the partition.
    native.key = message.key().and_then(|key| std::str::from_utf8(key).ok()).map(ByteString::from);
    let headers = message.headers();
    let pairs = headers.into_iter().flat_map(|headers| headers.iter()).map(|header| {
        let value = header.value.map(Bytes::copy_from_slice).unwrap_or_default();
        (ByteString::from(header.key), value)
    });
    Incoming {
        tag: Tag(0),
        envelope: NAMES.read(native, pairs),
        body: message.payload().map(Bytes::copy_from_slice).unwrap_or_default(),
        position: Position {
            stream: stream.clone(),
            place: partition.to_string().into(),
            offset: u64::try_from(message.offset()).ok(),
        },
        redeliveries: 0,
        revoked: Default::default(),
    }
}
