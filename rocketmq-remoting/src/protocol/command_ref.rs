//! A command to be written that borrows all its parts.

use super::{EncodeHeader, ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use bytes::Bytes;
use std::time::Duration;

static NO_FIELDS: ExtFields = ExtFields::ABSENT;
static NO_BODY: Bytes = Bytes::new();

/// The parts of a request or answer that its sender decides, borrowed. A typed header is encoded without a map, and the
/// body is copied at most once, into the write buffer. [`RemotingCommand`] is the owned form.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommandRef<'a, H: ?Sized> {
    /// Request or response code.
    pub code: i32,
    /// A text for people.
    pub remark: Option<&'a str>,
    /// The typed header.
    pub header: &'a H,
    /// Fields to write after the header's own, such as a signature.
    pub fields: &'a ExtFields,
    /// The body.
    pub body: &'a Bytes,
    /// How long the peer may hold its answer back; zero for a request that is answered at once.
    pub hold: Duration,
}

impl<'a, H: EncodeHeader + ?Sized> CommandRef<'a, H> {
    /// A request with this header.
    #[must_use]
    pub fn request(code: RequestCode, header: &'a H) -> Self {
        Self { code: code.0, remark: None, header, fields: &NO_FIELDS, body: &NO_BODY, hold: Duration::ZERO }
    }

    /// An answer with this header.
    #[must_use]
    pub fn response(code: ResponseCode, header: &'a H) -> Self {
        Self { code: code.0, remark: None, header, fields: &NO_FIELDS, body: &NO_BODY, hold: Duration::ZERO }
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(self, body: &'a Bytes) -> Self {
        Self { body, ..self }
    }

    /// Sets the remark, if there is one.
    #[must_use]
    pub fn with_remark(self, remark: Option<&'a str>) -> Self {
        Self { remark, ..self }
    }

    /// Marks a long poll: the peer may hold its answer back for `hold`. While it is held, the request does not count
    /// as load of its connection, and its silence says nothing about the peer. Choose a deadline some seconds later
    /// than `hold`: the request may end 250 ms after its deadline. `hold` is not written; the header tells the peer
    /// how long to wait.
    #[must_use]
    pub fn held_for(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// Adds fields beside the header's own.
    #[must_use]
    pub fn with_fields(self, fields: &'a ExtFields) -> Self {
        Self { fields, ..self }
    }
}

impl<'a> From<&'a RemotingCommand> for CommandRef<'a, NoHeader> {
    fn from(command: &'a RemotingCommand) -> Self {
        Self {
            code: command.code,
            remark: command.remark.as_deref(),
            header: &NoHeader,
            fields: &command.ext_fields,
            body: &command.body,
            hold: Duration::ZERO,
        }
    }
}
