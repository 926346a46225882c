use bytestring::ByteString;

/// Which names of events a group wants, in AMQP's words: names are words between dots, `*` stands for one word, and `#` for
/// any number of words, none included. Patterns mean the same on every backend.
///
/// ```
/// use rocketmq_event::event::Pattern;
/// assert!(Pattern::new("user.*").matches("user.created"));
/// assert!(!Pattern::new("user.*").matches("user.address.changed"));
/// assert!(Pattern::new("user.#").matches("user"));
/// assert!(Pattern::new("*.created").matches("order.created"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(ByteString);

impl Pattern {
    /// Makes a pattern. Any text is a pattern.
    pub fn new(text: impl Into<ByteString>) -> Self {
        Self(text.into())
    }

    /// The pattern as AMQP writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, if the pattern has no wildcard and so matches this name alone.
    pub fn literal(&self) -> Option<&str> {
        let is_wild = self.0.split('.').any(|word| word == "*" || word == "#");
        (!is_wild).then_some(&*self.0)
    }

    /// Whether an event of this name is wanted.
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('.').collect();
        let words: Vec<&str> = name.split('.').collect();
        // The prefixes of the name that the pattern's first words match: linear in both lengths, whatever the pattern is.
        let mut reached = vec![false; words.len() + 1];
        reached[0] = true;
        for part in pattern {
            let mut next = vec![false; words.len() + 1];
            for place in 0..=words.len() {
                next[place] = match part {
                    "#" => reached[place] || (place > 0 && next[place - 1]),
                    part => place > 0 && reached[place - 1] && (part == "*" || part == words[place - 1]),
                };
            }
            reached = next;
        }
        reached[words.len()]
    }
}

impl<T: Into<ByteString>> From<T> for Pattern {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn wildcards_match_as_in_amqp() {
        let table = [
            ("#", "a.b.c", true),
            ("#", "a", true),
            ("a.#.z", "a.z", true),
            ("a.#.z", "a.b.c.z", true),
            ("a.#.z", "a.b.c", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("*.b.*", "a.b.c", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("#.#", "a", true),
            ("a.*", "a", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }
}
