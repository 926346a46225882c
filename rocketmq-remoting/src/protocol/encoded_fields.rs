//! Fields that many headers have in common.

use super::codec::{binary, json_writer};
use super::{EncodeError, EncodeHeader, ExtFields};

/// The fields of a header in both forms of the wire: encoded once, for many headers to begin with.
#[derive(Clone, Debug)]
pub struct EncodedFields {
    fields: ExtFields,
    pub(super) binary: Box<[u8]>,
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
        let mut fields = ExtFields::empty();
        header.encode_fields(&mut fields);
        Ok(Self { fields, binary: binary::encode(header)?, json: json_writer::encode(header) })
    }

    /// The fields.
    pub fn fields(&self) -> &ExtFields {
        &self.fields
    }
}
