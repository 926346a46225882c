//! Tags and subscription expressions. Java: `FilterAPI`, `ExpressionMessageFilter`.

use rocketmq_common::java_hash::java_string_hash;

/// Passes messages by the hash of their tag; clients compare the text afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagFilter {
    /// All messages.
    All,
    /// Messages whose tag has one of these hashes. The hash of no tag is 0.
    Codes(Vec<i32>),
}

/// The parsed expression of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Tags(TagFilter),
    /// An expression in another language, such as `SQL92`.
    Other(String),
}

/// The expression cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadExpression;

impl TagFilter {
    /// Whether a message with this hash passes.
    pub(crate) fn matches(&self, tags_code: i32) -> bool {
        match self {
            Self::All => true,
            Self::Codes(codes) => codes.contains(&tags_code),
        }
    }

    /// Whether this names the language of tags.
    pub(crate) fn is_language(name: &str) -> bool {
        name.is_empty() || name == "TAG"
    }

    /// `*`, nothing, or tags with `||` between them.
    fn parse(text: &str) -> Result<Self, BadExpression> {
        if text.is_empty() || text == "*" {
            return Ok(Self::All);
        }
        // Java's split drops empty parts at the end, which here leaves none.
        if text.split("||").all(str::is_empty) {
            return Err(BadExpression);
        }
        let tags = text.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        Ok(Self::Codes(tags.map(java_string_hash).collect()))
    }
}

impl Wanted {
    /// Parses an expression of `language`; without a language, of tags.
    pub(crate) fn parse(text: &str, language: Option<&str>) -> Result<Self, BadExpression> {
        match language {
            None | Some("TAG") => TagFilter::parse(text).map(Self::Tags),
            Some(_) if text.is_empty() => Err(BadExpression),
            // An empty language counts as tags later, but Java reads no tags for it.
            Some("") if text == "*" => Ok(Self::Tags(TagFilter::All)),
            Some("") => Ok(Self::Tags(TagFilter::Codes(Vec::new()))),
            Some(language) => Ok(Self::Other(language.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Result<Wanted, BadExpression> {
        Wanted::parse(text, Some("TAG"))
    }

    #[test]
    fn tags_are_compared_by_java_s_hash() {
        let Ok(Wanted::Tags(filter)) = tags(" TagA || TagB") else { panic!("not read") };
        assert!(filter.matches(java_string_hash("TagA")) && filter.matches(java_string_hash("TagB")));
        assert!(!filter.matches(java_string_hash("TagC")) && !filter.matches(0));
    }

    #[test]
    fn all_and_nothing_pass_everything() {
        for text in ["", "*"] {
            assert_eq!(Wanted::parse(text, None), Ok(Wanted::Tags(TagFilter::All)));
        }
    }

    #[test]
    fn bars_alone_are_no_expression() {
        assert_eq!(tags("||"), Err(BadExpression));
        assert_eq!(tags("||A"), tags("A"));
        assert_eq!(tags("A||"), tags("A"));
    }

    #[test]
    fn other_languages_need_a_text() {
        assert_eq!(Wanted::parse("a > 1", Some("SQL92")), Ok(Wanted::Other("SQL92".into())));
        assert_eq!(Wanted::parse("", Some("SQL92")), Err(BadExpression));
    }
}
