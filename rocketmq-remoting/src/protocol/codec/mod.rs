//! The two forms of a header, behind `encode_frame` and `decode_frame`.

pub(super) mod binary;
pub(super) mod json_reader;
pub(super) mod json_scan;
pub(super) mod json_writer;
mod writer;

use super::{CommandFlag, ExtFields, LanguageCode};
use bytestring::ByteString;

/// What a header holds, whichever form it came in.
#[derive(Debug)]
pub(super) struct DecodedHeader {
    pub(super) code: i32,
    pub(super) language: LanguageCode,
    pub(super) version: i32,
    pub(super) opaque: i32,
    pub(super) flag: CommandFlag,
    pub(super) remark: Option<ByteString>,
    pub(super) ext_fields: ExtFields,
}
