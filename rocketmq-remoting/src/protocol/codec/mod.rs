//! The two forms of a header, behind `encode_frame` and `decode_frame`.

pub(super) mod binary;
pub(super) mod json_reader;
pub(super) mod json_scan;
pub(super) mod json_writer;
pub(super) mod swar;
mod writer;
