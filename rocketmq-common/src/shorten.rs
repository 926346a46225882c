//! Shortens texts of peers and users for error messages.

use std::fmt;

/// The largest number of characters of a foreign text in an error message.
const SHOWN_CHARS: usize = 64;

/// Shows at most [`SHOWN_CHARS`] characters of a text, escapes control characters, and tells how much it left out.
pub(crate) struct Shorten<'a>(pub(crate) &'a str);

impl fmt::Display for Shorten<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(SHOWN_CHARS) {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        match chars.count() {
            0 => Ok(()),
            rest => write!(f, "… ({rest} more characters)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_long_texts_cut() {
        assert_eq!(Shorten("a\u{1}b\n").to_string(), "a\\u{1}b\\n");
        assert_eq!(Shorten(&"x".repeat(64)).to_string(), "x".repeat(64));
        assert_eq!(Shorten(&"é".repeat(70)).to_string(), format!("{}… (6 more characters)", "é".repeat(64)));
    }
}
