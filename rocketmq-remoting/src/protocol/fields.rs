//! Typed headers: read and written without a map between struct and bytes.

use super::ext_fields::FieldValue;
use super::{EncodedFields, ExtFields, FieldsView, RequestCode};
use bytestring::ByteString;

/// Receives the fields of a typed header: a frame, or a list.
///
/// Names are those of Java's classes: printable ASCII without quotes and backslashes, which is not checked. Values may
/// be any text.
pub trait FieldSink {
    /// A text.
    fn text(&mut self, name: &str, value: &str);
    /// An integer, written in decimal.
    fn int(&mut self, name: &str, value: i64);
    /// `true` or `false`.
    fn flag(&mut self, name: &str, value: bool);
    /// A text given in parts, which are written one after the other.
    fn joined(&mut self, name: &str, parts: &[&str]) {
        self.text(name, &parts.concat());
    }
    /// Fields that were encoded earlier.
    fn encoded(&mut self, fields: &EncodedFields) {
        for (name, value) in &fields.fields() {
            self.text(&name, &value);
        }
    }
}

/// A header that can be written. Java `CommandCustomHeader`.
pub trait EncodeHeader {
    /// Writes every field that has a value, each once.
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S);

    /// Whether the command has a header. A header without fields is `{}` in JSON, which differs from no header.
    fn is_present(&self) -> bool {
        true
    }
}

/// A header that can be read.
pub trait DecodeHeader: Sized {
    /// Reads the fields that this header has and ignores all others.
    ///
    /// # Errors
    ///
    /// A required field is missing, or a value does not fit its field.
    fn decode_fields(fields: &ExtFields) -> Result<Self, HeaderError>;
}

/// The header of a request, which knows its code and the header of the answer.
pub trait RequestHeader: EncodeHeader {
    /// The header of a successful answer.
    type Response: DecodeHeader;

    /// The request code.
    fn code(&self) -> RequestCode;
}

/// No header: writes nothing and accepts any fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoHeader;

impl EncodeHeader for NoHeader {
    fn encode_fields<S: FieldSink + ?Sized>(&self, _: &mut S) {}

    fn is_present(&self) -> bool {
        false
    }
}

impl DecodeHeader for NoHeader {
    fn decode_fields(_: &ExtFields) -> Result<Self, HeaderError> {
        Ok(Self)
    }
}

impl<H: EncodeHeader + ?Sized> EncodeHeader for &H {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        (**self).encode_fields(sink);
    }

    fn is_present(&self) -> bool {
        (**self).is_present()
    }
}

/// Why a typed header cannot be read from ext fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A required field is missing.
    #[error("{header} has no {field}")]
    Missing {
        /// Name of the header's struct.
        header: &'static str,
        /// The field's name on the wire.
        field: &'static str,
    },
    /// A value does not fit its field.
    #[error("{field} of {header} is {value:?}, which is not {expected}")]
    Invalid {
        /// Name of the header's struct.
        header: &'static str,
        /// The field's name on the wire.
        field: &'static str,
        /// The first 64 characters of the value.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
}

/// Decodes a value; `None` for null.
#[inline]
pub(crate) fn decode_value<T: HeaderField>(
    header: &'static str,
    field: &'static str,
    value: Option<FieldValue<'_>>,
) -> Result<Option<T>, HeaderError> {
    let Some(value) = value else { return Ok(None) };
    match T::decode(value) {
        Some(decoded) => Ok(Some(decoded)),
        None => {
            let value = value.text().chars().take(64).collect();
            Err(HeaderError::Invalid { header, field, value, expected: T::EXPECTED })
        }
    }
}

/// The error for damaged fields.
#[cold]
pub(crate) fn damaged(header: &'static str, fields: FieldsView<'_>) -> HeaderError {
    let value = fields.as_sent().chars().take(64).collect();
    HeaderError::Invalid { header, field: "extFields", value, expected: "an object in JSON" }
}

/// The value found, or the value of an absent field.
#[inline]
pub(crate) fn required<T: HeaderField>(
    header: &'static str,
    field: &'static str,
    found: Option<T>,
) -> Result<T, HeaderError> {
    found.or_else(T::absent).ok_or(HeaderError::Missing { header, field })
}

/// A type that a field of a header can have.
pub(crate) trait HeaderField: Sized {
    /// The expected form, for the error.
    const EXPECTED: &'static str;

    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S);

    fn decode(value: FieldValue<'_>) -> Option<Self>;

    /// The value of a field that was not sent; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: HeaderField> HeaderField for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    #[inline]
    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        if let Some(value) = self {
            value.encode(name, sink);
        }
    }

    #[inline]
    fn decode(value: FieldValue<'_>) -> Option<Self> {
        T::decode(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl HeaderField for ByteString {
    const EXPECTED: &'static str = "a text";

    #[inline]
    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        sink.text(name, self);
    }

    #[inline]
    fn decode(value: FieldValue<'_>) -> Option<Self> {
        Some(value.to_byte_string())
    }
}

impl HeaderField for i32 {
    const EXPECTED: &'static str = "a 32-bit integer";

    #[inline]
    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        sink.int(name, i64::from(*self));
    }

    #[inline]
    fn decode(value: FieldValue<'_>) -> Option<Self> {
        value.text().parse().ok()
    }
}

impl HeaderField for i64 {
    const EXPECTED: &'static str = "a 64-bit integer";

    #[inline]
    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        sink.int(name, *self);
    }

    #[inline]
    fn decode(value: FieldValue<'_>) -> Option<Self> {
        value.text().parse().ok()
    }
}

impl HeaderField for bool {
    const EXPECTED: &'static str = "true or false";

    #[inline]
    fn encode<S: FieldSink + ?Sized>(&self, name: &str, sink: &mut S) {
        sink.flag(name, *self);
    }

    /// Anything but `true` (in any case) is false, like in Java. `1` is true too: clients in C++ write it.
    #[inline]
    fn decode(value: FieldValue<'_>) -> Option<Self> {
        let text = value.text();
        Some(text.eq_ignore_ascii_case("true") || text == "1")
    }
}
