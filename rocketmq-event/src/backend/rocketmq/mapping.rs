use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use bytestring::ByteString;
use rocketmq_client::model::{Message, MessageExt, message_const};

use crate::event::{Attributes, Envelope, Position, Prefixes};

/// The names of CloudEvents' module for RocketMQ (`cloudevents-rocketmq` of its Java SDK).
const NAMES: Attributes = Attributes(Prefixes {
    attribute: "CE_",
    content_type: Some("CE_contenttype"),
    failure: "EVENT_FAILURE_",
    escape: "EVENT_USER_",
    is_reserved,
});

/// Before the name of a property whose name or value brokers cannot keep as it is: both are base64.
const ENCODED: &str = "EVENT_BASE64_";
/// Brokers refuse a message without a body: it has one byte, and this property.
const NO_BODY: &str = "EVENT_NO_BODY";

/// Properties that brokers and clients set for themselves.
fn is_reserved(name: &str) -> bool {
    const PREFIXES: [&str; 7] = ["TIMER_", "__", "INNER_", "POP_CK", "1ST_POP", "DLQ_", "PROPERTY_"];
    message_const::is_reserved(name)
        || name == NO_BODY
        || name.starts_with(ENCODED)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || ["TRACE_CONTEXT", "REDIRECT", "ORIGIN_GROUP", message_const::PROPERTY_SHARDING_KEY].contains(&name)
}

/// The message of an envelope and its payload.
pub(super) fn message(topic: &str, envelope: &Envelope, body: Bytes) -> Message {
    let is_empty = body.is_empty();
    let mut message = Message::new(topic, if is_empty { Bytes::from_static(b"-") } else { body });
    if is_empty {
        message.put_property(NO_BODY, "1");
    }
    for (name, value) in NAMES.write(envelope) {
        match std::str::from_utf8(&value).ok().filter(|value| is_clean(&name) && is_clean(value)) {
            Some(value) => message.put_property(name, value),
            None => {
                let name = format!("{ENCODED}{}", URL_SAFE_NO_PAD.encode(name));
                // An empty value would vanish: the mark before it stays.
                message.put_property(name, format!("={}", URL_SAFE_NO_PAD.encode(&value)));
            }
        }
    }
    if is_tag(&envelope.name) {
        message.set_tags(&*envelope.name);
    }
    // Keys are separated by blanks; the client refuses others.
    let keys = [Some(envelope.id.as_str()), envelope.key.as_deref()];
    let keys: Vec<&str> =
        keys.into_iter().flatten().filter(|key| is_clean(key) && !key.contains(' ')).collect();
    if !keys.is_empty() {
        message.set_keys(keys.join(" "));
    }
    message
}

/// Whether brokers can filter by this name: they trim tags, and split expressions at `||`.
pub(super) fn is_tag(name: &str) -> bool {
    is_clean(name)
        && name != "*"
        && !name.contains(|character: char| character == '|' || character.is_whitespace())
}

fn is_clean(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['\0', '\u{1}', '\u{2}'])
}

/// The envelope of a message, and its payload.
pub(super) fn envelope(message: &MessageExt) -> (Envelope, Bytes) {
    let mut native = Envelope::new(message.message().tags().unwrap_or_default().to_owned());
    native.id = message.msg_id().to_owned().into();
    native.time =
        UNIX_EPOCH + Duration::from_millis(u64::try_from(message.born_timestamp()).unwrap_or_default());
    native.key = message.message().sharding_key().map(ByteString::from);
    let properties = message.message().properties().iter();
    let envelope = NAMES.read(native, properties.map(|(name, value)| property(name, value)));
    let is_empty = message.message().property(NO_BODY).is_some();
    (envelope, if is_empty { Bytes::new() } else { message.body().clone() })
}

/// A property as it was before it was encoded.
fn property(name: &str, value: &str) -> (ByteString, Bytes) {
    let decoded = name.strip_prefix(ENCODED).and_then(|name| {
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        let value = URL_SAFE_NO_PAD.decode(value.strip_prefix('=')?).ok()?;
        Some((ByteString::from(name), Bytes::from(value)))
    });
    decoded.unwrap_or_else(|| (name.into(), Bytes::copy_from_slice(value.as_bytes())))
}

/// Where a message lies. `stream` is the user's name for what `message` was read from.
pub(super) fn position(stream: &ByteString, message: &MessageExt) -> Position {
    let place = format!("{}/{}", message.broker_name(), message.queue_id());
    let topic = message.message().topic();
    let place = if topic == &**stream { place } else { format!("{topic}/{place}") };
    Position {
        stream: stream.clone(),
        place: place.into(),
        offset: u64::try_from(message.queue_offset()).ok(),
    }
}
