//! The read buffer of a connection: bytes that were read and not yet handed out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use crate::protocol::ReadBytes;

/// The size of the memory that small frames share: one allocation for many frames.
const CHUNK: usize = 64 * 1024;

/// Room for a read at least, unless the frame at the front needs less: fewer, larger reads.
const READ_AT_LEAST: usize = 8 * 1024;

/// The first memory of a frame that is larger than a chunk. It grows as the frame arrives: a peer that only claims a
/// large length costs no more than this.
const LARGE_AT_FIRST: usize = 256 * 1024;

/// The memory of a large frame grows to this many times the bytes that have arrived, at most to the frame's length.
const GROWTH: usize = 4;

/// Bytes that were read and not handed out, in memory of known size.
///
/// Small frames share chunks. A larger frame gets memory of its own, exactly as long as the frame in the end: keeping
/// its body pins no other bytes.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: BytesMut,
    /// The size of the memory that `bytes` lies in.
    memory: usize,
    /// `bytes` lies in memory of its own, made for the one large frame at its front.
    is_large: bool,
}

impl ReadBuffer {
    /// Makes room and reads once. Zero bytes mean that the peer closed.
    pub(super) fn poll_read(
        &mut self,
        mut stream: impl AsyncRead + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        poll_read_buf(Pin::new(&mut stream), cx, &mut self.bytes)
    }

    /// All bytes in the buffer.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes out the first `length` bytes, which must be whole frames.
    pub(super) fn split_to(&mut self, length: usize) -> ReadBytes {
        ReadBytes { bytes: self.bytes.split_to(length).freeze(), memory: self.memory }
    }

    fn make_room(&mut self) {
        let (length, room) = (self.bytes.len(), self.bytes.capacity() - self.bytes.len());
        if length == 0 && room >= READ_AT_LEAST && !self.is_large {
            // Nearly every read, which comes more than once for each small request.
            return;
        }
        let frame = self.next_frame();
        if frame > CHUNK {
            if !self.is_large || room == 0 {
                // Grow with the bytes that have arrived, up to the frame's length: a claimed length alone allocates
                // little.
                self.move_to(frame.min(LARGE_AT_FIRST.max(length.saturating_mul(GROWTH))));
                self.is_large = true;
            }
            return;
        }
        let needed = match frame.saturating_sub(length) {
            0 => READ_AT_LEAST,
            missing => missing.min(READ_AT_LEAST),
        };
        // Never reuse the memory of a large frame as a chunk: it goes with its frame.
        if !self.is_large && (room >= needed || self.bytes.try_reclaim(READ_AT_LEAST)) {
            return;
        }
        self.move_to(CHUNK);
        self.is_large = false;
    }

    /// The whole length of the first frame as its length field claims; 0 until that field has arrived. Reading the
    /// frame before checked the length against the limit.
    fn next_frame(&self) -> usize {
        let length = self.bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
        if length == 0 { 0 } else { (length as usize).saturating_add(4) }
    }

    /// Moves the bytes to new memory of the given size.
    fn move_to(&mut self, memory: usize) {
        let mut bytes = BytesMut::with_capacity(memory);
        bytes.extend_from_slice(&self.bytes);
        (self.bytes, self.memory) = (bytes, memory);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::task::Waker;

    use super::*;

    /// A stream that gives its bytes in steps of at most `step`.
    struct Trickle<'a> {
        rest: &'a [u8],
        step: usize,
    }

    impl AsyncRead for Trickle<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let (now, rest) = self.rest.split_at(self.step.min(buffer.remaining()).min(self.rest.len()));
            buffer.put_slice(now);
            self.rest = rest;
            Poll::Ready(Ok(()))
        }
    }

    fn frame(length: usize, fill: u8) -> Vec<u8> {
        let mut frame = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        frame.resize(4 + length, fill);
        frame
    }

    /// Reads all of `stream` and takes frames out as they become complete. Returns each frame's bytes and memory size,
    /// and the largest memory.
    fn read_all(stream: &[u8], step: usize) -> (Vec<(Bytes, usize)>, usize) {
        let (mut buffer, mut frames, mut most) = (ReadBuffer::default(), Vec::new(), 0);
        let mut stream = Trickle { rest: stream, step };
        loop {
            let read = buffer.poll_read(&mut stream, &mut Context::from_waker(Waker::noop()));
            assert!(buffer.memory <= CHUNK.max(LARGE_AT_FIRST).max(buffer.bytes().len() * GROWTH));
            most = most.max(buffer.memory);
            if matches!(read, Poll::Ready(Ok(0))) {
                return (frames, most);
            }
            while (4..=buffer.bytes().len()).contains(&buffer.next_frame()) {
                let ReadBytes { bytes, memory } = buffer.split_to(buffer.next_frame());
                frames.push((bytes, memory));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_of_all_sizes_arrive_whole_and_large_ones_pin_their_own_length(
            lengths in prop::collection::vec(prop_oneof![4..2000usize, 60_000..70_000usize, 200_000..1_200_000usize], 1..12),
            step in prop_oneof![100..5000usize, 60_000..3_000_000usize],
        ) {
            let stream: Vec<u8> = lengths.iter().zip(0u8..).flat_map(|(length, fill)| frame(*length, fill)).collect();
            let (frames, _) = read_all(&stream, step);
            prop_assert_eq!(frames.len(), lengths.len());
            for (((bytes, memory), length), fill) in frames.iter().zip(&lengths).zip(0u8..) {
                prop_assert_eq!(bytes.len(), length + 4);
                prop_assert!(bytes[4..].iter().all(|byte| *byte == fill));
                if bytes.len() > CHUNK {
                    prop_assert_eq!(*memory, bytes.len());
                } else {
                    prop_assert!(*memory <= CHUNK);
                }
            }
        }
    }

    #[test]
    fn a_claimed_length_alone_costs_little() {
        let (frames, most) = read_all(&frame(16_000_000, 0)[..100_000], 100_000);
        assert!(frames.is_empty() && most <= 400_000, "{most}");
        let (_, most) = read_all(&frame(16_000_000, 0)[..8], 8);
        assert_eq!(most, LARGE_AT_FIRST);
    }

    #[test]
    fn a_chunk_is_used_again_when_nothing_of_it_is_kept() {
        let mut buffer = ReadBuffer::default();
        let bytes = frame(20_000, 1);
        let mut places = Vec::new();
        for _ in 0..20 {
            let mut stream = Trickle { rest: &bytes, step: usize::MAX };
            while buffer.bytes().len() < bytes.len() {
                let _ = buffer.poll_read(&mut stream, &mut Context::from_waker(Waker::noop()));
            }
            places.push(buffer.split_to(bytes.len()).bytes.as_ptr() as usize);
        }
        let (first, last) = (places.iter().min().unwrap(), places.iter().max().unwrap());
        assert!(last - first < CHUNK, "all in one chunk");
    }
}
