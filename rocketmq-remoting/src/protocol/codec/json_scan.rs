//! A small JSON scanner: finds the parts of a header without copying them.
//!
//! Follows the JSON grammar strictly, except for raw control characters inside strings. Strings stay escaped:
//! [`RawText::text`] resolves escapes, which few strings have.

use super::swar::find_quote_or_backslash;
use std::borrow::Cow;

/// The deepest nesting that is accepted. A header nests twice; deeper nesting comes only from an attacker.
const MAX_DEPTH: usize = 32;

/// Where and why a header is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) at: usize,
    pub(crate) problem: &'static str,
}

/// A string between its quotes, escapes unresolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawText<'a> {
    pub(crate) raw: &'a str,
    pub(crate) escaped: bool,
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RawValue<'a> {
    Null,
    Text(RawText<'a>),
    /// A number, `true` or `false`.
    Bare(&'a str),
    Array(&'a str),
    /// An object with its braces, and the index at which it starts.
    Object(&'a str, usize),
}

/// A key and its value.
pub(crate) type Member<'a> = (RawText<'a>, RawValue<'a>);

/// Walks over a text that holds JSON.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Enters an object.
    pub(crate) fn open_object(&mut self) -> Result<(), JsonError> {
        self.skip_blanks();
        if self.take(b'{') { Ok(()) } else { Err(self.error("not an object")) }
    }

    /// The next member of the object that was entered; `None` at its end.
    pub(crate) fn member(&mut self, first: bool) -> Result<Option<Member<'a>>, JsonError> {
        self.any_member(first, 1)
    }

    /// The next member, if it has the usual form: a key without escapes, a text without escapes or a whole number, no
    /// blanks. Otherwise returns `None` and does not move. The flag is true for a text.
    ///
    /// Apart from [`Scanner::member`] and inlined, so that its parts stay in registers.
    #[inline(always)]
    pub(crate) fn compact_member(&mut self, first: bool) -> Option<(&'a str, &'a str, bool)> {
        let bytes = self.text.as_bytes();
        if !first && *bytes.get(self.at)? != b',' {
            return None;
        }
        let key = self.at + usize::from(!first) + 1;
        if *bytes.get(key - 1)? != b'"' {
            return None;
        }
        let key_end = find_quote_or_backslash(bytes, key)?;
        // A backslash ends the search too, and fails here: keys with escapes take the slow path.
        let [b'"', b':', next] = bytes.get(key_end..key_end + 3)? else { return None };
        let quoted = *next == b'"';
        let start = key_end + 2 + usize::from(quoted);
        let end = if quoted {
            find_quote_or_backslash(bytes, start)?
        } else {
            start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let ends = match bytes.get(end)? {
            b'"' => quoted,
            b',' | b'}' => !quoted && end > start,
            _ => false,
        };
        if !ends {
            return None;
        }
        // Move only now: on any earlier return the scanner is unchanged.
        self.at = end + usize::from(quoted);
        Some((&self.text[key..key_end], &self.text[start..end], quoted))
    }

    /// Checks that only blanks follow.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(self.error("text after the object")) }
    }

    fn any_member(&mut self, first: bool, depth: usize) -> Result<Option<Member<'a>>, JsonError> {
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',', "a comma or brace is missing after a member")?;
            self.skip_blanks();
        }
        let key = self.string()?;
        self.skip_blanks();
        self.expect(b':', "a colon is missing after a key")?;
        self.skip_blanks();
        let value = self.value(depth)?;
        Ok(Some((key, value)))
    }

    fn value(&mut self, depth: usize) -> Result<RawValue<'a>, JsonError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(RawValue::Text),
            Some(b'{') => {
                self.skip_object(depth)?;
                Ok(RawValue::Object(&self.text[start..self.at], start))
            }
            Some(b'[') => {
                self.skip_array(depth)?;
                Ok(RawValue::Array(&self.text[start..self.at]))
            }
            _ => self.bare(),
        }
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.expect(b'{', "not an object")?;
        self.check_depth(depth)?;
        let mut first = true;
        while self.compact_member(first).is_some() || self.any_member(first, depth + 1)?.is_some() {
            first = false;
        }
        Ok(())
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        self.check_depth(depth)?;
        self.skip_blanks();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.skip_blanks();
            self.value(depth + 1)?;
            self.skip_blanks();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or bracket is missing after an element")?;
        }
    }

    fn string(&mut self) -> Result<RawText<'a>, JsonError> {
        self.expect(b'"', "a quoted string is missing")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let Some(hit) = find_quote_or_backslash(self.text.as_bytes(), self.at) else {
                return Err(self.error("a string has no end"));
            };
            self.at = hit + 1;
            if self.text.as_bytes()[hit] == b'"' {
                return Ok(RawText { raw: &self.text[start..hit], escaped });
            }
            escaped = true;
            self.skip_escape()?;
        }
    }

    /// Checks an escape, so that resolving it later cannot fail.
    fn skip_escape(&mut self) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let width = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => {
                let digits = bytes.get(self.at + 1..self.at + 5);
                match digits {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 5,
                    _ => return Err(self.error("an escape needs four hexadecimal digits")),
                }
            }
            _ => return Err(self.error("an escape is unknown")),
        };
        self.at += width;
        Ok(())
    }

    fn bare(&mut self) -> Result<RawValue<'a>, JsonError> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let token = &self.text[start..start + length];
        match token {
            "null" => self.at += length,
            "true" | "false" => self.at += length,
            _ if is_number(token) => self.at += length,
            _ => return Err(self.error("a value is missing or unknown")),
        }
        Ok(if token == "null" { RawValue::Null } else { RawValue::Bare(token) })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(problem)) }
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), JsonError> {
        if depth < MAX_DEPTH { Ok(()) } else { Err(self.error("nested too deeply")) }
    }

    fn error(&self, problem: &'static str) -> JsonError {
        JsonError { at: self.at, problem }
    }
}

impl<'a> RawText<'a> {
    /// The text with its escapes resolved. Half a surrogate pair is no character: it reads as U+FFFD.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Whether a token is a number: digits with an optional sign, or the form of a float.
fn is_number(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token).as_bytes();
    match digits.first() {
        Some(first) if first.is_ascii_digit() => {
            digits.iter().all(u8::is_ascii_digit) || token.parse::<f64>().is_ok()
        }
        _ => false,
    }
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (character, width) = match escape.as_bytes().get(1) {
            Some(b'u') => unicode_escape(escape),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(other) => (char::from(*other), 2),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        out.push(character);
        rest = escape.get(width..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character of `\uXXXX`, or of a surrogate pair in this form, and the number of bytes it took.
fn unicode_escape(escape: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let high = unit(0).unwrap_or(0xFFFD);
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    match unit(6) {
        Some(low @ 0xDC00..=0xDFFF) if high < 0xDC00 => {
            let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Result<Vec<(String, String)>, JsonError> {
        let mut scanner = Scanner::new(text);
        let mut found = Vec::new();
        scanner.open_object()?;
        loop {
            let first = found.is_empty();
            let compact = scanner.clone().compact_member(first);
            let Some((key, value)) = scanner.member(first)? else { break };
            let value = match value {
                RawValue::Null => "<null>".to_owned(),
                RawValue::Text(text) => text.text().into_owned(),
                RawValue::Bare(text) | RawValue::Array(text) | RawValue::Object(text, _) => text.to_owned(),
            };
            if let Some((compact_key, compact_value, _)) = compact {
                assert_eq!((compact_key, compact_value), (&*key.text(), &*value));
            }
            found.push((key.text().into_owned(), value));
        }
        scanner.end().map(|()| found)
    }

    #[test]
    fn reads_what_brokers_accept() {
        let text = " { \"a\" : 1 ,\n\"b\":\"x\\\"y\\u0001\",\"c\":null,\"d\":[1,{\"e\":[]}],\"f\":{\"g\":\"}\"},\"h\":-1.5e3 }\t";
        let found = members(text).unwrap();
        let expected = [
            ("a", "1"),
            ("b", "x\"y\u{1}"),
            ("c", "<null>"),
            ("d", "[1,{\"e\":[]}]"),
            ("f", "{\"g\":\"}\"}"),
            ("h", "-1.5e3"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(members("{}").unwrap(), []);
    }

    #[test]
    fn refuses_what_is_no_json() {
        let texts = [
            "",
            "null",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{0:1}",
            "{\"a\":nul}",
            "{\"a\":1}x",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "\u{feff}{}",
            "{\"a\":1..2}",
            "{\"a\":-}",
            "{\"a\":-inf}",
            "{\"a\":[1,]}",
            "{\"a\":\"\\",
        ];
        for text in texts {
            assert!(members(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stops_at_deep_nesting() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(members(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(members(&nested(100_000)).unwrap_err().problem, "nested too deeply");
        assert!(members(&"{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn resolves_escapes() {
        let cases = [
            (r"\u0041\/\\\b\f\n\r\t\u4e2d", "A/\\\u{8}\u{c}\n\r\t\u{4e2d}"),
            (r"\ud83d\ude00!", "\u{1f600}!"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ude00", "\u{fffd}"),
            (r"\ud83d", "\u{fffd}"),
            ("\u{4e2d}\\n\u{6587}", "\u{4e2d}\n\u{6587}"),
        ];
        for (raw, expected) in cases {
            assert_eq!(RawText { raw, escaped: true }.text(), expected);
        }
    }
}
