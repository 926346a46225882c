//! zlib (RFC 1950).

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CompressError, CompressionType, DecompressError};

pub(super) fn compress(body: &[u8], level: i32) -> Result<Bytes, CompressError> {
    let level = level.clamp(1, 9).unsigned_abs();
    DEFLATE.with_borrow_mut(|kept| match kept {
        Some((of, deflate)) if *of == level => {
            deflate.reset();
            deflate_all(deflate, body)
        }
        kept => deflate_all(&mut kept.insert((level, Compress::new(Compression::new(level), true))).1, body),
    })
}

fn deflate_all(deflate: &mut Compress, body: &[u8]) -> Result<Bytes, CompressError> {
    let mut out = Vec::with_capacity(body.len() / 2 + 64);
    loop {
        let rest = &body[usize::try_from(deflate.total_in()).unwrap_or(body.len())..];
        match deflate.compress_vec(rest, &mut out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Ok(out.into()),
            // The result is longer than expected.
            Ok(_) => out.reserve(body.len() / 2 + 64),
            Err(error) => {
                let reason = error.to_string();
                return Err(CompressError::Failed { kind: CompressionType::Zlib, reason });
            }
        }
    }
}

thread_local! {
    /// The state of a deflation takes some 260 KiB, and that of an inflation 43 KiB. A new one for each body would leave holes between bodies
    /// that are kept: with 1,000 compressed bodies in flight, 300 MB of them. The level stays the same, as a rule.
    static DEFLATE: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

pub(super) fn decompress(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    INFLATE.with_borrow_mut(|inflate| inflate_all(inflate, body, limit, out))
}

fn inflate_all(
    inflate: &mut Decompress,
    body: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    inflate.reset(true);
    let mut rest = body;
    loop {
        // One byte more than the limit shows whether a body exceeds it.
        let room = limit.saturating_add(1) - out.len();
        let step = out.len().max(body.len().saturating_mul(3)).max(512);
        out.reserve_exact(step.min(room));
        let before = (inflate.total_in(), out.len());
        let status = inflate.decompress_vec(rest, out, FlushDecompress::None);
        rest = &body[usize::try_from(inflate.total_in()).unwrap_or(body.len())..];
        match status {
            _ if out.len() > limit => return Err(DecompressError::TooLarge { limit }),
            Ok(Status::StreamEnd) => return Ok(()),
            Ok(_) if (inflate.total_in(), out.len()) == before => return Err(DecompressError::Truncated),
            Ok(_) => {}
            Err(_) => {
                let reason = "the stream is broken";
                return Err(DecompressError::Corrupt { kind: CompressionType::Zlib, reason });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(body: &[u8], limit: usize) -> Result<Bytes, DecompressError> {
        crate::compression::decompress(CompressionType::Zlib, body, limit)
    }

    #[test]
    fn the_zlib_header_says_which_level() {
        // RFC 1950: the upper two bits of the second byte grow with the level.
        assert_eq!(compress(b"hello", 1).unwrap()[..2], [0x78, 0x01]);
        assert_eq!(compress(b"hello", 5).unwrap()[..2], [0x78, 0x5E]);
        assert_eq!(compress(b"hello", 99).unwrap()[..2], [0x78, 0xDA]);
    }

    #[test]
    fn a_wrong_checksum_is_noticed() {
        let mut data = compress(b"hello hello hello", 5).unwrap().to_vec();
        *data.last_mut().unwrap() ^= 1;
        assert!(matches!(decompress(&data, 100), Err(DecompressError::Corrupt { .. })));
    }
}
