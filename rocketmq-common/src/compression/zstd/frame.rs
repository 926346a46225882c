//! Frames, which blocks come in (RFC 8878, section 3.1.1).

use bytes::Bytes;
use twox_hash::XxHash64;

use super::super::DecompressError;
use super::super::input::Input;
use super::block::{BlockContext, MAX_BLOCK, Output};
use super::corrupt;

const MAGIC: u32 = 0xFD2F_B528;
/// Frames that are to be ignored have sixteen magic numbers.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;

/// Inflates all frames, one behind the other.
pub(in super::super) fn decompress(body: &[u8], limit: usize) -> Result<Bytes, DecompressError> {
    let mut input = Input::new(body);
    let mut out = Vec::new();
    loop {
        let magic = input.u32()?;
        if magic & !0xF == SKIPPABLE_MAGIC {
            let length = input.u32()?;
            input.take(length)?;
        } else if magic == MAGIC {
            let start = out.len();
            frame(&mut input, Output { out: &mut out, start, limit })?;
        } else {
            return Err(corrupt("it does not start with the magic number of a frame"));
        }
        if input.is_empty() {
            return Ok(out.into());
        }
    }
}

struct FrameHeader {
    has_checksum: bool,
    content_size: Option<u64>,
}

impl FrameHeader {
    fn read(input: &mut Input<'_>) -> Result<Self, DecompressError> {
        let descriptor = input.u8()?;
        let single_segment = descriptor & 0x20 != 0;
        if descriptor & 0x08 != 0 {
            return Err(corrupt("reserved bits are set"));
        }
        if !single_segment {
            // The window size: matches are checked against what there is instead.
            input.u8()?;
        }
        let dictionary = match descriptor & 3 {
            0 => 0,
            1 => u32::from(input.u8()?),
            2 => u32::from(input.u16()?),
            _ => input.u32()?,
        };
        if dictionary != 0 {
            return Err(corrupt("it needs a dictionary"));
        }
        let content_size = match descriptor >> 6 {
            0 if single_segment => Some(u64::from(input.u8()?)),
            0 => None,
            1 => Some(u64::from(input.u16()?) + 256),
            2 => Some(u64::from(input.u32()?)),
            _ => Some(input.u64()?),
        };
        Ok(Self { has_checksum: descriptor & 0x04 != 0, content_size })
    }
}

fn frame(input: &mut Input<'_>, mut output: Output<'_>) -> Result<(), DecompressError> {
    let header = FrameHeader::read(input)?;
    if header.content_size.is_some_and(|size| size > (output.limit - output.start) as u64) {
        return Err(DecompressError::TooLarge { limit: output.limit });
    }
    let mut context = BlockContext::default();
    loop {
        let block = input.u24()?;
        let size = block >> 3;
        if size as usize > MAX_BLOCK {
            return Err(corrupt("a block is too large"));
        }
        match block >> 1 & 3 {
            0 => {
                let data = input.take(size)?;
                output.reserve(data.len())?;
                output.out.extend_from_slice(data);
            }
            1 => {
                let byte = input.u8()?;
                output.reserve(size as usize)?;
                output.out.resize(output.out.len() + size as usize, byte);
            }
            2 => context.decode(input.take(size)?, &mut output)?,
            _ => return Err(corrupt("a block has a reserved type")),
        }
        if block & 1 == 1 {
            break;
        }
    }
    let content = &output.out[output.start..];
    if header.has_checksum && input.u32()? != XxHash64::oneshot(0, content) as u32 {
        return Err(corrupt("the checksum of its content is wrong"));
    }
    match header.content_size {
        Some(size) if size != content.len() as u64 => {
            Err(corrupt("its content has another size than declared"))
        }
        _ => Ok(()),
    }
}
