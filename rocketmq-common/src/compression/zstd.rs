//! zstd (RFC 8878), decoded by `ruzstd`.
//!
//! A body comes from any sender that may write to a topic. The memory that it costs a consumer therefore follows its
//! inflated size, not its claims. The window that a frame declares says little: Java writes frames without a content
//! size, and their window depends on the level (2 MiB by default, 128 MiB at most) however short the body is. A new
//! decoder allocates nothing for the window, a reused decoder does: so each frame gets a new decoder.

use std::error::Error;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, DEFAULT_MAX_WINDOW_SIZE, FrameDecoder};

use super::{CompressError, CompressionType, DecompressError};

/// The position of a frame's descriptor: after the magic number.
const DESCRIPTOR_AT: usize = 4;
const DESCRIPTOR_CONTENT_SIZE: u8 = 0xC0;
const DESCRIPTOR_SINGLE_SEGMENT: u8 = 0x20;
const DESCRIPTOR_RESERVED: u8 = 0x08;

#[cfg(feature = "zstd")]
pub(super) fn compress(body: &[u8], level: i32) -> Result<Bytes, CompressError> {
    let failed =
        |error: io::Error| CompressError::Failed { kind: CompressionType::Zstd, reason: error.to_string() };
    ::zstd::bulk::compress(body, level.clamp(1, 22)).map(Bytes::from).map_err(failed)
}

#[cfg(not(feature = "zstd"))]
pub(super) fn compress(_body: &[u8], _level: i32) -> Result<Bytes, CompressError> {
    Err(CompressError::NotBuilt { kind: CompressionType::Zstd, feature: "zstd" })
}

/// Inflates all frames, one after the other.
pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let mut input = body;
    let mut out = Vec::new();
    loop {
        frame(&mut input, &mut out, limit)?;
        if input.is_empty() {
            return Ok(out);
        }
    }
}

fn frame(input: &mut &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), DecompressError> {
    let too_large = DecompressError::TooLarge { limit };
    let descriptor = input.get(DESCRIPTOR_AT).copied().unwrap_or_default();
    let has = |bits| descriptor & bits != 0;
    let mut decoder = FrameDecoder::new();
    // A content of up to the limit may be a single segment, which is its own window.
    decoder.set_max_window_size(DEFAULT_MAX_WINDOW_SIZE.max(limit as u64));
    match decoder.init(&mut *input) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            *input = input.get(length as usize..).ok_or(DecompressError::Truncated)?;
            return Ok(());
        }
        Err(FrameDecoderError::WindowSizeTooBig { .. }) if has(DESCRIPTOR_SINGLE_SEGMENT) => {
            return Err(too_large);
        }
        Err(error) => return Err(failure(&error)),
    }
    if has(DESCRIPTOR_RESERVED) {
        return Err(corrupt("reserved bits are set"));
    }
    let declared = has(DESCRIPTOR_CONTENT_SIZE | DESCRIPTOR_SINGLE_SEGMENT).then(|| decoder.content_size());
    let room = limit - out.len();
    if declared.is_some_and(|size| size > room as u64) {
        return Err(too_large);
    }
    // Stops at the end of the frame, or after the block that exceeds the limit.
    let until = BlockDecodingStrategy::UptoBytes(room.saturating_add(1));
    decoder.decode_blocks(&mut *input, until).map_err(|error| failure(&error))?;
    if !decoder.is_finished() || decoder.can_collect() > room {
        return Err(too_large);
    }
    let content = decoder.collect().unwrap_or_default();
    // The decoder computes it while output is collected.
    let expected = decoder.get_checksum_from_data();
    if expected.is_some() && expected != decoder.get_calculated_checksum() {
        return Err(corrupt("the checksum of its content is wrong"));
    }
    if declared.is_some_and(|size| size != content.len() as u64) {
        return Err(corrupt("its content has another size than declared"));
    }
    if out.is_empty() {
        *out = content;
    } else {
        out.extend_from_slice(&content);
    }
    Ok(())
}

fn failure(error: &FrameDecoderError) -> DecompressError {
    let mut cause = Some(error as &(dyn Error + 'static));
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::UnexpectedEof) {
            return DecompressError::Truncated;
        }
        cause = error.source();
    }
    corrupt(match error {
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)) => {
            "it does not start with the magic number of a frame"
        }
        FrameDecoderError::WindowSizeTooBig { .. } => "a frame needs a window of more than 128 MiB",
        FrameDecoderError::DictNotProvided { .. } => "it needs a dictionary",
        FrameDecoderError::FailedToReadBlockHeader(_) => "the header of a block is broken",
        FrameDecoderError::FailedToReadBlockBody(_) => "a block is broken",
        _ => "the header of a frame is broken",
    })
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: CompressionType::Zstd, reason }
}
