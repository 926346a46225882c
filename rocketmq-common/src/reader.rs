//! Reading big-endian numbers and shared slices out of one record of a buffer.

use bytes::Bytes;
use bytestring::ByteString;

use crate::record_error::RecordProblem;

/// A cursor that cannot leave its record.
///
/// Its methods are always inlined: a call per field would pass each result through memory, which makes a record of 128
/// bytes a third slower to read.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    buffer: &'a Bytes,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Enters the record at `at`. Its size must be at least `least`, and the buffer must hold all of it. The size
    /// itself is still to be read.
    #[inline(always)]
    pub(crate) fn enter(buffer: &'a Bytes, at: usize, least: usize) -> Result<Self, RecordProblem> {
        let available = buffer.len() - at;
        let mut whole = Self { buffer, at, end: buffer.len() };
        let size = whole.u32("record size")?;
        match usize::try_from(size) {
            Ok(size) if size >= least && size <= available => Ok(Self { buffer, at, end: at + size }),
            _ => Err(RecordProblem::Size { size: size as i32, available }),
        }
    }

    /// The position after the record in its buffer.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// How many bytes of the record are left.
    pub(crate) fn remaining(&self) -> usize {
        self.end - self.at
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordProblem> {
        match self.buffer[self.at..self.end].first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.short(field, N)),
        }
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, RecordProblem> {
        self.array(field).map(u8::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, RecordProblem> {
        self.array(field).map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, RecordProblem> {
        self.array(field).map(u32::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, RecordProblem> {
        self.array(field).map(i32::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64, RecordProblem> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// Shares the next bytes of the buffer.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, field: &'static str, length: u32) -> Result<Bytes, RecordProblem> {
        let length = self.fits(field, length)?;
        let start = self.at;
        self.at += length;
        Ok(self.buffer.slice(start..self.at))
    }

    /// Borrows the next bytes of the buffer.
    #[inline(always)]
    pub(crate) fn slice(&mut self, field: &'static str, length: u32) -> Result<&'a [u8], RecordProblem> {
        let length = self.fits(field, length)?;
        let start = self.at;
        self.at += length;
        Ok(&self.buffer[start..self.at])
    }

    /// Checks that the record has been read to its end.
    pub(crate) fn finish(&self) -> Result<(), RecordProblem> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(RecordProblem::Trailing { count }),
        }
    }

    #[inline(always)]
    fn fits(&self, field: &'static str, length: u32) -> Result<usize, RecordProblem> {
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining() => Ok(length),
            _ => Err(self.short(field, length as usize)),
        }
    }

    #[cold]
    fn short(&self, field: &'static str, needed: usize) -> RecordProblem {
        RecordProblem::Truncated { field, needed, available: self.remaining() }
    }
}

/// Converts shared bytes to text without a copy.
#[inline]
pub(crate) fn text(field: &'static str, bytes: Bytes) -> Result<ByteString, RecordProblem> {
    ByteString::try_from(bytes).map_err(|_| RecordProblem::NotUtf8 { field })
}
