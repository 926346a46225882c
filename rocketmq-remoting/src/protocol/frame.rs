//! Frames: from bytes to commands and back.

use super::codec::{binary, json_writer};
use super::{CommandFlag, EncodeError, EncodeHeader, ExtFields, FrameError, LanguageCode, PeerHint};
use super::{ReceivedFrame, RemotingCommand, SerializeType, mq_version};
use bytes::BytesMut;

/// The largest frame that a peer with default settings accepts, including the length prefix: 16 MiB.
///
/// Java `com.rocketmq.remoting.frameMaxLength`.
pub const MAX_FRAME_LENGTH: usize = 16 * 1024 * 1024;

/// The two lengths before the header, in bytes.
pub(crate) const PREFIX: usize = 8;

/// The largest header: its length has 24 bits.
const MAX_HEADER_LENGTH: usize = 0x00FF_FFFF;

/// The fixed fields of a frame that is written without a [`RemotingCommand`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Encoding of the header.
    pub serialize_type: SerializeType,
    /// Request or response code.
    pub code: i32,
    /// Language of the sender.
    pub language: LanguageCode,
    /// Version of the sender, see [`mq_version`].
    pub version: i32,
    /// Pairs a request with its answer; unique on one connection.
    pub opaque: i32,
    /// Request, answer or one-way request.
    pub flag: CommandFlag,
}

impl Default for FrameHead {
    fn default() -> Self {
        Self {
            serialize_type: SerializeType::Json,
            code: 0,
            language: LanguageCode::RUST,
            version: mq_version::CURRENT_VERSION,
            opaque: 0,
            flag: CommandFlag::REQUEST,
        }
    }
}

/// Appends a frame's length, header length and header to `out`. The caller then appends exactly `body_len` bytes of
/// body.
///
/// The fields of `header` come first, those of `extra` after them. Allocates only when `out` grows.
///
/// # Errors
///
/// A part does not fit, see [`EncodeError`]; `out` is then unchanged.
pub fn encode_frame<H: EncodeHeader + ?Sized>(
    out: &mut BytesMut,
    head: &FrameHead,
    remark: Option<&str>,
    header: &H,
    extra: &ExtFields,
    body_len: usize,
) -> Result<(), EncodeError> {
    let start = out.len();
    // Both lengths are known only after the header is written: reserve their place.
    out.extend_from_slice(&[0; 8]);
    let written = match head.serialize_type {
        SerializeType::Json => json_writer::write_header(out, head, remark, header, extra),
        SerializeType::RocketMq => binary::write_header(out, head, remark, header, extra),
    };
    let finished = written.and_then(|()| fill_in_lengths(out, start, head.serialize_type, body_len));
    if finished.is_err() {
        // Remove the half-written frame: the frames before it stay valid.
        out.truncate(start);
    }
    finished
}

fn fill_in_lengths(
    out: &mut BytesMut,
    start: usize,
    serialize_type: SerializeType,
    body_len: usize,
) -> Result<(), EncodeError> {
    let header = out.len() - start - 8;
    if header > MAX_HEADER_LENGTH {
        return Err(EncodeError::HeaderTooLong { length: header });
    }
    let length = body_len.saturating_add(header + 8);
    if length > MAX_FRAME_LENGTH {
        return Err(EncodeError::FrameTooLarge { length, limit: MAX_FRAME_LENGTH });
    }
    // The casts lose nothing: both lengths were checked against limits far below 32 bits.
    let mut words = [0; 8];
    words[..4].copy_from_slice(&((length - 4) as u32).to_be_bytes());
    words[4..].copy_from_slice(&(header as u32).to_be_bytes());
    words[4] = serialize_type.as_byte();
    out[start..start + 8].copy_from_slice(&words);
    Ok(())
}

/// Limits for frames from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// The largest frame in bytes, including its length prefix. Default: [`MAX_FRAME_LENGTH`].
    pub max_frame: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { max_frame: MAX_FRAME_LENGTH }
    }
}

/// Takes one whole frame off the front of `buf`; `None` if it has not arrived completely.
///
/// Checks the lengths as soon as their bytes have arrived: before waiting for, or allocating, anything that a peer only
/// claims. Body, remark and ext fields of the command share `buf`'s memory.
///
/// # Errors
///
/// The bytes are no frame, see [`FrameError`]. The rest of `buf` is then useless.
pub fn decode_frame(buf: &mut BytesMut, limits: &FrameLimits) -> Result<Option<RemotingCommand>, FrameError> {
    let Some(outline) = outline(buf, limits)? else { return Ok(None) };
    let frame = buf.split_to(outline.length).freeze();
    ReceivedFrame::read(frame, &outline)?.into_command().map(Some)
}

/// The content of the first eight bytes of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Outline {
    /// Length of the whole frame in bytes.
    pub(crate) length: usize,
    pub(crate) serialize_type: SerializeType,
    /// Length of the header, which begins after the [prefix](PREFIX), in bytes.
    pub(crate) header: usize,
}

/// The outline of the first frame; `None` until the whole frame has arrived. Checks the lengths as soon as their bytes
/// have arrived.
#[inline]
pub(crate) fn outline(bytes: &[u8], limits: &FrameLimits) -> Result<Option<Outline>, FrameError> {
    let Some(first) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = length_word(*first, limits)?;
    let Some(second) = bytes[4..].first_chunk::<4>() else { return Ok(None) };
    let (serialize_type, header) = header_word(*second, length)?;
    let whole = bytes.len() - 4 >= length;
    Ok(whole.then_some(Outline { length: length + 4, serialize_type, header }))
}

/// Reads the number of bytes after the length prefix. It is signed in Java: a negative length is refused.
fn length_word(first: [u8; 4], limits: &FrameLimits) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(first);
    let hint = PeerHint::of(first);
    let Ok(unsigned) = usize::try_from(length) else {
        return Err(FrameError::LengthTooSmall { length, hint });
    };
    // The length must cover at least the header's length word.
    if unsigned < 4 {
        return Err(FrameError::LengthTooSmall { length, hint });
    }
    let whole = unsigned.saturating_add(4);
    if whole > limits.max_frame {
        return Err(FrameError::TooLarge { length: whole, limit: limits.max_frame, hint });
    }
    Ok(unsigned)
}

/// Reads the header's encoding (one byte) and length (three bytes), which share one word.
fn header_word(second: [u8; 4], frame_length: usize) -> Result<(SerializeType, usize), FrameError> {
    let [form, length @ ..] = second;
    let serialize_type = SerializeType::from_byte(form).ok_or(FrameError::UnknownSerializeType(form))?;
    let [high, middle, low] = length;
    let header = u32::from_be_bytes([0, high, middle, low]) as usize;
    let frame = frame_length - 4;
    if header > frame {
        return Err(FrameError::HeaderTooLong { header, frame });
    }
    if serialize_type == SerializeType::RocketMq && header < binary::MIN_HEADER {
        return Err(FrameError::HeaderTooShort { missing: binary::MIN_HEADER - header });
    }
    Ok((serialize_type, header))
}
