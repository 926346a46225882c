//! Huffman-coded literals (RFC 8878, section 4.2).

use super::super::DecompressError;
use super::bits::BackwardBits;
use super::corrupt;
use super::fse::FseTable;

const MAX_BITS: u32 = 11;
const MAX_WEIGHTS_LOG: u32 = 6;

/// A decoding table, indexed by the next `bits` bits.
pub(super) struct HuffmanTable {
    bits: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    symbol: u8,
    bits: u8,
}

impl HuffmanTable {
    /// Reads the description of a table, and gives what follows it.
    pub(super) fn read(data: &[u8]) -> Result<(Self, &[u8]), DecompressError> {
        let (head, rest) = data.split_first().ok_or(DecompressError::Truncated)?;
        let mut weights = Vec::with_capacity(256);
        let rest = if *head < 128 {
            let coded = rest.split_at_checked(usize::from(*head)).ok_or(DecompressError::Truncated)?;
            read_weights(coded.0, &mut weights)?;
            coded.1
        } else {
            let count = usize::from(*head) - 127;
            let plain = rest.split_at_checked(count.div_ceil(2)).ok_or(DecompressError::Truncated)?;
            weights.extend(plain.0.iter().flat_map(|byte| [byte >> 4, byte & 0xF]));
            weights.truncate(count);
            plain.1
        };
        Ok((Self::from_weights(weights)?, rest))
    }

    /// The last weight is not given: it is what the others leave of a power of two.
    fn from_weights(mut weights: Vec<u8>) -> Result<Self, DecompressError> {
        let wrong = || corrupt("the weights of a Huffman table do not add up");
        let share = |weight: u8| if weight == 0 { 0 } else { 1u32 << (weight - 1) };
        if weights.iter().any(|weight| u32::from(*weight) > MAX_BITS) || weights.len() > 255 {
            return Err(wrong());
        }
        let sum: u32 = weights.iter().map(|weight| share(*weight)).sum();
        let bits = sum.checked_ilog2().ok_or_else(wrong)? + 1;
        let left = (1 << bits) - sum;
        if bits > MAX_BITS || !left.is_power_of_two() {
            return Err(wrong());
        }
        weights.push(left.ilog2() as u8 + 1);
        let mut entries = Vec::with_capacity(1 << bits);
        for weight in 1..=bits as u8 {
            let entry_bits = bits as u8 + 1 - weight;
            for symbol in (0..weights.len()).filter(|symbol| weights[*symbol] == weight) {
                let entry = Entry { symbol: symbol as u8, bits: entry_bits };
                entries.extend((0..share(weight)).map(|_| entry));
            }
        }
        if entries.len() == 1 << bits { Ok(Self { bits, entries }) } else { Err(wrong()) }
    }

    /// Decodes exactly `count` literals out of a stream of their own.
    pub(super) fn decode(
        &self,
        stream: &[u8],
        count: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecompressError> {
        let mut bits = BackwardBits::new(stream)?;
        out.extend((0..count).map(|_| {
            let entry = self.entries[bits.peek(self.bits) as usize];
            bits.skip(u32::from(entry.bits));
            entry.symbol
        }));
        bits.finish()
    }
}

/// The weights are coded by two states in turn, until the bits are used up.
fn read_weights(data: &[u8], weights: &mut Vec<u8>) -> Result<(), DecompressError> {
    let (table, stream) = FseTable::read(data, MAX_WEIGHTS_LOG, 255)?;
    let mut bits = BackwardBits::new(stream)?;
    let mut states = [table.start(&mut bits), table.start(&mut bits)];
    if bits.is_overrun() {
        return Err(DecompressError::Truncated);
    }
    for turn in (0..2).cycle() {
        weights.push(table.symbol(states[turn]));
        table.advance(&mut states[turn], &mut bits);
        if bits.is_overrun() {
            weights.push(table.symbol(states[1 - turn]));
            break;
        }
        if weights.len() > 255 {
            return Err(corrupt("a Huffman table has too many weights"));
        }
    }
    Ok(())
}
