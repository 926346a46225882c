//! The sequences of a block: how many literals to copy, and which match after them (RFC 8878, section 3.1.1.3.2).

use super::super::DecompressError;
use super::bits::BackwardBits;
use super::corrupt;
use super::fse::FseTable;

/// One step of putting a block together.
#[derive(Clone, Copy)]
pub(super) struct Sequence {
    pub(super) literals: usize,
    pub(super) offset: usize,
    pub(super) matched: usize,
}

/// What one block leaves for the next: tables and the last three offsets.
pub(super) struct SequenceContext {
    tables: [Option<FseTable>; 3],
    offsets: [u32; 3],
}

/// The three fields of a sequence, in the order of their tables.
#[derive(Clone, Copy)]
enum Field {
    LiteralsLength,
    Offset,
    MatchLength,
}

impl Default for SequenceContext {
    fn default() -> Self {
        Self { tables: [None, None, None], offsets: [1, 4, 8] }
    }
}

impl SequenceContext {
    /// Decodes the sequences of a block one after the other into `take`.
    pub(super) fn decode(
        &mut self,
        data: &[u8],
        mut take: impl FnMut(Sequence) -> Result<(), DecompressError>,
    ) -> Result<(), DecompressError> {
        let (count, data) = read_count(data)?;
        if count == 0 {
            return if data.is_empty() { Ok(()) } else { Err(corrupt("a block has bytes left")) };
        }
        let (modes, mut data) = data.split_first().ok_or(DecompressError::Truncated)?;
        if modes & 3 != 0 {
            return Err(corrupt("reserved bits are set"));
        }
        for field in [Field::LiteralsLength, Field::Offset, Field::MatchLength] {
            let mode = modes >> (6 - 2 * field as u8) & 3;
            data = self.read_table(field, mode, data)?;
        }
        let [Some(literals), Some(offsets), Some(matches)] = &self.tables else {
            return Err(corrupt("a table is repeated that was never given"));
        };
        let mut bits = BackwardBits::new(data)?;
        let mut literals_state = literals.start(&mut bits);
        let mut offset_state = offsets.start(&mut bits);
        let mut match_state = matches.start(&mut bits);
        for index in 0..count {
            // At most 31 + 16 + 16 bits for the three values.
            let offset_bits = u32::from(offsets.symbol(offset_state));
            let offset_value = (1u32 << offset_bits) + bits.read(offset_bits);
            let matched = length(&MATCH_LENGTHS, matches.symbol(match_state), &mut bits);
            let literals_len = length(&LITERALS_LENGTHS, literals.symbol(literals_state), &mut bits);
            if bits.is_overrun() {
                return Err(DecompressError::Truncated);
            }
            let offset = next_offset(&mut self.offsets, offset_value, literals_len == 0)?;
            take(Sequence {
                literals: literals_len as usize,
                offset: offset as usize,
                matched: matched as usize,
            })?;
            if index + 1 < count {
                literals.advance(&mut literals_state, &mut bits);
                matches.advance(&mut match_state, &mut bits);
                offsets.advance(&mut offset_state, &mut bits);
            }
        }
        bits.finish()
    }

    fn read_table<'a>(
        &mut self,
        field: Field,
        mode: u8,
        data: &'a [u8],
    ) -> Result<&'a [u8], DecompressError> {
        let (max_log, max_symbol, default_log, default): (_, _, _, &[i16]) = match field {
            Field::LiteralsLength => (9, 35, 6, &DEFAULT_LITERALS_LENGTHS),
            Field::Offset => (8, 31, 5, &DEFAULT_OFFSETS),
            Field::MatchLength => (9, 52, 6, &DEFAULT_MATCH_LENGTHS),
        };
        let (table, rest) = match mode {
            0 => (FseTable::from_counts(default_log, default)?, data),
            1 => match data.split_first() {
                Some((symbol, rest)) if *symbol <= max_symbol => (FseTable::single(*symbol), rest),
                Some(_) => return Err(corrupt("a code is out of range")),
                None => return Err(DecompressError::Truncated),
            },
            2 => FseTable::read(data, max_log, max_symbol)?,
            _ => return Ok(data),
        };
        self.tables[field as usize] = Some(table);
        Ok(rest)
    }
}

/// How many sequences there are, in one to three bytes.
fn read_count(data: &[u8]) -> Result<(usize, &[u8]), DecompressError> {
    match *data {
        [first @ 0..=127, ref rest @ ..] => Ok((usize::from(first), rest)),
        [first @ 128..=254, second, ref rest @ ..] => {
            Ok((usize::from(first - 128) << 8 | usize::from(second), rest))
        }
        [255, second, third, ref rest @ ..] => {
            Ok((0x7F00 + usize::from(second) + (usize::from(third) << 8), rest))
        }
        _ => Err(DecompressError::Truncated),
    }
}

/// The values 1 to 3 stand for one of the last three offsets, moved on by one if there are no literals.
fn next_offset(last: &mut [u32; 3], value: u32, no_literals: bool) -> Result<u32, DecompressError> {
    let offset = match (value, no_literals) {
        (4.., _) => value - 3,
        (3, true) => last[0] - 1,
        (_, true) => last[value as usize],
        (_, false) => last[value as usize - 1],
    };
    if offset == 0 {
        return Err(corrupt("an offset is zero"));
    }
    match (value, no_literals) {
        (1, false) => {}
        (2, false) | (1, true) => *last = [offset, last[0], last[2]],
        _ => *last = [offset, last[0], last[1]],
    }
    Ok(offset)
}

/// Least value and number of further bits of a code. The codes before the table stand for themselves.
struct Lengths<const N: usize> {
    plain: u8,
    least: u32,
    codes: [(u32, u8); N],
}

fn length<const N: usize>(lengths: &Lengths<N>, code: u8, bits: &mut BackwardBits<'_>) -> u32 {
    match lengths.codes.get(usize::from(code.wrapping_sub(lengths.plain))) {
        Some((base, more)) if code >= lengths.plain => base + bits.read(u32::from(*more)),
        _ => lengths.least + u32::from(code),
    }
}

#[rustfmt::skip]
const LITERALS_LENGTHS: Lengths<20> = Lengths { plain: 16, least: 0, codes: [
    (16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3), (48, 4), (64, 6), (128, 7), (256, 8),
    (512, 9), (1024, 10), (2048, 11), (4096, 12), (8192, 13), (16384, 14), (32768, 15), (65536, 16),
] };

#[rustfmt::skip]
const MATCH_LENGTHS: Lengths<21> = Lengths { plain: 32, least: 3, codes: [
    (35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4), (83, 4), (99, 5), (131, 7),
    (259, 8), (515, 9), (1027, 10), (2051, 11), (4099, 12), (8195, 13), (16387, 14), (32771, 15), (65539, 16),
] };

#[rustfmt::skip]
const DEFAULT_LITERALS_LENGTHS: [i16; 36] = [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
];

#[rustfmt::skip]
const DEFAULT_MATCH_LENGTHS: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

#[rustfmt::skip]
const DEFAULT_OFFSETS: [i16; 29] = [
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
];
