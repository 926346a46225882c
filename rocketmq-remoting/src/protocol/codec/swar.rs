//! Looks at eight bytes of text at a time. Header texts are too short for a vector search to pay off.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Index of the first quote or backslash at or behind `from`.
#[inline(always)]
pub(crate) fn find_quote_or_backslash(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = text.get(at..at + 8) {
        let hits = quotes_and_backslashes(load(word));
        if hits != 0 {
            return Some(at + first(hits));
        }
        at += 8;
    }
    let tail = text.get(at..)?;
    tail.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|found| at + found)
}

/// Whether any of these bytes needs an escape in a JSON string.
#[inline]
pub(super) fn has_escapes(text: &[u8]) -> bool {
    let mut words = text.chunks_exact(8);
    if words.by_ref().any(|word| to_escape(load(word)) != 0) {
        return true;
    }
    let tail = words.remainder();
    match (tail.first_chunk::<4>(), tail.last_chunk::<4>()) {
        // Four to seven bytes: the two halves overlap.
        (Some(head), Some(end)) => {
            let halves = u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*end)) << 32;
            to_escape(halves) != 0
        }
        _ => tail.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')),
    }
}

/// How many bytes, counted from the first, need no escape.
#[inline]
pub(super) fn plain_bytes(word: [u8; 8]) -> usize {
    first(to_escape(u64::from_le_bytes(word)))
}

#[inline]
fn load(word: &[u8]) -> u64 {
    u64::from_le_bytes(word.try_into().unwrap_or_default())
}

/// The index of the byte that holds the lowest set bit; 8 if none is set.
#[inline]
fn first(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}

#[inline]
fn quotes_and_backslashes(word: u64) -> u64 {
    zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64))
}

#[inline]
fn to_escape(word: u64) -> u64 {
    let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    controls | quotes_and_backslashes(word)
}

/// The lowest set bit marks the first zero byte; bits above it may be wrong.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_a_string_at_every_distance() {
        for distance in 0..40 {
            for end in ['"', '\\'] {
                let text = format!("{}{end}\"\\", "\u{7f}!#[]".repeat(8).get(..distance).unwrap());
                assert_eq!(find_quote_or_backslash(text.as_bytes(), 0), Some(distance));
            }
        }
        assert_eq!(find_quote_or_backslash(b"0123456789", 0), None);
        assert_eq!(find_quote_or_backslash(b"", 0), None);
    }

    #[test]
    fn sees_every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            let escape = byte < 0x20 || byte == b'"' || byte == b'\\';
            for length in 1..30 {
                for place in 0..length {
                    let mut text = vec![b'!'; length];
                    text[place] = byte;
                    assert_eq!(has_escapes(&text), escape, "{byte} at {place} of {length}");
                }
            }
            for place in 0..8 {
                let mut word = [0xE4; 8];
                word[place] = byte;
                assert_eq!(plain_bytes(word), if escape { place } else { 8 }, "{byte} at {place}");
            }
        }
    }
}
