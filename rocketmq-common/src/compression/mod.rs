//! Compressed bodies (Java: `common.compression`).

use thiserror::Error;

/// The most that a consumer inflates one body to, unless told otherwise.
pub const DEFAULT_MAX_INFLATED: usize = 16 << 20;
/// The level that Java compresses with, unless told otherwise.
pub const DEFAULT_LEVEL: i32 = 5;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompressionType {
    /// The LZ4 frame format. It has no levels here.
    Lz4,
    /// zstd. Compressing needs the cargo feature `zstd`; decompressing does not.
    Zstd,
    /// zlib, which every version of RocketMQ reads.
    Zlib,
}

/// The three bits of a message's flags that say how its body is compressed hold none of the known values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is no compression type; known are 1 (LZ4), 2 (zstd), 3 and 0 (zlib)")]
pub struct UnknownCompressionType(pub i32);
