//! Frames as byte strings.

use std::io;

use bytes::{Bytes, BytesMut};
use rocketmq_remoting::protocol::{FrameLimits, MAX_FRAME_LENGTH, RemotingCommand, decode_frame};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A piece of a peer's stream.
pub(super) enum Piece {
    /// One whole frame.
    Frame(Bytes),
    /// Bytes that are no frame; all bytes after them are raw too.
    Raw(Bytes),
}

/// Splits a stream of bytes into frames, by their lengths only.
pub(super) struct FrameReader<R> {
    stream: R,
    read: BytesMut,
    is_raw: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, read: BytesMut::new(), is_raw: false }
    }

    /// The next piece; `None` at the end of the stream. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready() {
                return Ok(Some(piece));
            }
            // Grow with the bytes that arrived, not by a claimed length.
            self.read.reserve(16 * 1024);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                // Pass on the part of a frame that its sender did not finish.
                let rest = self.read.split().freeze();
                return Ok((!rest.is_empty()).then_some(Piece::Raw(rest)));
            }
        }
    }

    /// A piece that has arrived already.
    pub(super) fn ready(&mut self) -> Option<Piece> {
        if self.is_raw && !self.read.is_empty() {
            return Some(Piece::Raw(self.read.split().freeze()));
        }
        let length = usize::try_from(i32::from_be_bytes(*self.read.first_chunk::<4>()?)).unwrap_or(0);
        if !(4..=MAX_FRAME_LENGTH).contains(&length) {
            self.is_raw = true;
            return Some(Piece::Raw(self.read.split().freeze()));
        }
        (self.read.len() >= length + 4).then(|| Piece::Frame(self.read.split_to(length + 4).freeze()))
    }
}

/// Decodes a frame; `None` if it cannot be read.
pub(super) fn look_into(frame: &Bytes) -> Option<RemotingCommand> {
    // The limit of a peer may or may not count the length prefix: allow four bytes more.
    let limits = FrameLimits { max_frame: MAX_FRAME_LENGTH + 4 };
    decode_frame(&mut BytesMut::from(&frame[..]), &limits).ok().flatten()
}

/// Encodes a command; `None` if it does not fit into a frame.
pub(super) fn frame(command: &RemotingCommand) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    command.encode(&mut bytes).ok()?;
    Some(bytes.freeze())
}

/// Replaces the body of a frame.
pub(super) fn with_body(frame: &Bytes, body: &[u8]) -> Option<Bytes> {
    let [_, high, middle, low] = *frame.get(4..)?.first_chunk::<4>()?;
    let header_end = 8 + u32::from_be_bytes([0, high, middle, low]) as usize;
    let head = frame.get(4..header_end)?;
    let length = i32::try_from(head.len() + body.len()).ok()?;
    let mut bytes = BytesMut::with_capacity(4 + head.len() + body.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(body);
    Some(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rocketmq_remoting::protocol::{RequestCode, SerializeType};

    fn command(serialize_type: SerializeType) -> RemotingCommand {
        let command = RemotingCommand::request(RequestCode::PULL_MESSAGE).with_field("topic", "T");
        RemotingCommand { serialize_type, ..command.with_body("body") }
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in_however_they_are_split() {
        let frames =
            [SerializeType::Json, SerializeType::RocketMq].map(|form| frame(&command(form)).unwrap());
        let whole = frames.concat();
        for split in 0..=whole.len() {
            let (first, second) = whole.split_at(split);
            let mut reader = FrameReader::new(AsyncReadExt::chain(first, second));
            for expected in &frames {
                let Some(Piece::Frame(found)) = reader.next().await.unwrap() else { panic!("at {split}") };
                assert_eq!(found, *expected);
            }
            assert!(reader.next().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_is_no_frame_is_passed_on_with_all_that_follows() {
        for bytes in [&b"GET / HTTP/1.1"[..], &[0, 0, 0, 3, 1], &[0xff; 9], &[0, 0, 0, 9, 1, 2]] {
            let mut reader = FrameReader::new(bytes);
            let mut passed = Vec::new();
            while let Some(piece) = reader.next().await.unwrap() {
                let Piece::Raw(raw) = piece else { panic!("{bytes:?}") };
                passed.extend_from_slice(&raw);
            }
            assert_eq!(passed, bytes);
        }
    }

    #[test]
    fn a_frame_gets_another_body() {
        for form in [SerializeType::Json, SerializeType::RocketMq] {
            let changed = with_body(&frame(&command(form)).unwrap(), b"a longer body").unwrap();
            let expected = command(form).with_body("a longer body");
            assert_eq!(look_into(&changed).unwrap(), expected);
        }
    }
}
