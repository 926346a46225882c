//! Compressed blocks: literals, and sequences that mix them with matches (RFC 8878, section 3.1.1.3).

use super::super::{DecompressError, reserve_within};
use super::corrupt;
use super::huffman::HuffmanTable;
use super::sequences::{Sequence, SequenceContext};

/// The most that a block may hold, compressed or not.
pub(super) const MAX_BLOCK: usize = 128 << 10;

/// What one block of a frame leaves for the next.
#[derive(Default)]
pub(super) struct BlockContext {
    huffman: Option<HuffmanTable>,
    sequences: SequenceContext,
    literals: Vec<u8>,
}

/// Where a frame goes to.
pub(super) struct Output<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Where the frame starts: no match reaches further back.
    pub(super) start: usize,
    pub(super) limit: usize,
}

impl Output<'_> {
    /// Makes room for so many bytes more.
    pub(super) fn reserve(&mut self, count: usize) -> Result<(), DecompressError> {
        reserve_within(self.out, count, self.limit)
    }

    fn copy(&mut self, offset: usize, count: usize) -> Result<(), DecompressError> {
        let end = self.out.len();
        if offset > end - self.start {
            return Err(corrupt("a match starts before its frame"));
        }
        self.reserve(count)?;
        let from = end - offset;
        let end = end + count;
        // A match may reach into itself: then each round doubles what there is to copy.
        while self.out.len() < end {
            let chunk = (end - self.out.len()).min(self.out.len() - from);
            self.out.extend_from_within(from..from + chunk);
        }
        Ok(())
    }
}

impl BlockContext {
    /// Inflates a block.
    pub(super) fn decode(&mut self, data: &[u8], output: &mut Output<'_>) -> Result<(), DecompressError> {
        let data = self.read_literals(data)?;
        let mut literals = &self.literals[..];
        let mut left = MAX_BLOCK;
        self.sequences.decode(data, |sequence| {
            let Sequence { literals: count, offset, matched } = sequence;
            left = left.checked_sub(count + matched).ok_or(corrupt("a block is too large"))?;
            let (now, later) =
                literals.split_at_checked(count).ok_or(corrupt("there are too few literals"))?;
            literals = later;
            output.reserve(count)?;
            output.out.extend_from_slice(now);
            output.copy(offset, matched)
        })?;
        if literals.len() > left {
            return Err(corrupt("a block is too large"));
        }
        output.reserve(literals.len())?;
        output.out.extend_from_slice(literals);
        Ok(())
    }

    /// Reads the literals of a block, and gives what follows them.
    fn read_literals<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], DecompressError> {
        let first = *data.first().ok_or(DecompressError::Truncated)?;
        let format = first >> 2 & 3;
        self.literals.clear();
        if first & 3 < 2 {
            let (header_len, bits, shift) = match format {
                0 | 2 => (1, 5, 3),
                1 => (2, 12, 4),
                _ => (3, 20, 4),
            };
            let (header, data) = header(data, header_len, shift)?;
            let count = checked_size(header, bits)?;
            return self.plain_literals(first & 1 == 1, count, data);
        }
        let (header_len, bits) = match format {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let (header, data) = header(data, header_len, 4)?;
        let (count, coded) = (checked_size(header, bits)?, checked_size(header >> bits, bits)?);
        let (coded, rest) = data.split_at_checked(coded).ok_or(DecompressError::Truncated)?;
        self.coded_literals(first & 3 == 3, format == 0, count, coded)?;
        Ok(rest)
    }

    fn plain_literals<'a>(
        &mut self,
        one_byte: bool,
        count: usize,
        data: &'a [u8],
    ) -> Result<&'a [u8], DecompressError> {
        if one_byte {
            let (byte, rest) = data.split_first().ok_or(DecompressError::Truncated)?;
            self.literals.resize(count, *byte);
            return Ok(rest);
        }
        let (literals, rest) = data.split_at_checked(count).ok_or(DecompressError::Truncated)?;
        self.literals.extend_from_slice(literals);
        Ok(rest)
    }

    fn coded_literals(
        &mut self,
        same_table: bool,
        one_stream: bool,
        count: usize,
        mut data: &[u8],
    ) -> Result<(), DecompressError> {
        if !same_table {
            let (table, rest) = HuffmanTable::read(data)?;
            (self.huffman, data) = (Some(table), rest);
        }
        let Some(table) = &self.huffman else {
            return Err(corrupt("a table is repeated that was never given"));
        };
        if one_stream {
            return table.decode(data, count, &mut self.literals);
        }
        let (sizes, mut data) = data.split_first_chunk::<6>().ok_or(DecompressError::Truncated)?;
        let each = count.div_ceil(4);
        let last =
            count.checked_sub(3 * each).ok_or(corrupt("there are too few literals for four streams"))?;
        for size in sizes.chunks_exact(2) {
            let size = usize::from(u16::from_le_bytes([size[0], size[1]]));
            let (stream, rest) = data.split_at_checked(size).ok_or(DecompressError::Truncated)?;
            table.decode(stream, each, &mut self.literals)?;
            data = rest;
        }
        table.decode(data, last, &mut self.literals)
    }
}

/// A little-endian number of up to five bytes without its lowest bits.
fn header(data: &[u8], len: usize, shift: u32) -> Result<(u64, &[u8]), DecompressError> {
    let (head, rest) = data.split_at_checked(len).ok_or(DecompressError::Truncated)?;
    let number = head.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Ok((number >> shift, rest))
}

fn checked_size(header: u64, bits: u32) -> Result<usize, DecompressError> {
    let size = (header & ((1 << bits) - 1)) as usize;
    if size > MAX_BLOCK { Err(corrupt("a block has too many literals")) } else { Ok(size) }
}
