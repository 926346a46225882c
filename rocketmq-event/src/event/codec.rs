use std::fmt;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::error::SharedError;

/// The format of a payload. A reader learns it from the content type of the message, never from its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// `application/json`.
    #[default]
    Json,
    /// `application/msgpack`: fields by name, so that a new field breaks no reader. Needs the feature `msgpack`.
    MessagePack,
    /// `application/protobuf`. Needs the feature `protobuf`, and a type that says how.
    Protobuf,
}

impl Format {
    /// The content type of this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
            Self::Protobuf => "application/protobuf",
        }
    }

    /// The format of a content type; parameters (`charset`) and the case of letters do not matter. `None`: unknown.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "application/json" | "text/json" => Some(Self::Json),
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
                Some(Self::MessagePack)
            }
            "application/protobuf" | "application/x-protobuf" => Some(Self::Protobuf),
            media if media.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_type())
    }
}

/// A value cannot be written in the wanted format.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The serializer of the type failed.
    #[error("the event cannot be written as {format}")]
    Failed {
        /// The wanted format.
        format: Format,
        /// The serializer's error.
        source: SharedError,
    },
    /// The crate was built without this format, or the type does not have it.
    #[error(
        "{format} is not available here: it needs a feature of rocketmq-event, or the type does not have this format"
    )]
    Unavailable {
        /// The wanted format.
        format: Format,
    },
    /// The handler's attempt has ended: nobody sends what its context publishes now.
    #[error("the event {name} is published too late: its handler has ended")]
    Late {
        /// The name of the event.
        name: String,
    },
}

/// A payload is not a value of the wanted type. Its message becomes a dead letter at once.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not a value of the type.
    #[error("the payload of {name} is no valid {format}")]
    Failed {
        /// The name of the event.
        name: String,
        /// The format that the content type says.
        format: Format,
        /// The deserializer's error.
        source: SharedError,
    },
    /// The crate was built without this format, or the type does not have it.
    #[error(
        "{format} is not available here: it needs a feature of rocketmq-event, or the type does not have this format"
    )]
    Unavailable {
        /// The format that the content type says.
        format: Format,
    },
    /// This crate does not know the content type.
    #[error("the content type {content_type:?} is not known")]
    ContentType {
        /// The content type of the message.
        content_type: String,
    },
    /// The type has no event of this name.
    #[error("the type has no event named {name}")]
    Name {
        /// The name of the event.
        name: String,
    },
}

/// Writes a serde value. Types that override [`EventType::encode`](super::EventType::encode) call it for their parts.
///
/// # Errors
/// `Failed` when the value cannot be written in the format, for example a map whose keys are no strings in JSON; `Unavailable` without the
/// feature of the format.
pub fn encode<T: Serialize + ?Sized>(value: &T, format: Format) -> Result<Bytes, EncodeError> {
    match format {
        Format::Json => serde_json::to_vec(value)
            .map(Bytes::from)
            .map_err(|source| EncodeError::Failed { format, source: SharedError::new(source) }),
        #[cfg(feature = "msgpack")]
        // With names of fields: by position, a new field would break readers.
        Format::MessagePack => rmp_serde::to_vec_named(value)
            .map(Bytes::from)
            .map_err(|source| EncodeError::Failed { format, source: SharedError::new(source) }),
        format => Err(EncodeError::Unavailable { format }),
    }
}

/// Reads a serde value. Types that override [`EventType::decode`](super::EventType::decode) call it for their parts. `name` is
/// the name of the event, for the error.
///
/// # Errors
/// `Failed` when the bytes are not a value of the type; `Unavailable` without the feature of the format.
pub fn decode<T: DeserializeOwned>(name: &str, format: Format, bytes: &[u8]) -> Result<T, DecodeError> {
    let failed = |source: SharedError| DecodeError::Failed { name: name.to_owned(), format, source };
    match format {
        Format::Json => serde_json::from_slice(bytes).map_err(|source| failed(SharedError::new(source))),
        #[cfg(feature = "msgpack")]
        Format::MessagePack => {
            rmp_serde::from_slice(bytes).map_err(|source| failed(SharedError::new(source)))
        }
        format => Err(DecodeError::Unavailable { format }),
    }
}
