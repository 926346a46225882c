//! Base64 in the alphabet for addresses, with padding: the form of recall handles.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bytes as text.
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (number >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

/// Text as bytes; padding may be missing. `None` if it is not Base64.
pub(crate) fn decode_url(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut number = 0_u32;
        for letter in chunk {
            let digit = ALPHABET.iter().position(|other| other == letter)?;
            number = number << 6 | digit as u32;
        }
        let whole = chunk.len() * 6 / 8;
        if whole == 0 {
            return None;
        }
        number <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&number.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_back() {
        let known = [("", ""), ("v", "dg=="), ("v1", "djE="), ("v1 ", "djEg"), ("??>", "Pz8-")];
        for (plain, encoded) in known {
            assert_eq!(encode_url(plain.as_bytes()), encoded);
            assert_eq!(decode_url(encoded).unwrap(), plain.as_bytes());
        }
        assert_eq!([decode_url("a"), decode_url("a.bc"), decode_url("ab=c")], [None, None, None]);
    }
}
