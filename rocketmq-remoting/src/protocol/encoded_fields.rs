//! Fields that many headers share.

use bytes::Bytes;

use super::codec::{binary, json_writer};
use super::{EncodeError, EncodeHeader, ExtFields};

/// The fields of a header in both encodings: encoded once, written at the start of many headers.
#[derive(Clone, Debug)]
pub struct EncodedFields {
    pub(super) binary: Bytes,
    /// JSON members, each followed by a comma.
    pub(super) json: Box<[u8]>,
}

impl EncodedFields {
    /// Encodes the fields of a header.
    ///
    /// # Errors
    ///
    /// A field is too long for the wire.
    pub fn new<H: EncodeHeader + ?Sized>(header: &H) -> Result<Self, EncodeError> {
        Ok(Self { binary: binary::encode(header)?.into(), json: json_writer::encode(header) })
    }

    /// The fields. A field with an empty value is missing, like in a binary header.
    pub fn fields(&self) -> ExtFields {
        ExtFields::from_binary(self.binary.clone())
    }
}
