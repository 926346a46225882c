//! Bit streams: forwards for the descriptions of tables, backwards for what they code.

use super::super::DecompressError;
use super::corrupt;

/// Reads from the lowest bit of the first byte on.
pub(super) struct ForwardBits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> ForwardBits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// At most 16 bits.
    pub(super) fn read(&mut self, count: u32) -> Result<u32, DecompressError> {
        let byte = |index: usize| self.data.get(index).map_or(0, |byte| u32::from(*byte));
        if self.at + count as usize > self.data.len() * 8 {
            return Err(DecompressError::Truncated);
        }
        let first = self.at / 8;
        let window = byte(first) | byte(first + 1) << 8 | byte(first + 2) << 16;
        let bits = window >> (self.at % 8) & ((1 << count) - 1);
        self.at += count as usize;
        Ok(bits)
    }

    pub(super) fn back_one(&mut self) {
        self.at -= 1;
    }

    /// What follows the last byte of which a bit was read.
    pub(super) fn rest(self) -> &'a [u8] {
        &self.data[self.at.div_ceil(8)..]
    }
}

/// Reads from the highest bit of the last byte on, behind the bit that marks the end.
///
/// Bits before the first byte are zero; [`is_overrun`](Self::is_overrun) tells that some were read.
pub(super) struct BackwardBits<'a> {
    data: &'a [u8],
    left: isize,
}

impl<'a> BackwardBits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Result<Self, DecompressError> {
        match data.last() {
            None | Some(0) => Err(corrupt("a bit stream has no end mark")),
            Some(last) => {
                Ok(Self { data, left: data.len() as isize * 8 - last.leading_zeros() as isize - 1 })
            }
        }
    }

    /// The next bits, at most 32, without going on.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        let start = self.left - count as isize;
        let mask = (1u64 << count) - 1;
        if start >= 0 {
            let start = start as usize;
            return (self.load(start / 8) >> (start % 8) & mask) as u32;
        }
        let missing = start.unsigned_abs() as u32;
        if missing >= count { 0 } else { (self.load(0) << missing & mask) as u32 }
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.left -= count as isize;
    }

    #[inline]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.left < 0
    }

    /// All bits have to be used, and none twice.
    pub(super) fn finish(&self) -> Result<(), DecompressError> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(corrupt("a bit stream has another length than what it codes"))
        }
    }

    /// Eight bytes from here on, as far as there are any.
    #[inline]
    fn load(&self, byte: usize) -> u64 {
        match self.data.get(byte..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => {
                let mut bytes = [0; 8];
                let rest = self.data.get(byte..).unwrap_or_default();
                bytes[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(bytes)
            }
        }
    }
}
