//! Errors of rules.

use std::fmt;

/// Why rules cannot be read: which rule, which field, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultError {
    /// The number of the rule, from 1; `None` for a single rule, or if the whole list is wrong.
    pub rule: Option<usize>,
    /// The field at fault; `None` if the whole rule is wrong.
    pub field: Option<String>,
    /// The fault, and the allowed values.
    pub problem: String,
}

impl FaultError {
    pub(super) fn whole(problem: impl Into<String>) -> Self {
        Self { rule: None, field: None, problem: problem.into() }
    }

    pub(super) fn field(field: &str, problem: impl Into<String>) -> Self {
        Self { rule: None, field: Some(field.to_owned()), problem: problem.into() }
    }

    /// Adds the number of the rule, from 1.
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
