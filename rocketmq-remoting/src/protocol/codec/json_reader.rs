//! Reads a JSON header: one scan for the fixed fields, the ext fields stay where they are.

use super::super::{CommandFlag, ExtFields, FrameError, LanguageCode, RemotingCommand, SerializeType};
use super::json_scan::{JsonError, RawText, RawValue, Scanner};
use bytes::Bytes;
use bytestring::ByteString;

/// Reads one header. Fields that are missing or null have Java's default: 0, no text, language JAVA.
pub(crate) fn read_header(header: Bytes, body: Bytes) -> Result<RemotingCommand, FrameError> {
    let header = ByteString::try_from(header).map_err(|_| FrameError::NotUtf8)?;
    let fixed = match scan_answer(&header) {
        Some(fixed) => fixed,
        None => scan(&header)?,
    };
    Ok(RemotingCommand {
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
        body,
        serialize_type: SerializeType::Json,
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

/// Reads what Apache's servers write for an answer, to the letter: every message that is sent costs one.
/// `None` for anything else, right or wrong. Fields without braces in them are looked at when they are read.
fn scan_answer(header: &str) -> Option<Fixed<'_>> {
    let mut scanner = Scanner::new(header);
    let literal = |scanner: &mut Scanner<'_>, text: &str| scanner.literal(text).then_some(());
    literal(&mut scanner, "{\"code\":")?;
    let code = scanner.small_number()?;
    let has_fields = scanner.literal(",\"extFields\":");
    const AFTER_FIELDS: &str = ",\"flag\":1,\"language\":\"JAVA\",\"opaque\":";
    let ext_fields = match has_fields {
        true => Some(scanner.object_before(AFTER_FIELDS).or_else(|| scanner.object().ok())?),
        false => None,
    };
    literal(&mut scanner, AFTER_FIELDS)?;
    let opaque = scanner.small_number()?;
    let has_remark = scanner.literal(",\"remark\":");
    let remark = if has_remark { Some(scanner.string().ok()?) } else { None };
    literal(&mut scanner, ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":")?;
    let version = scanner.small_number()?;
    literal(&mut scanner, "}")?;
    scanner.end().ok()?;
    Some(Fixed { code, language: LanguageCode::JAVA, version, opaque, flag: 1, remark, ext_fields })
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

/// A number, also in quotes or with a fraction of zeros, as brokers accept it.
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
