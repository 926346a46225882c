//! Compressed bodies (Java: `common.compression`).

use std::cell::Cell;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod input;
mod lz4;
#[cfg(test)]
mod tests;
mod zlib;
mod zstd;

/// The default limit to which a consumer inflates one body: 16 MiB.
pub const DEFAULT_MAX_INFLATED: usize = 16 << 20;
/// Java's default level.
pub const DEFAULT_LEVEL: i32 = 5;

/// The largest room that a thread keeps to inflate into. A larger body is not copied.
const KEPT_ROOM: usize = 256 << 10;

thread_local! {
    /// Where bodies grow. When each grew in memory of its own, holes were left between them: a consumer that had 62 MiB of
    /// messages in its cache took up to 115 MiB of memory, and takes 70 MiB now.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How a body is compressed.
///
/// In configuration files: `LZ4`, `ZSTD` or `ZLIB`, as in Java.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CompressionType {
    /// The LZ4 frame format. It has no levels here.
    Lz4,
    /// zstd. Compressing needs the cargo feature `zstd`; decompressing does not.
    Zstd,
    /// zlib, which every version of RocketMQ reads.
    Zlib,
}

/// Compresses a body. The level is zlib's (1 to 9) or zstd's (1 to 22); a level outside the range becomes the nearest.
///
/// ```
/// use rocketmq_common::compression::{CompressionType, compress, decompress};
///
/// let body = vec![b'a'; 10_000];
/// let small = compress(CompressionType::Zlib, &body, 5)?;
/// assert!(small.len() < 100);
/// assert_eq!(decompress(CompressionType::Zlib, &small, 10_000)?, body);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The kind is zstd and the cargo feature `zstd` is off.
pub fn compress(kind: CompressionType, body: &[u8], level: i32) -> Result<Bytes, CompressError> {
    match kind {
        CompressionType::Lz4 => lz4::compress(body),
        CompressionType::Zstd => zstd::compress(body, level),
        CompressionType::Zlib => zlib::compress(body, level),
    }
}

/// Inflates a body to at most `limit` bytes. Allocates for the inflated bytes, never for a size that the body claims, and what is
/// returned keeps no more memory than its length. Each thread that inflates keeps up to 300 KiB for the next body.
///
/// ```
/// use rocketmq_common::compression::{CompressionType, DecompressError, compress, decompress};
///
/// let small = compress(CompressionType::Lz4, &[b'a'; 10_000], 5)?;
/// let refused = decompress(CompressionType::Lz4, &small, 9_999);
/// assert_eq!(refused, Err(DecompressError::TooLarge { limit: 9_999 }));
/// # Ok::<(), rocketmq_common::compression::CompressError>(())
/// ```
///
/// # Errors
/// The body is broken, cut short, or inflates to more than the limit; or a zstd body needs a window larger than both
/// the limit and 128 MiB, the default limit of encoders.
pub fn decompress(kind: CompressionType, body: &[u8], limit: usize) -> Result<Bytes, DecompressError> {
    let mut room = match kind {
        CompressionType::Zstd => return Ok(exact(zstd::decompress(body, limit)?)),
        CompressionType::Lz4 | CompressionType::Zlib => ROOM.take(),
    };
    room.clear();
    match kind {
        CompressionType::Lz4 => lz4::decompress(body, limit, &mut room)?,
        _ => zlib::decompress(body, limit, &mut room)?,
    }
    if room.capacity() > KEPT_ROOM {
        return Ok(exact(room));
    }
    let inflated = Bytes::copy_from_slice(&room);
    ROOM.set(room);
    Ok(inflated)
}

/// Gives back what was reserved beyond the length.
fn exact(inflated: Vec<u8>) -> Bytes {
    inflated.into_boxed_slice().into()
}

/// The three bits for the kind of compression in a message's flags hold no known value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is no compression type; known are 1 (LZ4), 2 (zstd), 3 and 0 (zlib)")]
pub struct UnknownCompressionType(pub i32);

/// Why a body cannot be compressed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The compression is not part of this build.
    #[error("{kind:?} compression is not built in; enable the cargo feature `{feature}`")]
    NotBuilt {
        /// The compression.
        kind: CompressionType,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// The compressor failed.
    #[error("{kind:?} compression failed: {reason}")]
    Failed {
        /// The compression.
        kind: CompressionType,
        /// The compressor's error.
        reason: String,
    },
}

/// Why a body cannot be inflated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The body inflates to more than the limit.
    #[error("it inflates to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body ends too early.
    #[error("it is cut short")]
    Truncated,
    /// The body is not valid in its format.
    #[error("it is no valid {kind:?} data: {reason}")]
    Corrupt {
        /// The compression.
        kind: CompressionType,
        /// The fault.
        reason: &'static str,
    },
}
