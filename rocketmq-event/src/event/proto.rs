use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{DecodeError, EncodeError, EventType, Format};
use crate::error::SharedError;

/// What a Protobuf message is called on the wire; [`EventType`] for types of `prost`.
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
/// `Event<Proto<M>>`. It has no other format.
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
