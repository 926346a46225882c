//! Reads a JSON header: one scan finds the fixed fields; texts stay in place.

use super::super::view::{Layout, Span};
use super::super::{CommandFlag, ExtFields, FrameError, LanguageCode, SerializeType};
use super::json_scan::{JsonError, RawText, RawValue, Scanner};
use bytes::Bytes;
use bytestring::ByteString;
use memchr::memchr;

/// Reads one header. A missing or null field has Java's default: 0, no text, language JAVA.
#[inline]
pub(crate) fn read_layout(header: &[u8]) -> Result<Layout, FrameError> {
    match read_answer(header) {
        Some(layout) => Ok(layout),
        None => read_any(header),
    }
}

/// Remark and ext fields, which share the memory of the header.
pub(crate) fn texts(header: Bytes, layout: &Layout) -> Result<(Option<ByteString>, ExtFields), FrameError> {
    let header = ByteString::try_from(header).map_err(|_| FrameError::NotUtf8)?;
    let remark = layout.remark.map(|span| {
        let raw = header.get(span.range()).unwrap_or_default();
        if layout.is_escaped {
            RawText { raw, escaped: true }.text().into_owned().into()
        } else {
            header.slice_ref(raw)
        }
    });
    let fields = match layout.fields.map(Span::range) {
        None => ExtFields::absent(),
        Some(range) => ExtFields::from_json(header, range.start, range.end),
    };
    Ok((remark, fields))
}

#[derive(Default)]
struct Fixed<'a> {
    code: i32,
    language: LanguageCode,
    version: i32,
    opaque: i32,
    flag: i32,
    remark: Option<RawText<'a>>,
    ext_fields: Option<(usize, usize)>,
}

/// Reads an answer exactly as Apache's servers write it: every sent message costs one, so it has a fast path. Returns
/// `None` for any other header, valid or not. Ext fields and remark are not checked here but when they are read.
#[inline]
fn read_answer(header: &[u8]) -> Option<Layout> {
    const AFTER_FIELDS: &[u8] = b",\"flag\":1,\"language\":\"JAVA\",\"opaque\":";
    const END: &[u8] = b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":";
    let mut rest = header.strip_prefix(b"{\"code\":")?;
    let code = small_number(&mut rest)?;
    let mut fields = None;
    if let Some(object) = rest.strip_prefix(b",\"extFields\":") {
        let start = header.len() - object.len();
        // The brace may lie inside a text. Then the text behind it has escaped quotes and does not match below.
        let length = memchr(b'}', object.strip_prefix(b"{")?)? + 2;
        rest = &object[length..];
        fields = Some(Span::new(start, start + length));
    }
    rest = rest.strip_prefix(AFTER_FIELDS)?;
    let opaque = small_number(&mut rest)?;
    let mut remark = None;
    if let Some(text) = rest.strip_prefix(b",\"remark\":\"") {
        let start = header.len() - text.len();
        let length = memchr(b'"', text)?;
        // With a backslash, the quote found may belong to an escape: leave it to the full scan.
        if memchr(b'\\', &text[..length]).is_some() {
            return None;
        }
        rest = &text[length + 1..];
        remark = Some(Span::new(start, start + length));
    }
    rest = rest.strip_prefix(END)?;
    let version = small_number(&mut rest)?;
    (rest == b"}").then_some(Layout {
        code,
        language: LanguageCode::JAVA,
        version,
        opaque,
        flag: CommandFlag::RESPONSE,
        serialize_type: SerializeType::Json,
        remark,
        is_escaped: false,
        fields,
        header: header.len() as u32,
    })
}

/// Skips a number of one to nine digits: more might not fit into 32 bits.
#[inline]
fn small_number(rest: &mut &[u8]) -> Option<i32> {
    let (mut number, mut digits) = (0, 0);
    while let Some(digit) = rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if digits == 9 {
            return None;
        }
        number = number * 10 + i32::from(digit);
        digits += 1;
    }
    *rest = &rest[digits..];
    (digits > 0).then_some(number)
}

fn read_any(header: &[u8]) -> Result<Layout, FrameError> {
    let text = std::str::from_utf8(header).map_err(|_| FrameError::NotUtf8)?;
    let fixed = scan(text)?;
    // Each part borrows from `text`, so addresses give its position.
    let span = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        Span::new(start, start + part.len())
    };
    Ok(Layout {
        code: fixed.code,
        language: fixed.language,
        version: fixed.version,
        opaque: fixed.opaque,
        flag: CommandFlag(fixed.flag),
        serialize_type: SerializeType::Json,
        remark: fixed.remark.map(|remark| span(remark.raw)),
        is_escaped: fixed.remark.is_some_and(|remark| remark.escaped),
        fields: fixed.ext_fields.map(|(start, end)| Span::new(start, end)),
        header: header.len() as u32,
    })
}

fn scan(header: &str) -> Result<Fixed<'_>, FrameError> {
    let mut scanner = Scanner::new(header);
    let mut fixed = Fixed { language: LanguageCode::JAVA, ..Fixed::default() };
    let mut first = true;
    scanner.open_object()?;
    loop {
        if let Some((key, raw, quoted)) = scanner.compact_member(first) {
            let value =
                if quoted { RawValue::Text(RawText { raw, escaped: false }) } else { RawValue::Bare(raw) };
            fixed.set(key, value)?;
        } else if let Some((key, value)) = scanner.member(first)? {
            fixed.set(&key.text(), value)?;
        } else {
            break;
        }
        first = false;
    }
    scanner.end()?;
    Ok(fixed)
}

impl<'a> Fixed<'a> {
    #[inline(always)]
    fn set(&mut self, key: &str, value: RawValue<'a>) -> Result<(), FrameError> {
        match key {
            "code" => self.code = integer("code", value)?,
            "flag" => self.flag = integer("flag", value)?,
            "opaque" => self.opaque = integer("opaque", value)?,
            "version" => self.version = integer("version", value)?,
            "language" => self.language = language(value),
            "remark" => self.remark = text(value),
            "extFields" => self.ext_fields = object(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// Reads a number; quotes and a fraction of zeros are accepted, like by brokers.
fn integer(field: &'static str, value: RawValue<'_>) -> Result<i32, FrameError> {
    let text = match value {
        RawValue::Null => return Ok(0),
        RawValue::Text(text) => text.text(),
        RawValue::Bare(text) => text.into(),
        RawValue::Array(_) | RawValue::Object(..) => return Err(FrameError::NotAnInteger { field }),
    };
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole.parse().ok(),
        _ => None,
    }
    .ok_or(FrameError::NotAnInteger { field })
}

fn language(value: RawValue<'_>) -> LanguageCode {
    match value {
        RawValue::Null => LanguageCode::JAVA,
        RawValue::Text(text) => LanguageCode::from_name(&text.text()),
        RawValue::Bare(text) => LanguageCode::from_name(text),
        RawValue::Array(_) | RawValue::Object(..) => LanguageCode::OTHER,
    }
}

fn text(value: RawValue<'_>) -> Option<RawText<'_>> {
    match value {
        RawValue::Null => None,
        RawValue::Text(text) => Some(text),
        RawValue::Bare(raw) | RawValue::Array(raw) | RawValue::Object(raw, _) => {
            Some(RawText { raw, escaped: false })
        }
    }
}

/// The start and end of an object within the header.
fn object(value: RawValue<'_>) -> Result<Option<(usize, usize)>, FrameError> {
    match value {
        RawValue::Null => Ok(None),
        RawValue::Object(text, start) => Ok(Some((start, start + text.len()))),
        _ => Err(FrameError::ExtFieldsNotAnObject),
    }
}

impl From<JsonError> for FrameError {
    fn from(error: JsonError) -> Self {
        Self::Json { at: error.at, problem: error.problem }
    }
}
