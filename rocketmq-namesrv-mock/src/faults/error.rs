//! What is wrong with a rule.

use std::fmt;

/// Why rules cannot be read: which rule, which field, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultError {
    /// The number of the rule, from 1; `None` if it is the only one, or the whole list is wrong.
    pub rule: Option<usize>,
    /// The field of the rule, unless the whole of it is wrong.
    pub field: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl FaultError {
    pub(super) fn whole(problem: impl Into<String>) -> Self {
        Self { rule: None, field: None, problem: problem.into() }
    }

    pub(super) fn field(field: &str, problem: impl Into<String>) -> Self {
        Self { rule: None, field: Some(field.to_owned()), problem: problem.into() }
    }

    /// The same about the rule of this number, from 1.
    pub(super) fn of_rule(self, number: usize) -> Self {
        Self { rule: Some(number), ..self }
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some(rule) => write!(f, "rule {rule}: ")?,
            None => f.write_str("fault rule: ")?,
        }
        if let Some(field) = &self.field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for FaultError {}
