//! The properties of a message, kept in their wire form.

use std::fmt;

use bytestring::ByteString;
use memchr::{memchr, memrchr};

use crate::message_const::{PROPERTY_INSTANCE_ID, UNIQ_KEY, is_reserved};
pub use crate::property_error::{PropertyError, PropertyProblem};

/// Ends the name of a property (Java: `MessageDecoder.NAME_VALUE_SEPARATOR`).
pub const NAME_VALUE_SEPARATOR: char = '\u{1}';
/// Ends a property (Java: `MessageDecoder.PROPERTY_SEPARATOR`).
pub const PROPERTY_SEPARATOR: char = '\u{2}';
/// The longest text of properties that a record can hold, including what the broker adds: the length is a signed
/// 16-bit number.
pub const MAX_PROPERTIES_BYTES: usize = 32_767;
/// The part of [`MAX_PROPERTIES_BYTES`] that stays free for the message id and for the broker. The broker adds region,
/// cluster, trace switch, and the real topic and queue of a message that it delays or delivers again.
pub const BROKER_PROPERTIES_BYTES: usize = 512;

/// The properties of a message in one text: `name 0x01 value 0x02` for each property.
///
/// A text from a peer stays shared with its read buffer, and is copied at its first change. If a name occurs twice, the
/// last value counts. Entries without a name, without a value or without 0x01 are skipped, and the last 0x02 may be
/// missing, like in Java's `MessageDecoder.string2messageProperties`.
///
/// ```
/// use rocketmq_common::MessageProperties;
///
/// let mut properties = MessageProperties::from_wire("TAGS\u{1}TagA\u{2}");
/// properties.put("region", "north");
/// assert_eq!(properties.as_wire(), "TAGS\u{1}TagA\u{2}region\u{1}north\u{2}");
/// ```
#[derive(Clone, Default)]
pub struct MessageProperties {
    wire: Wire,
    /// Few messages have any: a pointer keeps the others small.
    faults: Option<Box<crate::property_error::Faults>>,
    /// The bytes at the beginning of the text that came from a broker, if the message was received. Records hold 32 KiB.
    pub(crate) received: u32,
}

#[derive(Clone)]
enum Wire {
    Owned(String),
    Shared(ByteString),
}

impl MessageProperties {
    /// Copies the properties out of the buffer that they share, if they share it.
    pub(crate) fn detach(&mut self) {
        if let Wire::Shared(wire) = &mut self.wire {
            *wire = ByteString::from(&**wire);
        }
    }

    /// No properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in wire form without a copy and without a check. Reading skips malformed entries.
    #[inline]
    pub fn from_wire(wire: impl Into<ByteString>) -> Self {
        Self { wire: Wire::Shared(wire.into()), faults: None, received: 0 }
    }

    /// The text in wire form.
    pub fn as_wire(&self) -> &str {
        match &self.wire {
            Wire::Owned(text) => text,
            Wire::Shared(text) => text,
        }
    }

    /// Whether another property can be appended without a separator.
    pub fn is_terminated(&self) -> bool {
        matches!(self.as_wire().as_bytes().last(), None | Some(2))
    }

    /// The length of the wire form, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.as_wire().len()
    }

    /// Whether there are no properties.
    pub fn is_empty(&self) -> bool {
        self.as_wire().is_empty()
    }

    /// The value of a property.
    ///
    /// ```
    /// use rocketmq_common::MessageProperties;
    ///
    /// let properties = MessageProperties::from_wire("a\u{1}1\u{2}a\u{1}2\u{2}");
    /// assert_eq!(properties.get("a"), Some("2"), "the last value counts");
    /// ```
    pub fn get(&self, name: &str) -> Option<&str> {
        find_last(self.as_wire(), name)
    }

    /// Whether a property is set.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Name and value of each property in the order of the text; a name that occurs twice comes twice.
    ///
    /// ```
    /// use rocketmq_common::MessageProperties;
    ///
    /// let properties = MessageProperties::from_wire("a\u{1}1\u{2}b\u{1}2\u{2}");
    /// assert_eq!(properties.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Entries { rest: self.as_wire() }
    }

    /// The properties that came from a broker, and those that were set since.
    pub(crate) fn received_and_own(&self) -> (Entries<'_>, Entries<'_>) {
        // A mark that is no boundary of a character cannot be: the text in front of it was a text.
        let (received, own) = self.as_wire().split_at_checked(self.received as usize).unwrap_or_default();
        (Entries { rest: received }, Entries { rest: own })
    }

    pub(crate) fn replace_wire(&mut self, wire: String) {
        self.wire = Wire::Owned(wire);
    }

    /// Sets a property of the user. A fault is remembered and reported by [`check`](Self::check), until the name is set
    /// again or removed.
    pub fn put(&mut self, name: &str, value: &str) {
        let problem =
            if is_reserved(name) { Some(PropertyProblem::Reserved) } else { problem_of(name, value) };
        self.put_unless(problem, name, value);
    }

    /// Sets a property that belongs to the client or the broker, such as `UNIQ_KEY`. Unlike [`put`](Self::put), it
    /// takes reserved names.
    pub fn put_reserved(&mut self, name: &str, value: &str) {
        self.put_unless(problem_of(name, value), name, value);
    }

    /// Sets a property that belongs to the client or the broker to a number of at most `limit`.
    pub(crate) fn put_number(&mut self, name: &str, value: u64, limit: u64) {
        let problem = (value > limit).then_some(PropertyProblem::TooLarge { value, limit });
        self.put_unless(problem, name, &value.to_string());
    }

    /// Removes a property and its fault. Returns whether it had a value.
    ///
    /// ```
    /// use rocketmq_common::MessageProperties;
    ///
    /// let mut properties = MessageProperties::new();
    /// properties.put("region", "north");
    /// assert!(properties.remove("region"));
    /// assert!(!properties.remove("region"), "it is gone already");
    /// ```
    pub fn remove(&mut self, name: &str) -> bool {
        self.forget_fault(name);
        if !self.contains(name) {
            return false;
        }
        let is_kept = |(other, _): &(&str, &str)| *other != name;
        let mut rest = String::with_capacity(self.len_bytes());
        let (received, own) = self.received_and_own();
        append_properties(&mut rest, received.filter(is_kept));
        let still_received = rest.len() as u32;
        append_properties(&mut rest, own.filter(is_kept));
        (self.wire, self.received) = (Wire::Owned(rest), still_received);
        true
    }

    /// Whether these properties can be sent.
    ///
    /// ```
    /// use rocketmq_common::{MessageProperties, PropertyProblem};
    ///
    /// let mut properties = MessageProperties::new();
    /// properties.put("region", "");
    /// assert_eq!(properties.check().unwrap_err().problem(), PropertyProblem::EmptyValue);
    /// properties.put("region", "north");
    /// assert!(properties.check().is_ok(), "the second value replaces the first");
    /// ```
    ///
    /// # Errors
    /// The first property that a setter refused, or the longest one if all together exceed
    /// [`MAX_PROPERTIES_BYTES`] less [`BROKER_PROPERTIES_BYTES`]. What clients add themselves, the message id and the
    /// namespace, does not count.
    pub fn check(&self) -> Result<(), PropertyError> {
        const LIMIT: usize = MAX_PROPERTIES_BYTES - BROKER_PROPERTIES_BYTES;
        if let Some(fault) = self.faults().first() {
            return Err(fault.clone());
        }
        let mut length = self.len_bytes();
        if length <= LIMIT {
            return Ok(());
        }
        let of_client = |(name, _): &(&str, &str)| matches!(*name, UNIQ_KEY | PROPERTY_INSTANCE_ID);
        length -=
            self.iter().filter(of_client).map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        if length <= LIMIT {
            return Ok(());
        }
        let longest = self.iter().max_by_key(|(name, value)| name.len() + value.len());
        let name = longest.map_or_else(String::new, |(name, _)| name.to_owned());
        Err(PropertyError { name, problem: PropertyProblem::TooLong { length, limit: LIMIT } })
    }

    /// The wire form of these properties followed by `extra`, in one allocation. A producer sends a message's
    /// properties and its id in this way. Names in `extra` are not checked, and must not be set already.
    ///
    /// ```
    /// use rocketmq_common::MessageProperties;
    ///
    /// let properties = MessageProperties::from_wire("a\u{1}1\u{2}");
    /// assert_eq!(properties.wire_with(&[("b", "2")]), "a\u{1}1\u{2}b\u{1}2\u{2}");
    /// ```
    pub fn wire_with(&self, extra: &[(&str, &str)]) -> String {
        extended(self.as_wire(), extra)
    }

    fn faults(&self) -> &[PropertyError] {
        self.faults.as_ref().map_or(&[], |faults| &faults.0)
    }

    #[inline]
    fn forget_fault(&mut self, name: &str) {
        if let Some(faults) = &mut self.faults {
            faults.0.retain(|fault| fault.name != name);
        }
    }

    fn put_unless(&mut self, problem: Option<PropertyProblem>, name: &str, value: &str) {
        self.forget_fault(name);
        if let Some(problem) = problem {
            let faults = self.faults.get_or_insert_default();
            return faults.0.push(PropertyError { name: name.to_owned(), problem });
        }
        self.remove(name);
        match &mut self.wire {
            Wire::Owned(text) => {
                if text.is_empty() {
                    // Room for tags and keys too: most messages then allocate once.
                    text.reserve(64);
                }
                append_property(text, name, value);
            }
            Wire::Shared(text) => self.wire = Wire::Owned(extended(text, &[(name, value)])),
        }
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::Owned(String::new())
    }
}

impl PartialEq for MessageProperties {
    fn eq(&self, other: &Self) -> bool {
        self.as_wire() == other.as_wire() && self.faults() == other.faults()
    }
}

impl Eq for MessageProperties {}

impl fmt::Debug for MessageProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Appends one property to a text in wire form. Neither name nor value is checked.
///
/// ```
/// use rocketmq_common::properties::append_property;
///
/// let mut wire = String::new();
/// append_property(&mut wire, "TAGS", "TagA");
/// assert_eq!(wire, "TAGS\u{1}TagA\u{2}");
/// ```
pub fn append_property(wire: &mut String, name: &str, value: &str) {
    if !wire.is_empty() && !wire.ends_with(PROPERTY_SEPARATOR) {
        wire.push(PROPERTY_SEPARATOR);
    }
    wire.reserve(name.len() + value.len() + 2);
    wire.push_str(name);
    wire.push(NAME_VALUE_SEPARATOR);
    wire.push_str(value);
    wire.push(PROPERTY_SEPARATOR);
}

/// Appends several properties to a text in wire form. Neither names nor values are checked.
pub fn append_properties<'a>(wire: &mut String, properties: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, value) in properties {
        append_property(wire, name, value);
    }
}

fn extended(wire: &str, extra: &[(&str, &str)]) -> String {
    let more: usize = extra.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(wire.len() + 1 + more);
    text.push_str(wire);
    append_properties(&mut text, extra.iter().copied());
    text
}

fn problem_of(name: &str, value: &str) -> Option<PropertyProblem> {
    let is_blank = |text: &str| text.bytes().all(|byte| byte.is_ascii_whitespace());
    // A loop: names are too short for a vectorised search to pay off.
    match name.bytes().find(|byte| matches!(byte, 1 | 2)) {
        Some(1) => Some(PropertyProblem::SeparatorInName),
        Some(_) => Some(PropertyProblem::TerminatorInName),
        None if is_blank(name) => Some(PropertyProblem::EmptyName),
        None if is_blank(value) => Some(PropertyProblem::EmptyValue),
        None if memchr(2, value.as_bytes()).is_some() => Some(PropertyProblem::TerminatorInValue),
        None => None,
    }
}

/// Searches from the end: the last of equal names counts.
fn find_last<'a>(wire: &'a str, name: &str) -> Option<&'a str> {
    if name.is_empty() || name.bytes().any(|byte| byte == 1) {
        return None;
    }
    let bytes = wire.as_bytes();
    let mut end = bytes.len();
    loop {
        let start = memrchr(2, &bytes[..end]).map_or(0, |at| at + 1);
        let entry = &bytes[start..end];
        if entry.len() > name.len() + 1 && entry[name.len()] == 1 && entry.starts_with(name.as_bytes()) {
            return wire.get(start + name.len() + 1..end);
        }
        if start == 0 {
            return None;
        }
        end = start - 1;
    }
}

#[derive(Clone)]
pub(crate) struct Entries<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (entry, rest) = match memchr(2, self.rest.as_bytes()) {
                Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
                None => (self.rest, ""),
            };
            self.rest = rest;
            match entry.split_once(NAME_VALUE_SEPARATOR) {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => return Some((name, value)),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(text: &str) -> String {
        text.replace('=', "\u{1}").replace('|', "\u{2}")
    }

    fn put(name: &str, value: &str) -> MessageProperties {
        let mut properties = MessageProperties::new();
        properties.put(name, value);
        properties
    }

    fn problem(properties: &MessageProperties) -> Option<PropertyProblem> {
        properties.check().err().map(|error| error.problem())
    }

    #[test]
    fn odd_texts_are_read_as_java_reads_them() {
        let text = wire("a=1|=x|empty=|none|a=2|b=x=y|last=z");
        let properties = MessageProperties::from_wire(text.clone());
        let read: Vec<_> = properties.iter().collect();
        assert_eq!(read, [("a", "1"), ("a", "2"), ("b", "x\u{1}y"), ("last", "z")]);
        assert_eq!(properties.get("a"), Some("2"));
        assert_eq!(properties.get("b"), Some("x\u{1}y"));
        assert_eq!(properties.get("last"), Some("z"));
        for missing in ["", "empty", "none", "b\u{1}x", "x", "A"] {
            assert_eq!(properties.get(missing), None, "{missing:?}");
        }
        assert_eq!(properties.as_wire(), text);
    }

    #[test]
    fn an_empty_value_does_not_hide_an_earlier_one() {
        assert_eq!(MessageProperties::from_wire(wire("a=1|a=|")).get("a"), Some("1"));
    }

    #[test]
    fn a_text_from_a_peer_is_shared_until_it_changes() {
        let text = ByteString::from(wire("a=1|"));
        let mut properties = MessageProperties::from_wire(text.clone());
        assert_eq!(properties.as_wire().as_ptr(), text.as_ptr());
        properties.put("b", "2");
        assert_eq!((properties.as_wire(), &*text), (&*wire("a=1|b=2|"), &*wire("a=1|")));
    }

    #[test]
    fn a_property_is_replaced_not_repeated() {
        let mut properties = MessageProperties::from_wire(wire("a=1|b=2|a=3"));
        properties.put("a", "4");
        assert_eq!(properties.as_wire(), wire("b=2|a=4|"));
        assert!(properties.remove("b") && !properties.remove("b"));
        assert_eq!(properties.as_wire(), wire("a=4|"));
    }

    #[test]
    fn what_is_wrong_is_remembered_until_it_is_set_right() {
        use PropertyProblem as P;
        assert_eq!(problem(&put("k", "v")), None);
        assert_eq!(problem(&put("UNIQ_KEY", "v")), Some(P::Reserved));
        assert_eq!(problem(&put("", "v")), Some(P::EmptyName));
        assert_eq!(problem(&put("k", "")), Some(P::EmptyValue));
        assert_eq!(problem(&put("k\u{1}", "v")), Some(P::SeparatorInName));
        assert_eq!(problem(&put("k\u{2}", "v")), Some(P::TerminatorInName));
        assert_eq!(problem(&put("k", "v\u{2}")), Some(P::TerminatorInValue));
        assert_eq!(problem(&put("k", "v\u{1}")), None);

        let mut properties = put("k", "");
        properties.put("j", "fine");
        assert_eq!(properties.check().unwrap_err().name(), "k");
        properties.put("k", "v");
        assert_eq!((problem(&properties), properties.get("k")), (None, Some("v")));
        properties.put("k", "");
        properties.remove("k");
        assert_eq!((problem(&properties), properties.get("k")), (None, None));
    }

    #[test]
    fn too_long_names_the_longest_property() {
        let limit = MAX_PROPERTIES_BYTES - BROKER_PROPERTIES_BYTES;
        let mut properties = put("fits", &"x".repeat(limit - "fits".len() - 2));
        assert_eq!(properties.check(), Ok(()));
        properties.put("k", "v");
        let error = properties.check().unwrap_err();
        assert_eq!(error.problem(), PropertyProblem::TooLong { length: limit + 4, limit });
        assert_eq!(
            error.to_string(),
            "property `fits`: it is the longest of properties that take 32259 bytes together, over the limit of 32255"
        );
    }

    #[test]
    fn more_properties_are_appended_in_one_allocation() {
        let properties = MessageProperties::from_wire(wire("a=1"));
        let text = properties.wire_with(&[("UNIQ_KEY", "id"), ("WAIT", "true")]);
        assert_eq!(text, wire("a=1|UNIQ_KEY=id|WAIT=true|"));
        assert_eq!(MessageProperties::new().wire_with(&[("a", "1")]), wire("a=1|"));
        assert_eq!(properties.wire_with(&[]), wire("a=1"));
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(entries in prop::collection::hash_map("[a-z\u{e9}]{1,4}", "[^\u{2}]{0,3}x", 0..8)) {
            let mut properties = MessageProperties::new();
            for (name, value) in &entries {
                properties.put(name, value);
            }
            prop_assert_eq!(properties.check(), Ok(()));
            let read = MessageProperties::from_wire(properties.as_wire().to_owned());
            prop_assert_eq!(read.iter().count(), entries.len());
            for (name, value) in &entries {
                prop_assert_eq!(read.get(name), Some(&**value));
            }
        }

        #[test]
        fn any_text_is_read_the_same_by_search_and_by_iteration(text in "[a=|\u{e9}]{0,24}", name in "[a=|]{0,2}") {
            let mut properties = MessageProperties::from_wire(wire(&text));
            let name = wire(&name);
            let last = properties.iter().filter(|(other, _)| *other == name).last().map(|(_, value)| value);
            prop_assert_eq!(properties.get(&name), last);
            properties.put_reserved("new", "v");
            prop_assert_eq!(properties.get("new"), Some("v"));
            properties.remove("a");
            prop_assert_eq!(properties.get("a"), None);
        }
    }
}
