//! Little-endian input that can run out.

use super::DecompressError;

pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecompressError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecompressError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecompressError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn take(&mut self, length: u32) -> Result<&'a [u8], DecompressError> {
        let (head, rest) = self.0.split_at_checked(length as usize).ok_or(DecompressError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecompressError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(DecompressError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }
}
