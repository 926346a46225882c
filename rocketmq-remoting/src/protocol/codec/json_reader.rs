//! Reads a JSON header: one scan for the fixed fields, the ext fields stay where they are.

use super::super::{CommandFlag, ExtFields, FrameError, LanguageCode};
use super::DecodedHeader;
use super::json_scan::{JsonError, RawText, RawValue, Scanner};
use bytes::Bytes;
use bytestring::ByteString;

/// Reads one header. Fields that are missing or null have Java's default: 0, no text, language JAVA.
pub(crate) fn read_header(header: Bytes) -> Result<DecodedHeader, FrameError> {
    let header = ByteString::try_from(header).map_err(|_| FrameError::NotUtf8)?;
    let fixed = scan(&header)?;
    Ok(DecodedHeader {
        code: fixed.code,
        language: fixed.language,
        version: fixed.version,
        opaque: fixed.opaque,
        flag: CommandFlag(fixed.flag),
        remark: fixed.remark.map(|remark| owned(&header, remark)),
        ext_fields: match fixed.ext_fields {
            None => ExtFields::absent(),
            Some((start, end)) => ExtFields::from_json(header, start, end),
        },
    })
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

fn scan(header: &str) -> Result<Fixed<'_>, FrameError> {
    let mut scanner = Scanner::new(header);
    let mut fixed = Fixed { language: LanguageCode::JAVA, ..Fixed::default() };
    let mut first = true;
    scanner.open_object()?;
    while let Some((key, value)) = scanner.member(first)? {
        first = false;
        let key = key.text();
        match &*key {
            "code" => fixed.code = integer("code", value)?,
            "flag" => fixed.flag = integer("flag", value)?,
            "opaque" => fixed.opaque = integer("opaque", value)?,
            "version" => fixed.version = integer("version", value)?,
            "language" => fixed.language = language(value),
            "remark" => fixed.remark = text(value),
            "extFields" => fixed.ext_fields = object(value)?,
            _ => {}
        }
    }
    scanner.end()?;
    Ok(fixed)
}

/// A number, also in quotes or with a fraction of zeros, as brokers accept it.
fn integer(field: &'static str, value: RawValue<'_>) -> Result<i32, FrameError> {
    let text = match value {
        RawValue::Null => return Ok(0),
        RawValue::Text(text) => text.text(),
        RawValue::Bare(text) => text.into(),
        RawValue::Array(_) | RawValue::Object(..) => return Err(FrameError::NotAnInteger { field }),
    };
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => &text,
    };
    whole.parse().map_err(|_| FrameError::NotAnInteger { field })
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

/// Where an object starts and ends in the header.
fn object(value: RawValue<'_>) -> Result<Option<(usize, usize)>, FrameError> {
    match value {
        RawValue::Null => Ok(None),
        RawValue::Object(text, start) => Ok(Some((start, start + text.len()))),
        _ => Err(FrameError::ExtFieldsNotAnObject),
    }
}

fn owned(header: &ByteString, text: RawText<'_>) -> ByteString {
    if text.escaped { text.text().into_owned().into() } else { header.slice_ref(text.raw) }
}

impl From<JsonError> for FrameError {
    fn from(error: JsonError) -> Self {
        Self::Json { at: error.at, problem: error.problem }
    }
}
