//! Fields that many headers have in common.

use bytes::Bytes;

use super::codec::{binary, json_writer};
use super::{EncodeError, EncodeHeader, ExtFields};

/// The fields of a header in both forms of the wire: encoded once, for many headers to begin with.
#[derive(Clone, Debug)]
pub struct EncodedFields {
    pub(super) binary: Bytes,
    /// Members, each with the comma behind it.
    pub(super) json: Box<[u8]>,
}

impl EncodedFields {
    /// Encodes the fields of a header.
    ///
    /// # Errors
    ///
    /// When one is too long for the wire.
    pub fn new<H: EncodeHeader + ?Sized>(header: &H) -> Result<Self, EncodeError> {
        Ok(Self { binary: binary::encode(header)?.into(), json: json_writer::encode(header) })
    }

    /// The fields; those with an empty value are missing, as they are in a binary header.
    pub fn fields(&self) -> ExtFields {
        ExtFields::from_binary(self.binary.clone())
    }
}
