//! The tokens of an SQL92 expression, read when they are needed: text after the end of an expression is never read.
//! Java: `SelectorParser.jj`, `SimpleCharStream`.

/// The kinds of tokens, in the order in which Java's parser lists expected tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    End,
    Not,
    And,
    Or,
    Between,
    In,
    True,
    False,
    Null,
    Is,
    Contains,
    StartsWith,
    EndsWith,
    Decimal,
    Float,
    Text,
    Name,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Open,
    Comma,
    Close,
    Plus,
    Minus,
}

/// All kinds with their names in Java's remarks.
pub(crate) const KINDS: [(Kind, &str); 28] = [
    (Kind::End, "<EOF>"),
    (Kind::Not, "\"NOT\""),
    (Kind::And, "\"AND\""),
    (Kind::Or, "\"OR\""),
    (Kind::Between, "\"BETWEEN\""),
    (Kind::In, "\"IN\""),
    (Kind::True, "\"TRUE\""),
    (Kind::False, "\"FALSE\""),
    (Kind::Null, "\"NULL\""),
    (Kind::Is, "\"IS\""),
    (Kind::Contains, "\"CONTAINS\""),
    (Kind::StartsWith, "\"STARTSWITH\""),
    (Kind::EndsWith, "\"ENDSWITH\""),
    (Kind::Decimal, "<DECIMAL_LITERAL>"),
    (Kind::Float, "<FLOATING_POINT_LITERAL>"),
    (Kind::Text, "<STRING_LITERAL>"),
    (Kind::Name, "<ID>"),
    (Kind::Equal, "\"=\""),
    (Kind::NotEqual, "\"<>\""),
    (Kind::Greater, "\">\""),
    (Kind::GreaterEqual, "\">=\""),
    (Kind::Less, "\"<\""),
    (Kind::LessEqual, "\"<=\""),
    (Kind::Open, "\"(\""),
    (Kind::Comma, "\",\""),
    (Kind::Close, "\")\""),
    (Kind::Plus, "\"+\""),
    (Kind::Minus, "\"-\""),
];

/// The kinds that are words.
const WORDS: std::ops::RangeInclusive<usize> = Kind::Not as usize..=Kind::EndsWith as usize;

impl Kind {
    /// The name in Java's remarks.
    pub(crate) fn name(self) -> &'static str {
        KINDS[self as usize].1
    }
}

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its text.
    pub(crate) image: String,
    /// Its position, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Reads tokens.
#[derive(Debug)]
pub(crate) struct Lexer {
    /// UTF-16 units, which Java counts.
    units: Vec<u16>,
    at: usize,
    /// Line and column of each unit.
    places: Vec<(usize, usize)>,
}

impl Lexer {
    pub(crate) fn new(text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        let places = places(&units);
        Self { units, at: 0, places }
    }

    /// The next token; `End` at the end. An error is the text of Java's exception.
    pub(crate) fn next(&mut self) -> Result<Token, String> {
        loop {
            let start = self.at;
            let Some(first) = self.units.get(start) else { return Ok(self.end()) };
            let rest = &self.units[start..];
            if b" \t\n\r\x0C".contains(&low_byte(*first)) {
                self.at += 1;
                continue;
            }
            if let Some(length) = comment(rest) {
                self.at += length;
                continue;
            }
            let Some((kind, length)) = token(rest) else { return Err(self.error(rest)) };
            self.at += length;
            let (line, column) = self.places[start];
            return Ok(Token { kind, image: String::from_utf16_lossy(&rest[..length]), line, column });
        }
    }

    /// The end token, at the position of the last character.
    fn end(&self) -> Token {
        let (line, column) = self.places.last().copied().unwrap_or_default();
        Token { kind: Kind::End, image: String::new(), line, column }
    }

    fn error(&self, rest: &[u16]) -> String {
        let read = unfinished(rest);
        let (mut line, mut column) = self.places[self.at + read - 1];
        let last = rest[read - 1];
        let is_end = read == rest.len();
        let (encountered, before) = if is_end {
            if is_line_end(last) {
                (line, column) = (line + 1, 0);
            } else {
                column += 1;
            }
            ("<EOF> ".to_owned(), read)
        } else {
            (format!("\"{}\" ({last}), ", escaped(&[last])), read - 1)
        };
        let before = if read <= 1 { String::new() } else { escaped(&rest[..before]) };
        format!(
            "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line {line}, column {column}.  \
             Encountered: {encountered}after : \"{before}\""
        )
    }
}

/// Line and column of each unit; a tab advances to a multiple of eight.
fn places(units: &[u16]) -> Vec<(usize, usize)> {
    let (mut line, mut column) = (1, 0);
    let (mut after_lf, mut after_cr) = (false, false);
    let place = |unit: &u16| {
        column += 1;
        let is_lf = *unit == u16::from(b'\n');
        if after_lf || after_cr && !is_lf {
            (line, column) = (line + 1, 1);
        }
        after_lf = is_lf;
        after_cr = *unit == u16::from(b'\r');
        if *unit == u16::from(b'\t') {
            column -= 1;
            column += 8 - column % 8;
        }
        (line, column)
    };
    units.iter().map(place).collect()
}

/// The length of a closed comment.
fn comment(rest: &[u16]) -> Option<usize> {
    match start(rest) {
        [b'-', b'-'] => {
            let end = rest.iter().position(|unit| is_line_end(*unit))?;
            let is_both = rest[end] == u16::from(b'\r') && rest.get(end + 1) == Some(&u16::from(b'\n'));
            Some(end + 1 + usize::from(is_both))
        }
        [b'/', b'*'] => {
            let closes = |pair: &[u16]| pair == [u16::from(b'*'), u16::from(b'/')];
            Some(rest.get(2..)?.windows(2).position(closes)? + 4)
        }
        _ => None,
    }
}

/// The longest token at the start.
fn token(rest: &[u16]) -> Option<(Kind, usize)> {
    let [first, second] = start(rest);
    let sign = |kind, length| Some((kind, length));
    match (first, second) {
        (b'<', b'>') => sign(Kind::NotEqual, 2),
        (b'<', b'=') => sign(Kind::LessEqual, 2),
        (b'>', b'=') => sign(Kind::GreaterEqual, 2),
        (b'<', _) => sign(Kind::Less, 1),
        (b'>', _) => sign(Kind::Greater, 1),
        (b'=', _) => sign(Kind::Equal, 1),
        (b'(', _) => sign(Kind::Open, 1),
        (b')', _) => sign(Kind::Close, 1),
        (b',', _) => sign(Kind::Comma, 1),
        (b'+', _) => sign(Kind::Plus, 1),
        (b'-', _) => sign(Kind::Minus, 1),
        (b'\'', _) => text(rest).map(|length| (Kind::Text, length)),
        (b'0'..=b'9' | b'.', _) => number(rest),
        _ => word(rest),
    }
}

fn word(rest: &[u16]) -> Option<(Kind, usize)> {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || b"_$".contains(&byte);
    if !is_first(start(rest)[0]) {
        return None;
    }
    let length = count(rest, |byte| is_first(byte) || byte.is_ascii_digit());
    let text = String::from_utf16_lossy(&rest[..length]);
    let is_word = |(_, name): &&(Kind, &str)| name.trim_matches('"').eq_ignore_ascii_case(&text);
    Some((KINDS[WORDS].iter().find(is_word).map_or(Kind::Name, |(kind, _)| *kind), length))
}

/// The length of a quoted text. `''` inside it stands for one quote.
fn text(rest: &[u16]) -> Option<usize> {
    let quote = u16::from(b'\'');
    let mut end = None;
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| rest.iter().position(|unit| *unit == quote)) {
        at += found + 1;
        end = Some(at);
        if rest.get(at) != Some(&quote) {
            break;
        }
        at += 1;
    }
    end
}

fn number(rest: &[u16]) -> Option<(Kind, usize)> {
    let whole = digits(rest);
    let behind = rest.get(whole..).unwrap_or_default();
    if start(behind)[0] == b'.' {
        let fraction = digits(&behind[1..]);
        if whole + fraction > 0 {
            let length = whole + 1 + fraction;
            return Some((Kind::Float, length + exponent(&rest[length..])));
        }
        return None;
    }
    match exponent(behind) {
        // `007` is three numbers; the grammar ignores the last.
        0 if start(rest)[0] == b'0' => Some((Kind::Decimal, 1)),
        0 => {
            let has_suffix = matches!(start(behind)[0], b'l' | b'L');
            Some((Kind::Decimal, whole + usize::from(has_suffix)))
        }
        length => Some((Kind::Float, whole + length)),
    }
}

/// The length of an exponent, 0 if there is none.
fn exponent(rest: &[u16]) -> usize {
    if !matches!(start(rest)[0], b'e' | b'E') {
        return 0;
    }
    let sign = usize::from(matches!(start(&rest[1..])[0], b'+' | b'-'));
    match digits(&rest[1 + sign..]) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

/// The units that Java's tokenizer reads before it fails.
fn unfinished(rest: &[u16]) -> usize {
    let reads = match start(rest) {
        [b'\'', _] | [b'/', b'*'] => rest.len(),
        // It reads one more unit to see that it does not fit.
        [b'.' | b'/', _] => 2,
        _ => 1,
    };
    reads.min(rest.len())
}

fn digits(rest: &[u16]) -> usize {
    count(rest, |byte| byte.is_ascii_digit())
}

fn count(rest: &[u16], belongs: impl Fn(u8) -> bool) -> usize {
    rest.iter().take_while(|unit| belongs(low_byte(**unit))).count()
}

/// The first two units; 0 for a missing or non-ASCII unit.
fn start(rest: &[u16]) -> [u8; 2] {
    [0, 1].map(|at| rest.get(at).map_or(0, |unit| low_byte(*unit)))
}

fn low_byte(unit: u16) -> u8 {
    u8::try_from(unit).unwrap_or(0)
}

fn is_line_end(unit: u16) -> bool {
    matches!(low_byte(unit), b'\n' | b'\r')
}

/// The text in the form of Java's remarks, with escapes for unprintable characters.
pub(crate) fn escaped(units: &[u16]) -> String {
    let mut text = String::new();
    for unit in units {
        match u8::try_from(*unit) {
            Ok(0) => {}
            Ok(b'\x08') => text.push_str("\\b"),
            Ok(b'\t') => text.push_str("\\t"),
            Ok(b'\n') => text.push_str("\\n"),
            Ok(b'\x0C') => text.push_str("\\f"),
            Ok(b'\r') => text.push_str("\\r"),
            Ok(quote @ (b'"' | b'\'' | b'\\')) => text.extend(['\\', char::from(quote)]),
            Ok(byte @ 0x20..=0x7E) => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}
