//! Writes a header as JSON, keys in Java's order.

use super::super::{EncodeError, EncodeHeader, EncodedFields, ExtFields, FieldSink, FrameHead};
use super::swar;
use super::writer::{FrameWriter, decimal_length, write_decimal};
use bytes::BytesMut;

/// Appends the header, without the lengths before it.
pub(crate) fn write_header<H: EncodeHeader + ?Sized>(
    out: &mut BytesMut,
    head: &FrameHead,
    remark: Option<&str>,
    header: &H,
    extra: &ExtFields,
) -> Result<(), EncodeError> {
    let mut json = JsonWriter { out: FrameWriter::new(out, 800) };
    json.out.put(b"{\"code\":");
    json.out.number(i64::from(head.code));
    if header.is_present() || extra.is_present() {
        json.out.put(b",\"extFields\":{");
        let start = json.out.position();
        header.encode_fields(&mut json);
        for (name, value) in extra.iter() {
            json.with_escapes(&name, &[&value]);
        }
        json.close_fields(start);
    }
    json.out.put(b",\"flag\":");
    json.out.number(i64::from(head.flag.0));
    json.out.put(b",\"language\":\"");
    match head.language.name() {
        Some(name) => json.out.put(name.as_bytes()),
        None => json.out.number(i64::from(head.language.0)),
    }
    json.out.put(b"\",\"opaque\":");
    json.out.number(i64::from(head.opaque));
    if let Some(remark) = remark {
        json.out.put(b",\"remark\":\"");
        json.escaped(remark);
        json.out.put(b"\"");
    }
    json.out.put(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    json.out.number(i64::from(head.version));
    json.out.put(b"}");
    json.out.finish();
    Ok(())
}

/// Encodes the fields of a typed header as members, each followed by a comma.
pub(crate) fn encode<H: EncodeHeader + ?Sized>(header: &H) -> Box<[u8]> {
    let mut out = BytesMut::new();
    let mut json = JsonWriter { out: FrameWriter::new(&mut out, 800) };
    header.encode_fields(&mut json);
    json.out.finish();
    Box::from(&out[..])
}

struct JsonWriter<'a> {
    out: FrameWriter<'a>,
}

impl JsonWriter<'_> {
    /// Appends a member and returns the room for its value of this length. A comma follows; `close_fields` drops the
    /// last comma.
    #[inline]
    fn member(&mut self, name: &str, length: usize) -> &mut [u8] {
        let slot = self.out.room(name.len() + length + 6);
        let (key, rest) = slot.split_at_mut(name.len() + 4);
        key[0] = b'"';
        key[1..=name.len()].copy_from_slice(name.as_bytes());
        key[name.len() + 1..].copy_from_slice(b"\":\"");
        let (value, end) = rest.split_at_mut(length);
        end.copy_from_slice(b"\",");
        value
    }

    /// Appends a member whose name or value may need escapes.
    fn with_escapes(&mut self, name: &str, value: &[&str]) {
        self.out.put(b"\"");
        self.escaped(name);
        self.out.put(b"\":\"");
        value.iter().for_each(|part| self.escaped(part));
        self.out.put(b"\",");
    }

    /// Appends the inside of a string.
    fn escaped(&mut self, text: &str) {
        // In chunks, so that the room reserved for the worst case (six bytes per byte) stays small.
        for part in text.as_bytes().chunks(64) {
            let written = write_escaped(part, self.out.ahead(6 * part.len() + 8));
            self.out.keep(written);
        }
    }

    fn close_fields(&mut self, start: usize) {
        let end = self.out.position();
        if end > start {
            self.out.rewind(end - 1);
        }
        self.out.put(b"}");
    }
}

impl FieldSink for JsonWriter<'_> {
    #[inline]
    fn text(&mut self, name: &str, value: &str) {
        if swar::has_escapes(value.as_bytes()) {
            self.with_escapes(name, &[value]);
        } else {
            self.member(name, value.len()).copy_from_slice(value.as_bytes());
        }
    }

    /// Appends a text given in parts. Parts are mostly properties, whose separators need escapes: it does not check
    /// first.
    fn joined(&mut self, name: &str, parts: &[&str]) {
        self.with_escapes(name, parts);
    }

    #[inline]
    fn int(&mut self, name: &str, value: i64) {
        write_decimal(value, self.member(name, decimal_length(value)));
    }

    #[inline]
    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.member(name, 4).copy_from_slice(b"true");
        } else {
            self.member(name, 5).copy_from_slice(b"false");
        }
    }

    #[inline]
    fn encoded(&mut self, fields: &EncodedFields) {
        self.out.put(&fields.json);
    }
}

/// Copies eight bytes at a time and steps back to a byte that needs an escape. `out` must be eight bytes longer than
/// the escaped text can get.
fn write_escaped(text: &[u8], out: &mut [u8]) -> usize {
    let (mut taken, mut written) = (0, 0);
    while let Some(word) = text.get(taken..).and_then(<[u8]>::first_chunk::<8>) {
        let plain = swar::plain_bytes(*word);
        // Copy the whole word, then count only its plain bytes: cheaper than a branch per byte.
        out[written..written + 8].copy_from_slice(word);
        taken += plain;
        written += plain;
        if plain < 8 {
            written += escape(text[taken], &mut out[written..]);
            taken += 1;
        }
    }
    for byte in &text[taken..] {
        if *byte < 0x20 || matches!(byte, b'"' | b'\\') {
            written += escape(*byte, &mut out[written..]);
        } else {
            out[written] = *byte;
            written += 1;
        }
    }
    written
}

/// Writes the escape of a byte and returns its length. `out` has eight bytes or more.
#[inline]
fn escape(byte: u8, out: &mut [u8]) -> usize {
    match CONTROLS.get(usize::from(byte)) {
        Some(escape) => {
            out[..8].copy_from_slice(escape);
            usize::from(escape[7])
        }
        None => {
            out[..2].copy_from_slice(&[b'\\', byte]);
            2
        }
    }
}

/// The escape of each control character, and its length in the last byte.
const CONTROLS: [[u8; 8]; 32] = {
    let hex = *b"0123456789abcdef";
    let mut table = [[0; 8]; 32];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [b'\\', b'u', b'0', b'0', hex[byte >> 4], hex[byte & 15], 0, 6];
        byte += 1;
    }
    table[b'\n' as usize] = [b'\\', b'n', 0, 0, 0, 0, 0, 2];
    table[b'\r' as usize] = [b'\\', b'r', 0, 0, 0, 0, 0, 2];
    table[b'\t' as usize] = [b'\\', b't', 0, 0, 0, 0, 0, 2];
    table
};
