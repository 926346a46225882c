//! Stored messages: the bytes of a commit log, of the answer to a pull, and of transaction checks (Java:
//! `MessageDecoder`, `MessageExtEncoder`).
//!
//! A record is, big-endian: size (4), magic (4), checksum of the body (4), queue (4), flag (4), queue offset (8),
//! commit log offset (8), system flags (4), born time (8), born host (8 or 20), store time (8), store host (8 or 20),
//! reconsume times (4), offset of the half message (8), body (4 + n), topic (1 + n, or 2 + n in the second version),
//! properties (2 + n). A host is an address of 4 or 16 bytes and a port of 4.

mod decode;
mod encode;
#[cfg(test)]
mod golden_tests;
mod layout;
#[cfg(test)]
mod tests;

pub use crate::message_ext::RecordHeader;
pub use crate::record_error::{RecordError, RecordProblem};
pub use decode::{RecordDecoder, RecordOptions};
pub use encode::{RecordEncodeError, RecordFields, encode_record};

/// Starts a record with one byte for the length of its topic.
pub const MAGIC_V1: u32 = 0xDAA3_20A7;
/// Starts a record with two bytes for the length of its topic.
pub const MAGIC_V2: u32 = 0xDAA3_20AB;
/// Starts the filler at the end of a commit log file, which holds no message.
pub const MAGIC_BLANK: u32 = 0xCBD4_3194;
