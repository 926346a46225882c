//! Maps whose keys are objects, like fastjson writes them: `{{"brokerName":"a","queueId":0,"topic":"T"}:7}`.
//!
//! For serde such a key is a text that holds JSON. A mark at its start tells [`unquote`] to write it without quotes.
//! Use with `#[serde(with = "object_keys")]`.

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The mark: a character that no name of this protocol contains.
const MARK: char = '\u{1}';

/// The start of a marked key in JSON.
const MARKED: &[u8] = b"\"\\u0001{";

/// Removes the quotes of marked keys.
pub(super) fn unquote(text: Vec<u8>) -> Vec<u8> {
    if memchr::memmem::find(&text, MARKED).is_none() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some(start) = memchr::memmem::find(rest, MARKED) {
        // After a backslash the quote belongs to a text; a text without a colon behind it is no key.
        let opens = start.checked_sub(1).is_some_and(|before| matches!(rest[before], b'{' | b','));
        out.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        let end = if opens { end_of_string(rest) } else { 0 };
        if rest.get(end + 1) == Some(&b':') {
            unescape(&rest[MARKED.len() - 1..end], &mut out);
            rest = &rest[end + 1..];
        } else {
            out.push(b'"');
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Index of the quote that ends the string at the start of `text`.
fn end_of_string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if text[at + found] == b'"' {
            return at + found;
        }
        at += found + 2;
    }
    text.len()
}

/// Resolves the escapes of JSON within JSON: only quotes and backslashes are escaped there.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
}

pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (MarkedKey(key), value)))
}

pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: DeserializeOwned + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(KeyTexts(PhantomData))
}

struct MarkedKey<'a, K>(&'a K);

impl<K: Serialize> Serialize for MarkedKey<'_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(self.0).map_err(S::Error::custom)?;
        serializer.collect_str(&format_args!("{MARK}{text}"))
    }
}

struct KeyTexts<K, V>(PhantomData<(K, V)>);

impl<'de, K: DeserializeOwned + Ord, V: Deserialize<'de>> Visitor<'de> for KeyTexts<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map whose keys are objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, V>()? {
            let text = key.strip_prefix(MARK).unwrap_or(&key);
            map.insert(serde_json::from_str(text).map_err(A::Error::custom)?, value);
        }
        Ok(map)
    }
}
