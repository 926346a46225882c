use std::borrow::Cow;
use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Envelope, EventId, EventType};

/// A value of the user's type in its envelope. The fields of the [`Envelope`] can be read directly: `event.id`, `event.time`.
///
/// ```
/// use rocketmq_event::{Event, EventType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated { user_id: i64 }
/// impl EventType for UserCreated {
///     const NAMES: &'static [&'static str] = &["user.created"];
/// }
///
/// let event = Event::new(UserCreated { user_id: 7 }).with_key("7").with_header("tenant", "blue");
/// assert_eq!((&*event.name, event.data.user_id), ("user.created", 7));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event<T> {
    /// All that travels beside the payload.
    pub envelope: Envelope,
    /// The payload.
    pub data: T,
}

impl<T: EventType> Event<T> {
    /// A new event: new id, time of now, name, version and key from the value.
    pub fn new(data: T) -> Self {
        Self { envelope: envelope_of(&data), data }
    }
}

/// The envelope of a value that is published alone.
pub(crate) fn envelope_of<T: EventType>(data: &T) -> Envelope {
    let mut envelope = Envelope::new(data.name().to_owned());
    envelope.version = T::VERSION;
    envelope.key = data.key().map(Cow::into_owned).map(ByteString::from);
    envelope
}

impl<T> Event<T> {
    pub(crate) fn from_parts(envelope: Envelope, data: T) -> Self {
        Self { envelope, data }
    }

    /// Events with equal keys keep their order.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<ByteString>) -> Self {
        self.envelope.key = Some(key.into());
        self
    }

    /// The id by which a second delivery is known.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.envelope.id = id.into();
        self
    }

    /// The conversation that the event belongs to.
    #[must_use]
    pub fn with_correlation(mut self, correlation: impl Into<ByteString>) -> Self {
        self.envelope.correlation = Some(correlation.into());
        self
    }

    /// Sets a header of the user's own.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<ByteString>, value: impl Into<Bytes>) -> Self {
        self.envelope.headers.insert(name, value);
        self
    }
}

impl<T> Deref for Event<T> {
    type Target = Envelope;

    fn deref(&self) -> &Envelope {
        &self.envelope
    }
}
