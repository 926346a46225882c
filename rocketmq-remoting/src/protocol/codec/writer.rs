//! Appends to a write buffer piece by piece, without asking for room at each.

use bytes::BytesMut;

/// Keeps the buffer a little longer than what was written, so that a piece is one bounds check and one
/// copy. [`FrameWriter::finish`] cuts the rest off.
pub(super) struct FrameWriter<'a> {
    out: &'a mut BytesMut,
    at: usize,
}

impl<'a> FrameWriter<'a> {
    /// As much as a typical header takes.
    const SLACK: usize = 384;

    pub(super) fn new(out: &'a mut BytesMut) -> Self {
        let at = out.len();
        out.resize(at + Self::SLACK, 0);
        Self { out, at }
    }

    /// The next `length` bytes, to be filled by the caller.
    #[inline]
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        let start = self.at;
        let end = start + length;
        if end > self.out.len() {
            self.grow(end);
        }
        self.at = end;
        &mut self.out[start..end]
    }

    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// How many bytes the buffer holds up to here.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to an earlier position.
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position.min(self.at);
    }

    /// Overwrites what was written at `position`.
    pub(super) fn patch(&mut self, position: usize, bytes: &[u8]) {
        if let Some(slot) = self.out.get_mut(position..position + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    }

    pub(super) fn finish(self) {
        self.out.truncate(self.at);
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        self.out.resize(end + Self::SLACK, 0);
    }
}

/// The decimal digits of a number, on the stack.
pub(super) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    #[inline]
    pub(super) fn new(value: i64) -> Self {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Self { digits, start }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_like_the_standard_library() {
        for value in [0, 1, 9, 10, 99, 100, -1, -10, 1_795_252_020_175, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::new(value).as_bytes(), value.to_string().as_bytes());
        }
    }

    #[test]
    fn grows_past_its_slack_and_leaves_none() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = FrameWriter::new(&mut out);
        for _ in 0..100 {
            writer.put(b"0123456789");
        }
        writer.finish();
        assert_eq!(out.len(), 6 + 1000);
        assert!(out.starts_with(b"before0123456789") && out.ends_with(b"789"));
    }
}
