//! The ext fields of a command, either in the form in which they arrived or as a list.

use super::FieldSink;
use super::codec::binary;
use super::codec::json_scan::{RawText, RawValue, Scanner};
use bytes::Bytes;
use bytestring::ByteString;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Names and values that a command carries besides its fixed fields. Java `extFields`.
///
/// Fields from a peer keep the form of the wire until they are changed: reading walks over that form, and no map is
/// built. If the form turns out to be damaged, the walk ends, and reading a typed header fails.
///
/// Values are texts. In JSON a number or boolean reads as its text, an object or array as its JSON, and null as
/// missing; in the binary form an empty value reads as missing. If a name occurs twice, the last value counts.
///
/// In JSON, absent and empty differ: no `extFields` at all, and `{}`. See [`ExtFields::is_present`].
#[derive(Clone, Default)]
pub struct ExtFields(Form);

#[derive(Clone, Default)]
enum Form {
    #[default]
    Absent,
    /// An object inside a header, with its braces. Unless it was scanned before, no member follows its first closing
    /// brace.
    Json { header: ByteString, start: usize, end: usize },
    /// Entries of a binary header, which were checked when the header was read.
    Binary(Bytes),
    /// In order, without duplicate names.
    List(Vec<(ByteString, ByteString)>),
}

impl ExtFields {
    pub(super) const ABSENT: Self = Self(Form::Absent);

    /// No fields: the key is missing from a JSON header.
    #[must_use]
    pub fn absent() -> Self {
        Self::ABSENT
    }

    /// An empty list: `{}` in a JSON header.
    #[must_use]
    pub fn empty() -> Self {
        Self(Form::List(Vec::new()))
    }

    pub(super) fn from_json(header: ByteString, start: usize, end: usize) -> Self {
        Self(Form::Json { header, start, end })
    }

    pub(super) fn from_binary(entries: Bytes) -> Self {
        Self(Form::Binary(entries))
    }

    /// Copies the fields, so that they no longer pin the memory of their frame. Use it to keep fields for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(match &self.0 {
            Form::Json { header, start, end } => {
                let object = ByteString::from(header.get(*start..*end).unwrap_or_default());
                Form::Json { start: 0, end: object.len(), header: object }
            }
            Form::Binary(entries) => Form::Binary(Bytes::copy_from_slice(entries)),
            other => other.clone(),
        })
    }

    /// The bytes that names and values take, in their present form.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        match &self.0 {
            Form::Absent => 0,
            Form::Json { start, end, .. } => end.saturating_sub(*start),
            Form::Binary(entries) => entries.len(),
            Form::List(list) => list.iter().map(|(name, value)| name.len() + value.len()).sum(),
        }
    }

    /// Whether there is a list, be it empty.
    #[must_use]
    pub fn is_present(&self) -> bool {
        !matches!(self.0, Form::Absent)
    }

    /// Whether no field has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The number of values. A name that the peer sent twice counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The value of `name`. Walks over all fields.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let last = self.values().filter(|(found, _)| found == name).last();
        last.and_then(|(_, value)| value).map(FieldValue::text)
    }

    /// All names and values in the order of the wire.
    #[must_use]
    pub fn iter(&self) -> ExtFieldsIter<'_> {
        ExtFieldsIter(self.values())
    }

    /// Sets a value: in place if the name exists, otherwise at the end.
    pub fn insert(&mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) {
        let (name, value) = (name.into(), value.into());
        let mut list = self.take_list();
        match list.iter_mut().find(|(found, _)| *found == name) {
            Some((_, slot)) => *slot = value,
            None => list.push((name, value)),
        }
        self.0 = Form::List(list);
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<ByteString> {
        self.get(name)?;
        let mut list = self.take_list();
        let at = list.iter().position(|(found, _)| found == name);
        let removed = at.map(|at| list.remove(at).1);
        self.0 = Form::List(list);
        removed
    }

    /// Names with their values; `None` for null.
    pub(crate) fn values(&self) -> Values<'_> {
        match &self.0 {
            Form::Absent => Values::List([].iter()),
            Form::Json { header, start, end } => {
                let mut scanner = Scanner::new(header.get(*start..*end).unwrap_or_default());
                match scanner.open_object() {
                    Ok(()) => Values::Json { scanner, first: true, header },
                    Err(_) => Values::List([].iter()),
                }
            }
            Form::Binary(entries) => Values::Binary { rest: entries, entries },
            Form::List(list) => Values::List(list.iter()),
        }
    }

    /// Passes every name and value to `read`, in one pass, for a typed header. Returns false if the fields are damaged:
    /// JSON fields may not have been checked before.
    pub(crate) fn visit(&self, read: &mut dyn FnMut(&str, Option<FieldValue<'_>>)) -> bool {
        self.each(|name, value| read(name, value))
    }

    /// Like [`visit`](Self::visit), for a header that borrows values.
    #[inline]
    pub(crate) fn each<'a>(&'a self, mut read: impl FnMut(&str, Option<FieldValue<'a>>)) -> bool {
        let Form::Json { header, start, end } = &self.0 else {
            for (name, value) in self.values() {
                read(&name, value);
            }
            return true;
        };
        each_in_json(header.get(*start..*end).unwrap_or_default(), Owner::Text(header), read)
    }

    /// Borrows the fields.
    #[must_use]
    pub fn view(&self) -> FieldsView<'_> {
        match &self.0 {
            Form::Absent => FieldsView::Absent,
            Form::Json { header, start, end } => {
                FieldsView::Json(header.as_bytes().get(*start..*end).unwrap_or_default())
            }
            Form::Binary(entries) => FieldsView::Binary(entries),
            Form::List(list) => FieldsView::List(list),
        }
    }

    /// Takes the list out to change it and put it back; makes it from the form of the wire if need be.
    fn take_list(&mut self) -> Vec<(ByteString, ByteString)> {
        match std::mem::take(&mut self.0) {
            Form::List(list) => list,
            Form::Absent => Vec::new(),
            wire => Self(wire).to_list(),
        }
    }

    /// A list in the order of the wire. A duplicate name keeps its first place and its last value.
    fn to_list(&self) -> Vec<(ByteString, ByteString)> {
        let mut found: BTreeMap<Cow<'_, str>, (usize, Option<FieldValue<'_>>)> = BTreeMap::new();
        for (place, (name, value)) in self.values().enumerate() {
            found.entry(name).or_insert((place, None)).1 = value;
        }
        let mut list: Vec<_> = found.into_iter().collect();
        list.sort_unstable_by_key(|(_, (place, _))| *place);
        let owned = |(name, (_, value)): (Cow<'_, str>, (usize, Option<FieldValue<'_>>))| {
            Some((name.into_owned().into(), value?.to_byte_string()))
        };
        list.into_iter().filter_map(owned).collect()
    }

    fn as_map(&self) -> BTreeMap<Cow<'_, str>, Option<Cow<'_, str>>> {
        let mut map: BTreeMap<_, _> =
            self.values().map(|(name, value)| (name, value.map(FieldValue::text))).collect();
        map.retain(|_, value| value.is_some());
        map
    }
}

/// Passes every member of an object to `read`. Returns false if the object is damaged.
#[inline]
fn each_in_json<'a>(
    object: &'a str,
    owner: Owner<'a>,
    mut read: impl FnMut(&str, Option<FieldValue<'a>>),
) -> bool {
    let (mut scanner, mut first) = (Scanner::new(object), true);
    if scanner.open_object().is_err() {
        return false;
    }
    while let Some((name, raw, _)) = scanner.compact_member(first) {
        first = false;
        read(name, Some(FieldValue { text: RawText { raw, escaped: false }, owner }));
    }
    // The rest, from the first member on that does not have the usual form.
    loop {
        match scanner.member(std::mem::take(&mut first)) {
            Ok(Some((name, value))) => read(&name.text(), FieldValue::new(value, owner)),
            Ok(None) => return scanner.end().is_ok(),
            Err(_) => return false,
        }
    }
}

/// The borrowed ext fields of a command.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum FieldsView<'a> {
    /// No fields.
    Absent,
    /// A JSON object with its braces.
    Json(&'a [u8]),
    /// Entries of a binary header.
    Binary(&'a [u8]),
    /// A list made on this side.
    List(&'a [(ByteString, ByteString)]),
}

impl<'a> FieldsView<'a> {
    /// The text of a JSON object, with replacement characters if it is damaged.
    pub(crate) fn as_sent(self) -> Cow<'a, str> {
        match self {
            Self::Json(object) => String::from_utf8_lossy(object),
            _ => Cow::Borrowed(""),
        }
    }

    /// Passes every name and value to `read`. Returns false if the fields are damaged.
    pub(crate) fn each(self, mut read: impl FnMut(&str, Option<FieldValue<'a>>)) -> bool {
        match self {
            Self::Absent => {}
            Self::Json(object) => {
                let object = std::str::from_utf8(object);
                return object.is_ok_and(|object| each_in_json(object, Owner::Nobody, read));
            }
            Self::Binary(mut rest) => {
                while let Some((name, raw)) = binary::next_entry(&mut rest) {
                    let text = RawText { raw, escaped: false };
                    let value = FieldValue { text, owner: Owner::Nobody };
                    read(name, (!raw.is_empty()).then_some(value));
                }
                return rest.is_empty();
            }
            Self::List(list) => {
                for (name, value) in list {
                    let text = RawText { raw: value, escaped: false };
                    read(name, Some(FieldValue { text, owner: Owner::Text(value) }));
                }
            }
        }
        true
    }
}

/// Builds a list field by field, for hooks and signatures. A name that exists already gets the new value.
impl FieldSink for ExtFields {
    fn text(&mut self, name: &str, value: &str) {
        self.insert(name, value);
    }

    fn int(&mut self, name: &str, value: i64) {
        self.insert(name, value.to_string());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.insert(name, ByteString::from_static(if value { "true" } else { "false" }));
    }
}

/// Equal when both are absent or both are present with equal values for every name, in any form and order.
impl PartialEq for ExtFields {
    fn eq(&self, other: &Self) -> bool {
        self.is_present() == other.is_present() && self.as_map() == other.as_map()
    }
}

impl Eq for ExtFields {}

impl fmt::Debug for ExtFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Absent => f.write_str("absent"),
            _ => f.debug_map().entries(self.iter()).finish(),
        }
    }
}

impl<N: Into<ByteString>, V: Into<ByteString>> FromIterator<(N, V)> for ExtFields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut list = Self::empty();
        list.extend(fields);
        list
    }
}

impl<N: Into<ByteString>, V: Into<ByteString>> Extend<(N, V)> for ExtFields {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.insert(name, value);
        }
    }
}

impl<'a> IntoIterator for &'a ExtFields {
    type Item = (Cow<'a, str>, Cow<'a, str>);
    type IntoIter = ExtFieldsIter<'a>;

    fn into_iter(self) -> ExtFieldsIter<'a> {
        self.iter()
    }
}

/// Names and values of [`ExtFields::iter`].
#[derive(Clone, Debug)]
pub struct ExtFieldsIter<'a>(Values<'a>);

impl<'a> Iterator for ExtFieldsIter<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(|(name, value)| Some((name, value?.text())))
    }
}

/// Walks over the fields in any of their forms.
#[derive(Clone, Debug)]
pub(crate) enum Values<'a> {
    Json { scanner: Scanner<'a>, first: bool, header: &'a ByteString },
    Binary { rest: &'a [u8], entries: &'a Bytes },
    List(std::slice::Iter<'a, (ByteString, ByteString)>),
}

impl<'a> Iterator for Values<'a> {
    type Item = (Cow<'a, str>, Option<FieldValue<'a>>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Json { scanner, first, header } => {
                // Fields that were not checked with the header may be damaged: end the walk.
                let (name, value) = scanner.member(std::mem::take(first)).ok()??;
                Some((name.text(), FieldValue::new(value, Owner::Text(header))))
            }
            Self::Binary { rest, entries } => {
                let (name, raw) = binary::next_entry(rest)?;
                let value =
                    FieldValue { text: RawText { raw, escaped: false }, owner: Owner::Bytes(entries) };
                Some((Cow::Borrowed(name), (!raw.is_empty()).then_some(value)))
            }
            Self::List(list) => {
                let (name, value) = list.next()?;
                let text = RawText { raw: value, escaped: false };
                Some((Cow::Borrowed(name), Some(FieldValue { text, owner: Owner::Text(value) })))
            }
        }
    }
}

/// A value that is being read into a typed header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldValue<'a> {
    text: RawText<'a>,
    owner: Owner<'a>,
}

/// The memory in which a value lies.
#[derive(Clone, Copy, Debug)]
enum Owner<'a> {
    Text(&'a ByteString),
    Bytes(&'a Bytes),
    /// Memory that cannot be shared.
    Nobody,
}

impl<'a> FieldValue<'a> {
    /// `None` for null.
    #[inline]
    fn new(value: RawValue<'a>, owner: Owner<'a>) -> Option<Self> {
        let text = match value {
            RawValue::Null => return None,
            RawValue::Text(text) => text,
            RawValue::Bare(raw) | RawValue::Array(raw) | RawValue::Object(raw, _) => {
                RawText { raw, escaped: false }
            }
        };
        Some(Self { text, owner })
    }

    #[inline]
    pub(crate) fn text(self) -> Cow<'a, str> {
        self.text.text()
    }

    /// The value as an owned text; shares memory if no escape must be resolved.
    #[inline]
    pub(crate) fn to_byte_string(self) -> ByteString {
        if self.text.escaped {
            return self.text.text().into_owned().into();
        }
        match self.owner {
            Owner::Text(owner) => owner.slice_ref(self.text.raw),
            // The copy never happens: the text was checked when the header was read.
            Owner::Bytes(owner) => ByteString::try_from(owner.slice_ref(self.text.raw.as_bytes()))
                .unwrap_or_else(|_| ByteString::from(self.text.raw)),
            Owner::Nobody => ByteString::from(self.text.raw),
        }
    }
}
