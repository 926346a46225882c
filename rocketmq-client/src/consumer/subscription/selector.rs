use std::fmt;

/// Which messages of a topic a consumer wants. Java: `MessageSelector`.
///
/// A text is an expression of tags: `"*"` for all messages, `"TagA"`, or `"TagA || TagB"`. A message without a tag matches
/// `"*"` only.
///
/// ```
/// use rocketmq_client::consumer::MessageSelector;
///
/// assert_eq!(MessageSelector::from("TagA || TagB"), MessageSelector::by_tag("TagA || TagB"));
/// assert_eq!(MessageSelector::by_sql("amount > 100").to_string(), "SQL92 amount > 100");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageSelector {
    kind: Kind,
    expression: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Tag,
    Sql,
}

impl MessageSelector {
    /// All messages: `"*"`.
    pub fn all() -> Self {
        Self::by_tag("*")
    }

    /// Messages with one of these tags: `"TagA || TagB"`.
    pub fn by_tag(expression: impl Into<String>) -> Self {
        Self { kind: Kind::Tag, expression: expression.into() }
    }

    /// Messages whose properties match an SQL92 expression: `"amount BETWEEN 10 AND 20 AND region = 'north'"`. The broker
    /// evaluates it; it needs `enablePropertyFilter=true`, or answers code 1 or 23 when the consumer starts.
    pub fn by_sql(expression: impl Into<String>) -> Self {
        Self { kind: Kind::Sql, expression: expression.into() }
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether the expression is SQL92.
    pub fn is_sql(&self) -> bool {
        self.kind == Kind::Sql
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

impl Default for MessageSelector {
    fn default() -> Self {
        Self::all()
    }
}

impl From<&str> for MessageSelector {
    fn from(expression: &str) -> Self {
        Self::by_tag(expression)
    }
}

impl From<String> for MessageSelector {
    fn from(expression: String) -> Self {
        Self::by_tag(expression)
    }
}

impl From<&String> for MessageSelector {
    fn from(expression: &String) -> Self {
        Self::by_tag(expression)
    }
}

impl fmt::Display for MessageSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Tag => f.write_str(&self.expression),
            Kind::Sql => write!(f, "SQL92 {}", self.expression),
        }
    }
}
