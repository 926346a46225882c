//! zstd (RFC 8878).
//!
//! Decoding is written here, in safe Rust: a body comes from whoever may send to a topic, and what it can make a
//! consumer allocate has to be bounded block by block. The output itself is the window, so that the window size that
//! a frame declares costs nothing.

mod bits;
mod block;
mod frame;
mod fse;
mod huffman;
mod sequences;

use bytes::Bytes;

pub(super) use self::frame::decompress;
use super::{CompressError, CompressionType, DecompressError};

#[cfg(feature = "zstd")]
pub(super) fn compress(body: &[u8], level: i32) -> Result<Bytes, CompressError> {
    let failed = |error: std::io::Error| CompressError::Failed {
        kind: CompressionType::Zstd,
        reason: error.to_string(),
    };
    ::zstd::bulk::compress(body, level.clamp(1, 22)).map(Bytes::from).map_err(failed)
}

#[cfg(not(feature = "zstd"))]
pub(super) fn compress(_body: &[u8], _level: i32) -> Result<Bytes, CompressError> {
    Err(CompressError::NotBuilt { kind: CompressionType::Zstd, feature: "zstd" })
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: CompressionType::Zstd, reason }
}
