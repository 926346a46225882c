//! Reads the text of a properties file. Java: `Properties.load`.

use std::iter::Peekable;
use std::str::Chars;

/// The names and values, in order. `None` if the text has a broken `\u` escape, which Java refuses too.
pub(super) fn read(text: &str) -> Option<Vec<(String, String)>> {
    logical_lines(&text.replace("\r\n", "\n")).iter().map(|line| entry(line)).collect()
}

/// Logical lines without leading blanks and without comments. A line that ends with a backslash continues in the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.split(['\n', '\r']).map(|line| line.trim_start_matches(BLANKS));
    while let Some(first) = rest.next() {
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut line = first.to_owned();
        while ends_open(&line) {
            line.pop();
            let Some(next) = rest.next() else { break };
            line.push_str(next);
        }
        lines.push(line);
    }
    lines
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Whether a line ends with a backslash that is not itself escaped.
fn ends_open(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn entry(line: &str) -> Option<(String, String)> {
    let mut chars = line.chars().peekable();
    let name = part(&mut chars, |char| matches!(char, '=' | ':') || BLANKS.contains(&char))?;
    let mut has_separator = false;
    while let Some(char) =
        chars.next_if(|char| BLANKS.contains(char) || !has_separator && matches!(char, '=' | ':'))
    {
        has_separator |= !BLANKS.contains(&char);
    }
    Some((name, part(&mut chars, |_| false)?))
}

/// Reads up to the end character and resolves escapes.
fn part(chars: &mut Peekable<Chars<'_>>, is_end: impl Fn(char) -> bool) -> Option<String> {
    let mut text = String::new();
    while let Some(char) = chars.next_if(|char| !is_end(*char)) {
        text.push(match char {
            '\\' => match chars.next() {
                Some('u') => unicode(chars)?,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            _ => char,
        });
    }
    Some(text)
}

/// Reads the four digits of a `\u` escape. Half a surrogate pair is no character.
fn unicode(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.to_digit(16)?;
    }
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).expect("a text that can be read")
    }

    fn one(text: &str) -> (String, String) {
        pairs(text).pop().expect("an entry")
    }

    #[test]
    fn names_and_values_are_told_apart_as_in_java() {
        let expected = ("name".to_owned(), "a value".to_owned());
        for text in ["name=a value", "  name = a value", "name:a value", "name a value", "name\t=\ta value"] {
            assert_eq!(one(text), expected, "{text:?}");
        }
        assert_eq!(one("name"), ("name".to_owned(), String::new()));
        assert_eq!(one("name==x"), ("name".to_owned(), "=x".to_owned()));
        assert_eq!(one("name=x "), ("name".to_owned(), "x ".to_owned()), "blanks at the end stay");
    }

    #[test]
    fn lines_go_on_and_comments_do_not_count() {
        let text = "# a=1\n! b=2\r\n\rc=3\\\r\n   4\nd=5\\\\\ne=6";
        let expected = [("c", "34"), ("d", "5\\"), ("e", "6")];
        assert_eq!(pairs(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn escapes_are_resolved_and_broken_ones_refused() {
        assert_eq!(one(r"a\ b=\u0041\t\q"), ("a b".to_owned(), "A\tq".to_owned()));
        assert_eq!(one(r"a=\ud83d").1, "\u{fffd}");
        assert_eq!([read(r"a=\u12"), read(r"a=\u12xy")], [None, None]);
    }
}
