//! Java's `String.hashCode`. The choice of queues by key and the fingerprints of heartbeats depend on it.

/// The hash that Java computes for `text`: over its UTF-16 units, wrapping.
///
/// ```
/// use rocketmq_common::java_hash::java_string_hash;
///
/// assert_eq!(java_string_hash("hello"), 99_162_322);
/// ```
pub fn java_string_hash(text: &str) -> i32 {
    let add = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    if text.is_ascii() { text.bytes().map(u16::from).fold(0, add) } else { text.encode_utf16().fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_java_s() {
        assert_eq!(java_string_hash(""), 0);
        assert_eq!(java_string_hash("hello"), 99_162_322);
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_string_hash("é"), 233);
        assert_eq!(java_string_hash("€a"), 8364 * 31 + 97);
        // One character, two UTF-16 units: 0xD83D 0xDE00.
        assert_eq!(java_string_hash("😀"), 0xD83D * 31 + 0xDE00);
    }
}
