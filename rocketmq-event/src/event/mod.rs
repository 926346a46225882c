//! Events: a value of the user's type ([`EventType`]) in an envelope, and how both become bytes and headers.
//!
//! - `event`: [`Event`], the value with its envelope
//! - `event_type`: [`EventType`], what a type is called on the wire
//! - `envelope`: [`Envelope`], all that travels beside the payload, and [`FailureRecord`], what the runtime adds after a failure
//! - `attributes`: the envelope as CloudEvents attributes, with the prefix of each backend
//! - `codec`: payloads as JSON, MessagePack or Protobuf
//! - `headers`: the user's own headers
//! - `proto`: types of `prost` as events (feature `protobuf`)
//! - `upcast`: payloads of older schema versions
//! - `pattern`: `user.*` and `#`

mod attributes;
mod codec;
mod envelope;
#[expect(clippy::module_inception, reason = "the event is what the room is about")]
mod event;
mod event_type;
mod headers;
mod pattern;
#[cfg(feature = "protobuf")]
mod proto;
mod upcast;

pub use attributes::{Attributes, Prefixes};
pub use codec::{DecodeError, EncodeError, Format, decode, encode};
pub(crate) use envelope::now;
pub use envelope::{Envelope, EventId, FailureKind, FailureRecord, Position};
pub use event::Event;
pub(crate) use event::envelope_of;
pub use event_type::EventType;
pub use headers::Headers;
pub use pattern::Pattern;
#[cfg(feature = "protobuf")]
pub use proto::{Proto, ProtoEvent};
pub(crate) use upcast::Upcasts;
