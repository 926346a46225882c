//! A set of small numbers, written as Java writes a `BitSet`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The acknowledged messages of a pop, by their distance from its first offset. Java `BitSet`: in JSON the Base64 of
/// its bytes, lowest bit first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckBits(Vec<u8>);

impl AckBits {
    /// The largest distance. A pop has at most 32 messages, but compaction may spread their offsets.
    pub const MAX: u16 = u16::MAX;

    /// Adds a number.
    pub fn insert(&mut self, number: u16) {
        let byte = usize::from(number / 8);
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (number % 8);
    }

    /// Whether the number is in the set.
    #[must_use]
    pub fn contains(&self, number: u16) -> bool {
        self.0.get(usize::from(number / 8)).is_some_and(|byte| byte & (1 << (number % 8)) != 0)
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..=Self::MAX).take(self.0.len().saturating_mul(8)).filter(|number| self.contains(*number))
    }

    fn to_base64(&self) -> String {
        let mut text = String::with_capacity(self.0.len().div_ceil(3) * 4);
        for group in self.0.chunks(3) {
            let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }

    fn from_base64(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches('=');
        let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
        let (mut bits, mut count) = (0_u32, 0);
        for digit in digits.bytes() {
            let value = ALPHABET.iter().position(|known| *known == digit)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count & 0xFF) as u8);
            }
        }
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        (bytes.len() <= usize::from(Self::MAX) / 8 + 1).then_some(Self(bytes))
    }
}

impl FromIterator<u16> for AckBits {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

impl Serialize for AckBits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for AckBits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| de::Error::custom("bit set is no Base64, or too large"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_what_java_writes() {
        let cases: [(&[u16], &str); 6] = [
            (&[], ""),
            (&[0], "AQ=="),
            (&[1], "Ag=="),
            (&[0, 9], "AQI="),
            (&[0, 1, 17], "AwAC"),
            (&[31], "AAAAgA=="),
        ];
        for (numbers, text) in cases {
            let set: AckBits = numbers.iter().copied().collect();
            assert_eq!(set.to_base64(), text);
            assert_eq!(AckBits::from_base64(text), Some(set));
        }
        assert_eq!(AckBits::from_base64("A*=="), None);
        assert_eq!(AckBits::from_base64(&"/".repeat(20_000)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_set_survives(numbers in proptest::collection::btree_set(0..2000_u16, 0..40)) {
            let set: AckBits = numbers.iter().copied().collect();
            let again = AckBits::from_base64(&set.to_base64()).unwrap();
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), numbers.into_iter().collect::<Vec<_>>());
        }
    }
}
