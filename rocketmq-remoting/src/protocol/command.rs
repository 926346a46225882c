//! A command: one request or one answer.

use super::{CommandFlag, DecodeHeader, EncodeError, EncodeHeader, ExtFields, FrameHead, HeaderError};
use super::{LanguageCode, NoHeader, RequestCode, RequestHeader, ResponseCode, SerializeType};
use super::{encode_frame, mq_version};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

/// One request or one answer with everything in its frame. Java `RemotingCommand`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotingCommand {
    /// Request or response code, see [`RequestCode`] and [`ResponseCode`].
    pub code: i32,
    /// Language of the sender.
    pub language: LanguageCode,
    /// Version of the sender, see [`mq_version`].
    pub version: i32,
    /// Pairs a request with its answer; unique on one connection.
    pub opaque: i32,
    /// Request, answer or one-way request.
    pub flag: CommandFlag,
    /// A text for people, mostly about an error. A successful answer may have a remark, too.
    pub remark: Option<ByteString>,
    /// The fields of the typed header, and fields that hooks added.
    pub ext_fields: ExtFields,
    /// JSON, messages or nothing, depending on the code.
    pub body: Bytes,
    /// The encoding in which the header arrived, or in which it is to be written.
    pub serialize_type: SerializeType,
}

impl RemotingCommand {
    /// A request from this side, without header and body.
    #[must_use]
    pub fn request(code: RequestCode) -> Self {
        Self::new(code.0, CommandFlag::REQUEST)
    }

    /// A request with this header and its code.
    #[must_use]
    pub fn request_with<H: RequestHeader + ?Sized>(header: &H) -> Self {
        Self::request(header.code()).with_header(header)
    }

    /// An answer from this side, without header and body. Set its `opaque` to the request's.
    #[must_use]
    pub fn response(code: ResponseCode) -> Self {
        Self::new(code.0, CommandFlag::RESPONSE)
    }

    fn new(code: i32, flag: CommandFlag) -> Self {
        Self {
            code,
            language: LanguageCode::RUST,
            version: mq_version::CURRENT_VERSION,
            opaque: 0,
            flag,
            remark: None,
            ext_fields: ExtFields::absent(),
            body: Bytes::new(),
            serialize_type: SerializeType::Json,
        }
    }

    /// Adds the fields of a typed header. A header without fields still makes the list present.
    #[must_use]
    pub fn with_header<H: EncodeHeader + ?Sized>(mut self, header: &H) -> Self {
        if header.is_present() && !self.ext_fields.is_present() {
            self.ext_fields = ExtFields::empty();
        }
        header.encode_fields(&mut self.ext_fields);
        self
    }

    /// Adds one field.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.ext_fields.insert(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the remark.
    #[must_use]
    pub fn with_remark(mut self, remark: impl Into<ByteString>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// Sets the number that pairs request and answer.
    #[must_use]
    pub fn with_opaque(mut self, opaque: i32) -> Self {
        self.opaque = opaque;
        self
    }

    /// Marks a request as one-way: it gets no answer.
    #[must_use]
    pub fn oneway(mut self) -> Self {
        self.flag = self.flag.with(CommandFlag::ONEWAY);
        self
    }

    /// Whether this is an answer.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.flag.is_response()
    }

    /// Whether this request must not be answered.
    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.flag.is_oneway()
    }

    /// The code of a request.
    #[must_use]
    pub fn request_code(&self) -> RequestCode {
        RequestCode(self.code)
    }

    /// The code of an answer.
    #[must_use]
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.code)
    }

    /// The remark, or an empty text.
    #[must_use]
    pub fn remark(&self) -> &str {
        self.remark.as_deref().unwrap_or_default()
    }

    /// Reads the typed header from the ext fields.
    ///
    /// # Errors
    ///
    /// A required field is missing, or a value does not fit its field.
    pub fn header<H: DecodeHeader>(&self) -> Result<H, HeaderError> {
        H::decode_fields(&self.ext_fields)
    }

    /// Appends the whole frame to `out`, body included.
    ///
    /// # Errors
    ///
    /// A part does not fit, see [`EncodeError`]; `out` is then unchanged.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let head = FrameHead {
            serialize_type: self.serialize_type,
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: self.flag,
        };
        let remark = self.remark.as_deref();
        encode_frame(out, &head, remark, &NoHeader, &self.ext_fields, self.body.len())?;
        out.extend_from_slice(&self.body);
        Ok(())
    }
}
