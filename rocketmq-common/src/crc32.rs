//! The checksum of stored bodies (Java: `UtilAll.crc32`).

/// The CRC-32 of a body as it is stored (of the compressed bytes), without the sign bit.
///
/// ```
/// use rocketmq_common::crc32::crc32;
///
/// assert_eq!(crc32(b"hello"), 0x3610_A686);
/// ```
pub fn crc32(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_bit_is_cleared() {
        assert_eq!(crc32(b"hello"), 0x3610_A686);
        assert_eq!(crc32(b"123456789"), 0x4BF4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
