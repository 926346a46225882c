//! Turns fastjson's output into JSON: bare keys and objects as keys become texts, null members are dropped.

/// The deepest nesting that is accepted.
const MAX_DEPTH: usize = 64;

/// Returns the text as JSON; `None` if there is nothing to correct or it cannot be corrected.
///
/// Makes one pass; the result is at most three times as long as the input.
pub(super) fn relax(text: &[u8]) -> Option<Vec<u8>> {
    let mut relaxer =
        Relaxer { text, at: 0, out: Vec::with_capacity(text.len()), changed: false, in_key: false };
    relaxer.value(0)?;
    relaxer.skip_blanks();
    (relaxer.at == text.len() && relaxer.changed).then_some(relaxer.out)
}

struct Relaxer<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    changed: bool,
    /// Inside an object that is a key. Keys must not nest: each level would double the backslashes.
    in_key: bool,
}

impl Relaxer<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            _ => self.bare(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.copy_byte();
        let start = self.out.len();
        loop {
            self.skip_blanks();
            if self.peek()? == b'}' {
                self.copy_byte();
                return Some(());
            }
            let member = self.out.len();
            if member > start {
                self.out.push(b',');
            }
            self.key(depth)?;
            self.skip_blanks();
            self.expect(b':')?;
            self.out.push(b':');
            let value = self.out.len();
            self.value(depth + 1)?;
            if self.out.get(value..) == Some(b"null") {
                self.out.truncate(member);
                self.changed = true;
            }
            self.separator(b'}')?;
        }
    }

    fn key(&mut self, depth: usize) -> Option<()> {
        let start = self.out.len();
        match self.peek()? {
            b'"' => return self.string(),
            b'{' if self.in_key => return None,
            b'{' => {
                self.in_key = true;
                self.value(depth + 1)?;
                self.in_key = false;
            }
            _ => self.bare()?,
        }
        let key = self.out.split_off(start);
        self.out.push(b'"');
        for byte in key {
            if matches!(byte, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(byte);
        }
        self.out.push(b'"');
        self.changed = true;
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.copy_byte();
        let start = self.out.len();
        loop {
            self.skip_blanks();
            if self.peek()? == b']' {
                self.copy_byte();
                return Some(());
            }
            if self.out.len() > start {
                self.out.push(b',');
            }
            self.value(depth + 1)?;
            self.separator(b']')?;
        }
    }

    /// Skips a comma, or stops before the end.
    fn separator(&mut self, end: u8) -> Option<()> {
        self.skip_blanks();
        if self.peek()? == end { Some(()) } else { self.expect(b',') }
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            self.at += found + 1;
            if self.text[self.at - 1] == b'"' {
                self.out.extend_from_slice(&self.text[start..self.at]);
                return Some(());
            }
            self.at += 1;
        }
    }

    /// Copies a bare token, such as a number or a word: everything up to a delimiter.
    fn bare(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let delimiter = |byte: &u8| matches!(byte, b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}' | 0..=b' ');
        let length = rest.iter().position(delimiter).unwrap_or(rest.len());
        self.out.extend_from_slice(&rest[..length]);
        self.at += length;
        (length > 0).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek()? == byte;
        self.at += 1;
        found.then_some(())
    }

    fn copy_byte(&mut self) {
        self.out.extend(self.peek());
        self.at += 1;
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relaxed(text: &str) -> Option<String> {
        relax(text.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn puts_right_what_fastjson_writes() {
        let cases = [
            ("{0:\"a\",-1:\"b\"}", r#"{"0":"a","-1":"b"}"#),
            (
                "{\"t\":{{\"q\":1,\"b\":\"x\\\"\"}:7 , {\"q\":2}:8}}",
                r#"{"t":{"{\"q\":1,\"b\":\"x\\\"\"}":7,"{\"q\":2}":8}}"#,
            ),
            ("{\"a\":null,\"b\":1,\"c\": null }", r#"{"b":1}"#),
            ("[{0:[null,{1:{}}]}]", r#"[{"0":[null,{"1":{}}]}]"#),
            ("{\"a\":\"{0:1}\",true:false}", r#"{"a":"{0:1}","true":false}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(relaxed(text).as_deref(), Some(expected), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        }
    }

    #[test]
    fn leaves_alone_what_is_json_or_hopeless() {
        let texts = [
            "",
            "{}",
            "[1,2]",
            "{\"0\":{\"a\":[true]}}",
            "\"x\"",
            "7",
            "{0:1",
            "{0:1}}",
            "{0}",
            "{:1}",
            "{0:}",
            "{{{\"a\":1}:2}:3}",
            "{\"a",
            "{\"a\\",
            "{0:\"x}",
        ];
        for text in texts {
            assert_eq!(relaxed(text), None, "{text}");
        }
    }

    #[test]
    fn stops_at_deep_nesting() {
        assert_eq!(relax(&b"{0:".repeat(100_000)), None);
        assert_eq!(relax(&b"[".repeat(100_000)), None);
        assert_eq!(relax(&b"{{".repeat(100_000)), None);
        let deep = format!("{}1{}", "{0:".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
        assert!(relaxed(&deep).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn stays_bounded_on_any_text(text in "[{}\\[\\]:,\"\\\\0a \u{7f}\u{4e2d}null]{0,200}") {
            if let Some(out) = relax(text.as_bytes()) {
                prop_assert!(out.len() <= 3 * text.len());
            }
        }
    }
}
