//! Finite state entropy: tables and states (RFC 8878, section 4.1).

use super::super::DecompressError;
use super::bits::{BackwardBits, ForwardBits};
use super::corrupt;

/// A decoding table.
#[derive(Clone, Default)]
pub(super) struct FseTable {
    log: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A place in a table.
#[derive(Clone, Copy)]
pub(super) struct FseState(usize);

impl FseTable {
    /// Reads the description of a table, and gives what follows it.
    pub(super) fn read(data: &[u8], max_log: u32, max_symbol: u8) -> Result<(Self, &[u8]), DecompressError> {
        let mut bits = ForwardBits::new(data);
        let log = bits.read(4)? + 5;
        if log > max_log {
            return Err(corrupt("an entropy table is too large"));
        }
        let mut counts: Vec<i16> = Vec::with_capacity(64);
        let mut left: i32 = 1 << log;
        while left > 0 {
            let count = read_count(&mut bits, left)?;
            left -= i32::from(count.abs());
            counts.push(count);
            let mut more_zeros = count == 0;
            while more_zeros && counts.len() <= usize::from(max_symbol) {
                let zeros = bits.read(2)?;
                counts.extend((0..zeros).map(|_| 0));
                more_zeros = zeros == 3;
            }
            if counts.len() > usize::from(max_symbol) + 1 {
                return Err(corrupt("an entropy table has too many symbols"));
            }
        }
        if left < 0 {
            return Err(corrupt("the counts of an entropy table do not add up"));
        }
        Ok((Self::from_counts(log, &counts)?, bits.rest()))
    }

    /// A table that always gives the same symbol and needs no bits.
    pub(super) fn single(symbol: u8) -> Self {
        Self { log: 0, entries: vec![Entry { symbol, bits: 0, base: 0 }] }
    }

    /// A table of symbols that occur this often among `2^log`; -1 stands for less than once.
    pub(super) fn from_counts(log: u32, counts: &[i16]) -> Result<Self, DecompressError> {
        let size = 1usize << log;
        let mut entries = vec![Entry::default(); size];
        let mut next = [0u16; 256];
        let mut high = size;
        for (symbol, count) in counts.iter().enumerate() {
            next[symbol] = count.unsigned_abs();
            if *count == -1 {
                high -= 1;
                entries[high].symbol = symbol as u8;
            }
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (symbol, count) in counts.iter().enumerate() {
            for _ in 0..*count.max(&0) {
                entries[at].symbol = symbol as u8;
                at = (at + step) & (size - 1);
                while at >= high {
                    at = (at + step) & (size - 1);
                }
            }
        }
        if at != 0 {
            return Err(corrupt("the counts of an entropy table do not add up"));
        }
        for entry in &mut entries {
            let state = next[usize::from(entry.symbol)];
            next[usize::from(entry.symbol)] += 1;
            let bits = log - state.ilog2();
            entry.bits = bits as u8;
            entry.base = ((usize::from(state) << bits) - size) as u16;
        }
        Ok(Self { log, entries })
    }

    pub(super) fn start(&self, bits: &mut BackwardBits<'_>) -> FseState {
        FseState(bits.read(self.log) as usize)
    }

    #[inline]
    pub(super) fn symbol(&self, state: FseState) -> u8 {
        self.entries[state.0].symbol
    }

    #[inline]
    pub(super) fn advance(&self, state: &mut FseState, bits: &mut BackwardBits<'_>) {
        let entry = self.entries[state.0];
        state.0 = usize::from(entry.base) + bits.read(u32::from(entry.bits)) as usize;
    }
}

/// A count plus one, in as few bits as the rest allows: small values take one bit less.
fn read_count(bits: &mut ForwardBits<'_>, left: i32) -> Result<i16, DecompressError> {
    let width = (left + 1).ilog2() + 1;
    let low_mask = (1u32 << (width - 1)) - 1;
    let short = (1u32 << width) - 1 - (left as u32 + 1);
    // The last count may need one bit less than is there.
    let value = match bits.read(width) {
        Ok(value) => value,
        Err(_) => {
            let value = bits.read(width - 1)?;
            if value >= short {
                return Err(DecompressError::Truncated);
            }
            return Ok(value as i16 - 1);
        }
    };
    if value & low_mask < short {
        bits.back_one();
        Ok((value & low_mask) as i16 - 1)
    } else if value > low_mask {
        Ok((value - short) as i16 - 1)
    } else {
        Ok(value as i16 - 1)
    }
}
