//! The binary header, Java `RocketMQSerializable`.
//!
//! code 2 · language 1 · version 2 · opaque 4 · flag 4 · remark 4 + n · ext fields 4 + n, all big-endian; an ext field
//! is key 2 + n, value 4 + n. An empty text means no text.

use super::super::view::{Layout, Span};
use super::super::{CommandFlag, EncodeError, EncodeHeader, EncodedFields, ExtFields, FieldSink, FrameError};
use super::super::{FrameHead, LanguageCode, SerializeType};
use super::writer::{FrameWriter, decimal_length, write_decimal};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

/// The smallest binary header: no remark, no ext fields.
pub(crate) const MIN_HEADER: usize = 21;

/// Appends the header, without the lengths before it.
pub(crate) fn write_header<H: EncodeHeader + ?Sized>(
    out: &mut BytesMut,
    head: &FrameHead,
    remark: Option<&str>,
    header: &H,
    extra: &ExtFields,
) -> Result<(), EncodeError> {
    let code = i16::try_from(head.code).map_err(|_| EncodeError::CodeTooLarge { code: head.code })?;
    let version =
        i16::try_from(head.version).map_err(|_| EncodeError::VersionTooLarge { version: head.version })?;
    let remark = remark.unwrap_or_default().as_bytes();
    let remark_length = wire_length(remark.len())?;

    let mut writer = FrameWriter::new(out, 300);
    let fixed = writer.room(17);
    fixed[0..2].copy_from_slice(&code.to_be_bytes());
    fixed[2] = head.language.0;
    fixed[3..5].copy_from_slice(&version.to_be_bytes());
    fixed[5..9].copy_from_slice(&head.opaque.to_be_bytes());
    fixed[9..13].copy_from_slice(&head.flag.0.to_be_bytes());
    fixed[13..17].copy_from_slice(&remark_length);
    if !remark.is_empty() {
        writer.put(remark);
    }
    let length_at = writer.position();
    writer.room(4);

    let mut fields = BinaryWriter { out: writer, error: None };
    header.encode_fields(&mut fields);
    for (name, value) in extra.iter() {
        fields.text(&name, &value);
    }
    let BinaryWriter { out: mut writer, error } = fields;
    let length = wire_length(writer.position() - length_at - 4);
    if let Ok(length) = length {
        writer.patch(length_at, &length);
    }
    writer.finish();
    error.map_or(length.map(|_| ()), Err)
}

/// Encodes the fields of a typed header.
pub(crate) fn encode<H: EncodeHeader + ?Sized>(header: &H) -> Result<Box<[u8]>, EncodeError> {
    let mut out = BytesMut::new();
    let mut fields = BinaryWriter { out: FrameWriter::new(&mut out, 300), error: None };
    header.encode_fields(&mut fields);
    let BinaryWriter { out: writer, error } = fields;
    writer.finish();
    error.map_or_else(|| Ok(Box::from(&out[..])), Err)
}

struct BinaryWriter<'a> {
    out: FrameWriter<'a>,
    error: Option<EncodeError>,
}

impl BinaryWriter<'_> {
    /// Appends an entry and returns the room for its value of this length.
    #[inline]
    fn entry(&mut self, name: &str, length: usize) -> &mut [u8] {
        // Java reads the key's length as a signed number, so 15 bits are left.
        let Ok(key_length) = i16::try_from(name.len()) else {
            self.error = Some(EncodeError::NameTooLong { length: name.len() });
            return self.out.room(length);
        };
        let value_length = wire_length(length).unwrap_or_else(|error| {
            self.error = Some(error);
            [0; 4]
        });
        let slot = self.out.room(6 + name.len() + length);
        let (key, rest) = slot.split_at_mut(2 + name.len());
        key[0..2].copy_from_slice(&key_length.to_be_bytes());
        key[2..].copy_from_slice(name.as_bytes());
        let (word, value) = rest.split_at_mut(4);
        word.copy_from_slice(&value_length);
        value
    }
}

impl FieldSink for BinaryWriter<'_> {
    #[inline]
    fn text(&mut self, name: &str, value: &str) {
        self.entry(name, value.len()).copy_from_slice(value.as_bytes());
    }

    #[inline]
    fn joined(&mut self, name: &str, parts: &[&str]) {
        let mut value = self.entry(name, parts.iter().map(|part| part.len()).sum());
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let (slot, rest) = value.split_at_mut(part.len());
            slot.copy_from_slice(part.as_bytes());
            value = rest;
        }
    }

    #[inline]
    fn int(&mut self, name: &str, value: i64) {
        write_decimal(value, self.entry(name, decimal_length(value)));
    }

    #[inline]
    fn flag(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }

    #[inline]
    fn encoded(&mut self, fields: &EncodedFields) {
        self.out.put(&fields.binary);
    }
}

fn wire_length(length: usize) -> Result<[u8; 4], EncodeError> {
    i32::try_from(length).map(i32::to_be_bytes).map_err(|_| EncodeError::HeaderTooLong { length })
}

/// Reads one header. Checks its ext fields, so that reading them later cannot fail; the remark is checked when it is
/// read.
pub(crate) fn read_layout(header: &[u8]) -> Result<Layout, FrameError> {
    let mut rest = header;
    let code = i16::from_be_bytes(array(&mut rest)?);
    let [language] = array(&mut rest)?;
    let version = i16::from_be_bytes(array(&mut rest)?);
    let opaque = i32::from_be_bytes(array(&mut rest)?);
    let flag = i32::from_be_bytes(array(&mut rest)?);
    let remark = long_slice(&mut rest)?;
    let remark_end = header.len() - rest.len();
    let fields = long_slice(&mut rest)?;
    check_fields(fields)?;
    let fields_end = header.len() - rest.len();
    Ok(Layout {
        code: i32::from(code),
        language: LanguageCode(language),
        version: i32::from(version),
        opaque,
        flag: CommandFlag(flag),
        serialize_type: SerializeType::RocketMq,
        remark: (!remark.is_empty()).then_some(Span::new(remark_end - remark.len(), remark_end)),
        is_escaped: false,
        fields: (!fields.is_empty()).then_some(Span::new(fields_end - fields.len(), fields_end)),
        header: header.len() as u32,
    })
}

/// Remark and ext fields, which share the memory of the header.
pub(crate) fn texts(header: &Bytes, layout: &Layout) -> Result<(Option<ByteString>, ExtFields), FrameError> {
    let part = |span: Span| header.slice(span.range());
    let remark = layout.remark.map(|span| ByteString::try_from(part(span))).transpose();
    let fields = layout.fields.map(|span| ExtFields::from_binary(part(span)));
    Ok((remark.map_err(|_| FrameError::NotUtf8)?, fields.unwrap_or_default()))
}

/// Takes the next key and value from entries that [`read_layout`] has checked.
pub(crate) fn next_entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a str)> {
    entry(rest).ok()
}

fn check_fields(mut rest: &[u8]) -> Result<(), FrameError> {
    while !rest.is_empty() {
        entry(&mut rest)?;
    }
    Ok(())
}

fn entry<'a>(rest: &mut &'a [u8]) -> Result<(&'a str, &'a str), FrameError> {
    let key_length = i16::from_be_bytes(array(rest)?);
    let key = slice(rest, i32::from(key_length))?;
    let value = long_slice(rest)?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8);
    Ok((text(key)?, text(value)?))
}

fn long_slice<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], FrameError> {
    let length = i32::from_be_bytes(array(rest)?);
    slice(rest, length)
}

fn slice<'a>(rest: &mut &'a [u8], length: i32) -> Result<&'a [u8], FrameError> {
    let too_long = FrameError::FieldTooLong { length, left: rest.len() };
    let Ok(length) = usize::try_from(length) else { return Err(too_long) };
    let Some((head, tail)) = rest.split_at_checked(length) else { return Err(too_long) };
    *rest = tail;
    Ok(head)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], FrameError> {
    let Some((head, tail)) = rest.split_first_chunk::<N>() else {
        return Err(FrameError::HeaderTooShort { missing: N - rest.len() });
    };
    *rest = tail;
    Ok(*head)
}
