//! A command to be written, without owning anything of it.

use super::{EncodeHeader, ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use bytes::Bytes;
use std::time::Duration;

static NO_FIELDS: ExtFields = ExtFields::ABSENT;
static NO_BODY: Bytes = Bytes::new();

/// What of a request or an answer its sender decides, borrowed: on the way out there is no map between a typed header
/// and its bytes, and no copy of the body but the one into the write buffer. [`RemotingCommand`] is the owned form.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommandRef<'a, H: ?Sized> {
    /// Request or response code.
    pub code: i32,
    /// A text for people.
    pub remark: Option<&'a str>,
    /// The typed header.
    pub header: &'a H,
    /// Fields beside the header's own, such as a signature. They follow after those.
    pub fields: &'a ExtFields,
    /// The body.
    pub body: &'a Bytes,
    /// How long the peer may hold its answer back; zero for requests that are answered at once.
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

    /// Says that this is a long poll: the peer may hold its answer back for this long. While it is held it does not
    /// count as load of its connection, and its silence says nothing about the peer. Let the deadline be some seconds
    /// later than that: it ends up to 250 ms late. Nothing of this is written; the header says what the peer is to do.
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
