use std::collections::BTreeSet;

use super::record::TraceRecord;
use crate::model::Message;

/// The largest number of records in a trace message.
const RECORDS: usize = 10;
/// A trace message is sent once its text is this long.
const TEXT_CHARS: usize = 128_000;
/// The limit for all ids and keys of a trace message. Beyond it only ids are added, or the message would be too large.
const KEYS_CHARS: usize = 16_000;

/// Records that are collected for one trace message.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    records: usize,
    text: String,
    keys: BTreeSet<String>,
    keys_chars: usize,
}

impl Bundle {
    /// Adds a record. Returns whether the bundle should be sent now.
    pub(super) fn push(&mut self, record: TraceRecord) -> bool {
        self.records += 1;
        self.text.push_str(&record.text);
        self.add_key(record.msg_id);
        let keys = record.keys.unwrap_or_default();
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            if self.keys_chars + key.len() <= KEYS_CHARS {
                self.add_key(key.to_owned());
            }
        }
        self.records >= RECORDS || self.text.len() >= TEXT_CHARS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The trace message, and its number of records. The bundle is empty afterwards.
    pub(super) fn take(&mut self, topic: &str) -> (Message, usize) {
        let Self { records, text, keys, .. } = std::mem::take(self);
        let mut message = Message::new(topic, text);
        let keys: Vec<String> = keys.into_iter().collect();
        message.set_keys(keys.join(" "));
        (message, records)
    }

    fn add_key(&mut self, key: String) {
        self.keys_chars += key.len() + 1;
        self.keys.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: usize, text: &str, keys: Option<&str>) -> TraceRecord {
        TraceRecord { text: text.to_owned(), msg_id: format!("id{id}"), keys: keys.map(str::to_owned) }
    }

    #[test]
    fn ten_records_are_one_message_that_each_of_their_keys_finds() {
        let mut bundle = Bundle::default();
        for id in 0..9 {
            assert!(!bundle.push(record(id, "text\u{2}", Some("k1  k2"))));
        }
        assert!(bundle.push(record(9, "last\u{2}", None)));
        let (message, records) = bundle.take("Trace");
        assert_eq!((message.topic(), records, bundle.is_empty()), ("Trace", 10, true));
        assert_eq!(message.keys(), Some("id0 id1 id2 id3 id4 id5 id6 id7 id8 id9 k1 k2"));
        assert_eq!(message.body(), &("text\u{2}".repeat(9) + "last\u{2}"));
    }

    #[test]
    fn a_long_text_is_sent_at_once() {
        let mut bundle = Bundle::default();
        assert!(!bundle.push(record(1, &"x".repeat(TEXT_CHARS - 1), None)));
        assert!(bundle.push(record(2, "x", None)));
    }

    #[test]
    fn more_keys_than_a_message_can_have_leave_the_ids() {
        let mut bundle = Bundle::default();
        let long = "k".repeat(KEYS_CHARS - 10);
        for id in 0..9 {
            assert!(!bundle.push(record(id, "x", Some(&format!("{id}{long}")))));
        }
        let (message, _) = bundle.take("Trace");
        let keys = message.keys().unwrap();
        assert!(keys.len() < 2 * KEYS_CHARS && (0..9).all(|id| keys.contains(&format!("id{id}"))));
        assert!(message.properties().check().is_ok());
    }
}
