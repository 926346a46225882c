//! Appends to a write buffer piece by piece, without reserving room for each piece.

use bytes::BytesMut;

/// Keeps the buffer longer than its content, so that a piece costs one bounds check and one copy.
/// [`FrameWriter::finish`] cuts the excess off.
pub(super) struct FrameWriter<'a> {
    out: &'a mut BytesMut,
    at: usize,
}

impl<'a> FrameWriter<'a> {
    /// How much further to grow than needed.
    const SLACK: usize = 512;

    /// `typical` is the length of most headers.
    pub(super) fn new(out: &'a mut BytesMut, typical: usize) -> Self {
        let at = out.len();
        out.resize(at + typical, 0);
        Self { out, at }
    }

    /// Returns the next `length` bytes for the caller to fill.
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

    /// Returns the next `length` bytes or more; the caller keeps some of them with [`FrameWriter::keep`].
    #[inline]
    pub(super) fn ahead(&mut self, length: usize) -> &mut [u8] {
        let end = self.at + length;
        if end > self.out.len() {
            self.grow(end);
        }
        &mut self.out[self.at..]
    }

    /// Keeps the first `length` bytes that [`FrameWriter::ahead`] returned.
    #[inline]
    pub(super) fn keep(&mut self, length: usize) {
        self.at = (self.at + length).min(self.out.len());
    }

    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    #[inline]
    pub(super) fn number(&mut self, value: i64) {
        write_decimal(value, self.room(decimal_length(value)));
    }

    /// The number of bytes in the buffer.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to an earlier position.
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position.min(self.at);
    }

    /// Overwrites four bytes at `position`.
    pub(super) fn patch(&mut self, position: usize, word: &[u8; 4]) {
        if let Some(slot) = self.out.get_mut(position..position + 4) {
            slot.copy_from_slice(word);
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

/// The number of bytes of the decimal form.
#[inline]
pub(super) fn decimal_length(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or_default() as usize + 1;
    digits + usize::from(value < 0)
}

/// Writes the decimal form into `out`, which is exactly as long. It writes in place: digits written elsewhere byte by
/// byte would be slow to copy.
#[inline]
pub(super) fn write_decimal(value: i64, out: &mut [u8]) {
    const PAIRS: &[u8; 200] = b"\
        0001020304050607080910111213141516171819\
        2021222324252627282930313233343536373839\
        4041424344454647484950515253545556575859\
        6061626364656667686970717273747576777879\
        8081828384858687888990919293949596979899";
    let mut rest = value.unsigned_abs();
    let mut end = out.len();
    while rest >= 10 {
        let pair = 2 * (rest % 100) as usize;
        out[end - 2..end].copy_from_slice(&PAIRS[pair..pair + 2]);
        rest /= 100;
        end -= 2;
    }
    // The rest is the first digit, or the zero of the number 0.
    if rest > 0 || end == out.len() {
        out[end - 1] = b'0' + rest as u8;
    }
    if value < 0 {
        out[0] = b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_like_the_standard_library() {
        let near = 1_795_252_020_175;
        for value in [-1000..1001, near..near + 200, i64::MAX - 9..i64::MAX, i64::MIN..i64::MIN + 9]
            .into_iter()
            .flatten()
        {
            let mut text = vec![0; decimal_length(value)];
            write_decimal(value, &mut text);
            assert_eq!(text, value.to_string().as_bytes());
        }
    }

    #[test]
    fn grows_past_its_slack_and_leaves_none() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = FrameWriter::new(&mut out, 50);
        for _ in 0..100 {
            writer.put(b"0123456789");
            writer.ahead(500)[..2].copy_from_slice(b"ab");
            writer.keep(2);
        }
        writer.finish();
        assert_eq!(out.len(), 6 + 1200);
        assert!(out.starts_with(b"before0123456789ab0") && out.ends_with(b"789ab"));
    }
}
