//! The two encodings of a header, behind `encode_frame` and `decode_frame`.
//!
//! * `binary`: Java's `RocketMQSerializable`.
//! * `json_reader`, `json_scan`: reads JSON headers; `json_writer` writes them.
//! * `swar`: looks at eight bytes at a time. `writer`: appends to a write buffer.

pub(super) mod binary;
pub(super) mod json_reader;
pub(super) mod json_scan;
pub(super) mod json_writer;
pub(super) mod swar;
mod writer;
