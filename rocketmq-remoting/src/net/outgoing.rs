use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

/// Bodies of at least this size are not copied: they are written from where they lie. A smaller body is cheaper to
/// copy behind its header than to pass as a slice of its own.
const OWN_SEGMENT_FROM: usize = 16 * 1024;

/// Slices handed to one vectored write. An array of this size lies on the stack; the kernel takes up to 1,024.
const MAX_SLICES: usize = 64;

/// A buffer that grew above this is released once it is empty: a burst must not pin memory for the connection's life.
const KEEP_CAPACITY: usize = 1024 * 1024;

/// Frames that wait for the socket: headers and small bodies in one run of bytes, large bodies between.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: BytesMut,
    /// Large bodies, each with the position in `bytes` before which it is written.
    bodies: Vec<(usize, Bytes)>,
    /// Bytes of everything appended since the last clear.
    len: usize,
    /// How far writing has come: bytes of `bytes`, whole bodies, and bytes of the next body.
    bytes_done: usize,
    bodies_done: usize,
    body_done: usize,
}

impl Outgoing {
    /// Bytes appended, written or not, since the buffer was last empty.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends one frame: `encode` writes all but the body. On an error nothing is appended.
    pub(super) fn append<E>(
        &mut self,
        body: &Bytes,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.bytes.len();
        if let Err(error) = encode(&mut self.bytes) {
            // Remove the half-written header: the frames before it stay valid.
            self.bytes.truncate(before);
            return Err(error);
        }
        if body.len() >= OWN_SEGMENT_FROM {
            // A clone of `Bytes` only counts a reference: the body is not copied.
            self.bodies.push((self.bytes.len(), body.clone()));
            self.len += body.len();
        } else {
            self.bytes.extend_from_slice(body);
        }
        self.len += self.bytes.len() - before;
        Ok(())
    }

    /// Fills in the next pieces to write, at most [`MAX_SLICES`]. Returns how many it filled in.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut count = 0;
        let mut at = self.bytes_done;
        let mut skip = self.body_done;
        for (place, body) in self.bodies.iter().skip(self.bodies_done) {
            // A body may take two slices, the bytes before it and itself: stop while both fit.
            if count + 2 > MAX_SLICES {
                return count;
            }
            if at < *place {
                slices[count] = IoSlice::new(&self.bytes[at..*place]);
                count += 1;
                at = *place;
            }
            slices[count] = IoSlice::new(&body[skip..]);
            count += 1;
            // Only the first body can be partly written.
            skip = 0;
        }
        if at < self.bytes.len() && count < MAX_SLICES {
            slices[count] = IoSlice::new(&self.bytes[at..]);
            count += 1;
        }
        count
    }

    /// Empty slices for [`slices`](Self::slices) to fill in.
    pub(super) fn no_slices<'a>() -> [IoSlice<'a>; MAX_SLICES] {
        [IoSlice::new(&[]); MAX_SLICES]
    }

    /// Records that `count` bytes were written. Returns whether the buffer is now empty.
    pub(super) fn advance(&mut self, mut count: usize) -> bool {
        while count > 0 {
            let next_body = self.bodies.get(self.bodies_done);
            let run_end = next_body.map_or(self.bytes.len(), |(place, _)| *place);
            let run = count.min(run_end - self.bytes_done);
            self.bytes_done += run;
            count -= run;
            let Some((_, body)) = next_body else { break };
            if self.bytes_done == run_end {
                let part = count.min(body.len() - self.body_done);
                self.body_done += part;
                count -= part;
                if self.body_done == body.len() {
                    self.bodies_done += 1;
                    self.body_done = 0;
                }
            }
        }
        let all = self.bytes_done == self.bytes.len() && self.bodies_done == self.bodies.len();
        if all {
            self.clear();
        }
        all
    }

    fn clear(&mut self) {
        // Otherwise keep the memory: the next frames need it at once.
        if self.bytes.capacity() > KEEP_CAPACITY {
            self.bytes = BytesMut::new();
        }
        self.bytes.clear();
        self.bodies.clear();
        (self.len, self.bytes_done, self.bodies_done, self.body_done) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn append(out: &mut Outgoing, header: &[u8], body: Bytes) {
        let written = out.append(&body, |bytes| {
            bytes.extend_from_slice(header);
            Ok::<_, Infallible>(())
        });
        assert!(written.is_ok());
    }

    /// Writes everything in steps of at most `step` bytes.
    fn drain(out: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !out.is_empty() {
            let mut slices = Outgoing::no_slices();
            let count = out.slices(&mut slices);
            let next = slices[..count].iter().flat_map(|slice| slice.iter().copied());
            let before = written.len();
            written.extend(next.take(step));
            let now = written.len() - before;
            assert!(now > 0, "there is something left but nothing to write");
            out.advance(now);
        }
        written
    }

    #[test]
    fn frames_leave_whole_and_in_order_however_the_socket_takes_them() {
        let large = |byte: u8| Bytes::from(vec![byte; OWN_SEGMENT_FROM + 3]);
        for step in [1, 997, OWN_SEGMENT_FROM, usize::MAX] {
            let mut out = Outgoing::default();
            let mut expected = Vec::new();
            for index in 0..100u8 {
                let body = match index % 3 {
                    0 => Bytes::from(vec![index; 5]),
                    1 if step > 1 => large(index),
                    _ => Bytes::new(),
                };
                append(&mut out, &[index, b'h'], body.clone());
                expected.extend_from_slice(&[index, b'h']);
                expected.extend_from_slice(&body);
            }
            assert_eq!(out.len(), expected.len());
            assert_eq!(drain(&mut out, step), expected);
        }
    }

    #[test]
    fn a_frame_that_cannot_be_encoded_leaves_no_trace() {
        let mut out = Outgoing::default();
        append(&mut out, b"whole", Bytes::new());
        let refused = out.append(&Bytes::from_static(b"body"), |bytes| {
            bytes.extend_from_slice(b"half");
            Err("too long")
        });
        assert_eq!(refused, Err("too long"));
        assert_eq!(drain(&mut out, usize::MAX), b"whole");
    }
}
