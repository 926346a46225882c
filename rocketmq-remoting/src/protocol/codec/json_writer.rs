//! Writes a header as JSON, keys in Java's order.

use super::super::{EncodeError, EncodeHeader, ExtFields, FieldSink, FrameHead};
use super::writer::{Decimal, FrameWriter};
use bytes::BytesMut;

/// Appends the header alone.
pub(crate) fn write_header<H: EncodeHeader + ?Sized>(
    out: &mut BytesMut,
    head: &FrameHead,
    remark: Option<&str>,
    header: &H,
    extra: &ExtFields,
) -> Result<(), EncodeError> {
    let mut json = JsonWriter { out: FrameWriter::new(out) };
    json.out.put(b"{\"code\":");
    json.number(i64::from(head.code));
    if header.is_present() || extra.is_present() {
        json.out.put(b",\"extFields\":{");
        let start = json.out.position();
        header.encode_fields(&mut json);
        for (name, value) in extra.iter() {
            json.text(&name, &value);
        }
        json.close_fields(start);
    }
    json.out.put(b",\"flag\":");
    json.number(i64::from(head.flag.0));
    json.out.put(b",\"language\":\"");
    match head.language.name() {
        Some(name) => json.out.put(name.as_bytes()),
        None => json.number(i64::from(head.language.0)),
    }
    json.out.put(b"\",\"opaque\":");
    json.number(i64::from(head.opaque));
    if let Some(remark) = remark {
        json.out.put(b",\"remark\":\"");
        json.escaped(remark);
        json.out.put(b"\"");
    }
    json.out.put(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    json.number(i64::from(head.version));
    json.out.put(b"}");
    json.out.finish();
    Ok(())
}

struct JsonWriter<'a> {
    out: FrameWriter<'a>,
}

impl JsonWriter<'_> {
    #[inline]
    fn number(&mut self, value: i64) {
        self.out.put(Decimal::new(value).as_bytes());
    }

    /// A member whose value needs no escapes; a comma follows, which `close_fields` drops after the last.
    #[inline]
    fn plain(&mut self, name: &str, value: &[u8]) {
        let (name_length, value_length) = (name.len(), value.len());
        let slot = self.out.room(name_length + value_length + 6);
        slot[0] = b'"';
        slot[1..=name_length].copy_from_slice(name.as_bytes());
        slot[name_length + 1..name_length + 4].copy_from_slice(b"\":\"");
        let rest = &mut slot[name_length + 4..];
        rest[..value_length].copy_from_slice(value);
        rest[value_length..].copy_from_slice(b"\",");
    }

    #[cold]
    fn with_escapes(&mut self, name: &str, value: &str) {
        self.out.put(b"\"");
        self.escaped(name);
        self.out.put(b"\":\"");
        self.escaped(value);
        self.out.put(b"\",");
    }

    /// A string's inside.
    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
            let (plain, escape) = rest.split_at(at);
            self.out.put(plain);
            let Some((byte, after)) = escape.split_first() else { break };
            self.escape(*byte);
            rest = after;
        }
        self.out.put(rest);
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                return self.out.put(&[b'\\', b'u', b'0', b'0', digits[0], digits[1]]);
            }
        };
        self.out.put(&[b'\\', short]);
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
        if has_escapes(value) || has_escapes(name) {
            self.with_escapes(name, value);
        } else {
            self.plain(name, value.as_bytes());
        }
    }

    #[inline]
    fn int(&mut self, name: &str, value: i64) {
        if has_escapes(name) {
            return self.with_escapes(name, &value.to_string());
        }
        self.plain(name, Decimal::new(value).as_bytes());
    }

    #[inline]
    fn flag(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Without a branch per byte, so that it becomes vector code; on a literal name it is decided when compiled.
#[inline]
fn has_escapes(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | needs_escape(byte))
}
