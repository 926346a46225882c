//! The properties of a message in the order in which Apache's broker stores them.

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::properties::{NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR, append_property};

/// Buckets of the map into which the broker reads properties (Java: `MessageDecoder.string2messageProperties`).
const BUCKETS: usize = 128;

/// Properties in Java's order. The broker reads the client's text into a `HashMap`, adds its own properties and writes
/// the map out again, so that stored properties are sorted by the hash of their names.
#[derive(Debug)]
pub(crate) struct JavaProperties<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    name: &'a str,
    value: &'a str,
    hash: u32,
    /// The position of the first put of this name.
    place: usize,
}

impl<'a> JavaProperties<'a> {
    /// No properties yet, with room for some.
    pub(crate) fn new() -> Self {
        Self { entries: Vec::with_capacity(12) }
    }

    /// Sets a property; an existing name keeps its place.
    pub(crate) fn put(&mut self, name: &'a str, value: &'a str) {
        let hash = java_string_hash(name) as u32;
        let place = self.entries.len();
        self.entries.push(Entry { name, value, hash: hash ^ hash >> 16, place });
    }

    /// The text to store.
    pub(crate) fn into_wire(self) -> String {
        let mut entries = without_repetitions(self.entries);
        let mask = buckets(entries.len()) as u32 - 1;
        entries.sort_unstable_by_key(|entry| (entry.hash & mask, entry.place));
        let length = entries.iter().map(|entry| entry.name.len() + entry.value.len() + 2).sum();
        let mut wire = String::with_capacity(length);
        for entry in &entries {
            append_property(&mut wire, entry.name, entry.value);
        }
        wire
    }
}

/// The properties in a text, split like by the broker: entries without 0x01, without a name or without a value are
/// skipped, and a value may contain 0x01.
pub(crate) fn property_entries(wire: &str) -> impl Iterator<Item = (&str, &str)> {
    let entries = wire.split(PROPERTY_SEPARATOR).filter_map(|entry| entry.split_once(NAME_VALUE_SEPARATOR));
    entries.filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// Properties with some added and others left out, in the order in which a broker stores them.
pub(crate) fn with_properties<'a>(
    wire: &'a str,
    put: impl Iterator<Item = (&'a str, &'a str)>,
    without: &[&str],
) -> String {
    let mut properties = JavaProperties::new();
    for (name, value) in property_entries(wire).filter(|(name, _)| !without.contains(name)) {
        properties.put(name, value);
    }
    for (name, value) in put {
        properties.put(name, value);
    }
    properties.into_wire()
}

/// The value of a property; the last one if there are several.
pub(crate) fn property<'a>(wire: &'a str, name: &str) -> Option<&'a str> {
    property_entries(wire).filter(|entry| entry.0 == name).last().map(|entry| entry.1)
}

/// Keeps one entry for each name, with its first place and its last value.
fn without_repetitions(mut entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    entries.sort_unstable_by_key(|entry| (entry.hash, entry.place));
    let mut unique: Vec<Entry<'_>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let same_hash = unique.iter_mut().rev().take_while(|other| other.hash == entry.hash);
        match { same_hash }.find(|other| other.name == entry.name) {
            Some(first) => first.value = entry.value,
            None => unique.push(entry),
        }
    }
    unique
}

/// The buckets of Java's map for this number of names: it doubles when it is three quarters full.
fn buckets(names: usize) -> usize {
    let mut buckets = BUCKETS;
    while names > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(entries: &[(&'static str, &'static str)]) -> String {
        let mut properties = JavaProperties::new();
        for (name, value) in entries {
            properties.put(name, value);
        }
        properties.into_wire().replace('\u{1}', "=").replace('\u{2}', " ")
    }

    #[test]
    fn the_order_is_the_one_of_a_record_of_apache_s_broker() {
        let sent = [("WAIT", "true"), ("TAGS", "A"), ("UNIQ_KEY", "U"), ("KEYS", "k"), ("DELAY", "1")];
        let added = [("TRACE_ON", "true"), ("MSG_REGION", "R"), ("CLUSTER", "C")];
        let expected = "MSG_REGION=R UNIQ_KEY=U CLUSTER=C DELAY=1 TAGS=A KEYS=k WAIT=true TRACE_ON=true ";
        assert_eq!(stored(&[&sent[..], &added[..]].concat()), expected);
        // UNIQ_KEY and CLUSTER share a bucket, in which the first one stays first.
        let timer = [("REAL_QID", "3"), ("TIMER_OUT_MS", "1"), ("CLUSTER", "C"), ("UNIQ_KEY", "U")];
        assert_eq!(stored(&timer), "TIMER_OUT_MS=1 CLUSTER=C UNIQ_KEY=U REAL_QID=3 ");
    }

    #[test]
    fn a_name_that_is_put_again_keeps_its_place_and_gets_the_new_value() {
        assert_eq!(stored(&[("CLUSTER", "x"), ("UNIQ_KEY", "U"), ("CLUSTER", "y")]), "CLUSTER=y UNIQ_KEY=U ");
        // "Aa" and "BB" have the same hash.
        assert_eq!(stored(&[("Aa", "1"), ("BB", "2"), ("Aa", "3")]), "Aa=3 BB=2 ");
    }

    #[test]
    fn the_map_grows_as_java_s_does() {
        assert_eq!([96, 97, 192, 193].map(buckets), [128, 256, 256, 512]);
    }
}
