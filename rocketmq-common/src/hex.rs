//! Upper-case hexadecimal, the form of ids.

/// Writes two digits per byte; `digits` must have room for them.
pub(crate) fn encode(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xF)];
    }
}

/// The eight digits of a number, computed together without a loop.
pub(crate) fn digits(number: u32) -> [u8; 8] {
    // Spread the digits, one to a byte: halves move apart, then quarters, then eighths.
    let number = u64::from(number);
    let number = (number & 0xFFFF_0000) << 16 | number & 0xFFFF;
    let number = (number & 0x0000_FF00_0000_FF00) << 8 | number & 0x0000_00FF_0000_00FF;
    let number = (number & 0x00F0_00F0_00F0_00F0) << 4 | number & 0x000F_000F_000F_000F;
    // A digit above 9 carries into the next half-byte when 6 is added: mark it, since letters follow other characters.
    let letters = (number + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (number + 0x3030_3030_3030_3030 + letters * u64::from(b'A' - b'9' - 1)).to_be_bytes()
}

/// Reads exactly `N` bytes out of `2 N` digits of either case.
pub(crate) fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_upper_case_and_read_in_either() {
        let mut digits = [0; 4];
        encode(&[0xAB, 0x09], &mut digits);
        assert_eq!(&digits, b"AB09");
        assert_eq!(decode("aB09"), Some([0xAB, 0x09]));
    }

    #[test]
    fn the_digits_of_a_number_are_those_of_its_bytes() {
        for number in [0, 9, 0xA, 0x0123_4567, 0x89AB_CDEF, 0xF0F0_A09F, u32::MAX] {
            assert_eq!(digits(number), *format!("{number:08X}").as_bytes());
        }
    }

    #[test]
    fn wrong_lengths_and_digits_are_refused() {
        assert_eq!(decode::<2>("AB0"), None);
        assert_eq!(decode::<2>("AB099"), None);
        assert_eq!(decode::<2>("AB0G"), None);
        assert_eq!(decode::<2>("é09"), None);
    }
}
