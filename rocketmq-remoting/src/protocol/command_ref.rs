//! A command to be written, without owning anything of it.

use super::{EncodeHeader, ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use bytes::Bytes;

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
}

impl<'a, H: EncodeHeader + ?Sized> CommandRef<'a, H> {
    /// A request with this header.
    #[must_use]
    pub fn request(code: RequestCode, header: &'a H) -> Self {
        Self { code: code.0, remark: None, header, fields: &NO_FIELDS, body: &NO_BODY }
    }

    /// An answer with this header.
    #[must_use]
    pub fn response(code: ResponseCode, header: &'a H) -> Self {
        Self { code: code.0, remark: None, header, fields: &NO_FIELDS, body: &NO_BODY }
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
        }
    }
}
