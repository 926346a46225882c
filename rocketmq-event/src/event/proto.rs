use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{DecodeError, EncodeError, EventType, Format};
use crate::error::SharedError;

/// The name of a Protobuf message on the wire; [`EventType`] for types of `prost`.
pub trait ProtoEvent: Message + Default + 'static {
    /// As [`EventType::NAMES`].
    const NAMES: &'static [&'static str];
    /// As [`EventType::VERSION`].
    const VERSION: u32 = 1;

    /// As [`EventType::key`].
    fn key(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// A Protobuf message as an event: `producer.with_format(Format::Protobuf).send(&Proto(message))`, and a handler of
/// `Event<Proto<M>>`. It has no other format. Types are derived by `prost` 0.14, which your Cargo.toml names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proto<M>(pub M);

impl<M: ProtoEvent> EventType for Proto<M> {
    const NAMES: &'static [&'static str] = M::NAMES;
    const VERSION: u32 = M::VERSION;

    fn key(&self) -> Option<Cow<'_, str>> {
        self.0.key()
    }

    fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
        match format {
            Format::Protobuf => Ok(self.0.encode_to_vec().into()),
            format => Err(EncodeError::Unavailable { format }),
        }
    }

    fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        let failed =
            |source| DecodeError::Failed { name: name.to_owned(), format, source: SharedError::new(source) };
        match format {
            Format::Protobuf => M::decode(bytes).map(Self).map_err(failed),
            format => Err(DecodeError::Unavailable { format }),
        }
    }
}

/// The bytes of the message.
impl<M: Message> Serialize for Proto<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.encode_to_vec())
    }
}

impl<'de, M: Message + Default> Deserialize<'de> for Proto<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        M::decode(&*bytes).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `prost` implements `Message` for a text: a message with this text as its field 1.
    impl ProtoEvent for String {
        const NAMES: &'static [&'static str] = &["text"];
    }

    #[test]
    fn a_protobuf_message_is_an_event_in_this_format_alone() {
        let text = Proto("hello".to_owned());
        let bytes = text.encode(Format::Protobuf).unwrap();
        assert_eq!(&bytes[..], b"\x0a\x05hello");
        assert_eq!(Proto::decode("text", 1, Format::Protobuf, &bytes).unwrap(), text);
        assert!(matches!(text.encode(Format::Json), Err(EncodeError::Unavailable { .. })));
        assert!(Proto::<String>::decode("text", 1, Format::Protobuf, b"\xff").is_err());
    }
}
