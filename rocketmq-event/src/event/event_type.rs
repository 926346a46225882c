use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::codec::{self, DecodeError, EncodeError, Format};

/// The name of a type on the wire. Two lines for a struct with serde:
///
/// ```
/// use rocketmq_event::EventType;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated {
///     user_id: i64,
/// }
///
/// impl EventType for UserCreated {
///     const NAMES: &'static [&'static str] = &["user.created"];
/// }
/// ```
///
/// An enum of events answers by variant, and encodes the payload of the variant alone. So a handler of `UserCreated` reads
/// what an enum published:
///
/// ```
/// use bytes::Bytes;
/// use rocketmq_event::event::{self, DecodeError, EncodeError, EventType, Format};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated { user_id: i64 }
/// #[derive(Serialize, Deserialize)]
/// struct UserDeleted { user_id: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// enum UserEvent { Created(UserCreated), Deleted(UserDeleted) }
///
/// impl EventType for UserEvent {
///     const NAMES: &'static [&'static str] = &["user.created", "user.deleted"];
///
///     fn name(&self) -> &str {
///         match self {
///             Self::Created(_) => "user.created",
///             Self::Deleted(_) => "user.deleted",
///         }
///     }
///
///     fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
///         match self {
///             Self::Created(created) => event::encode(created, format),
///             Self::Deleted(deleted) => event::encode(deleted, format),
///         }
///     }
///
///     fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
///         match name {
///             "user.created" => event::decode(name, format, bytes).map(Self::Created),
///             "user.deleted" => event::decode(name, format, bytes).map(Self::Deleted),
///             _ => Err(DecodeError::Name { name: name.to_owned() }),
///         }
///     }
/// }
/// ```
pub trait EventType: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The names that this type can have, CloudEvents' `type`: words between dots. A handler subscribes to all of them.
    const NAMES: &'static [&'static str];

    /// The version of the payload's schema. Raise it when a reader of the old one cannot read the new one.
    const VERSION: u32 = 1;

    /// The name of this value: one of `NAMES`, the first by default.
    fn name(&self) -> &str {
        Self::NAMES.first().copied().unwrap_or_default()
    }

    /// Events with equal keys keep their order. By default an event has no key.
    fn key(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Writes the payload; by default with serde.
    ///
    /// # Errors
    /// When the value cannot be written in this format. The event is not published.
    fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
        codec::encode(self, format)
    }

    /// Reads the payload of an event of this name and schema version; by default with serde, whatever the version is.
    ///
    /// # Errors
    /// When the bytes are not a value of the type. The message becomes a dead letter at once.
    fn decode(name: &str, version: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        let _ = version;
        codec::decode(name, format, bytes)
    }
}
