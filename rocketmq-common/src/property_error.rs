//! Faults of properties.

use thiserror::Error;

use crate::shorten::Shorten;

/// A property that cannot be sent, and why.
///
/// Setters of a message never fail. They remember the fault, and
/// [`MessageProperties::check`](crate::MessageProperties::check) reports it when the message is sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("property `{}`: {problem}", Shorten(.name))]
pub struct PropertyError {
    pub(crate) name: String,
    pub(crate) problem: PropertyProblem,
}

impl PropertyError {
    /// The name of the property, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fault.
    pub fn problem(&self) -> PropertyProblem {
        self.problem
    }
}

/// The kinds of [`PropertyError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyProblem {
    /// The name belongs to the client or the broker.
    #[error("the name is reserved; use the setter made for it, or another name")]
    Reserved,
    /// The name is empty or blank.
    #[error("the name is empty")]
    EmptyName,
    /// The value is empty or blank; such a property would vanish on its way.
    #[error("the value is empty; leave the property out instead")]
    EmptyValue,
    /// The name has the byte 0x01, which ends a name.
    #[error("the name contains the byte 0x01, which separates name and value")]
    SeparatorInName,
    /// The name has the byte 0x02, which ends a property.
    #[error("the name contains the byte 0x02, which separates properties")]
    TerminatorInName,
    /// The value has the byte 0x02, which ends a property.
    #[error("the value contains the byte 0x02, which separates properties")]
    TerminatorInValue,
    /// The number is past what a broker can add to its clock: the sum would overflow, and the broker would take it for a
    /// time in the past.
    #[error(
        "{value} is over the limit of {limit}: the broker's sum would overflow, and the time be in the past"
    )]
    TooLarge {
        /// The number.
        value: u64,
        /// The largest number that may be set.
        limit: u64,
    },
    /// All properties together are too long; the error names the longest.
    #[error("it is the longest of properties that take {length} bytes together, over the limit of {limit}")]
    TooLong {
        /// Bytes that all properties take in their wire form.
        length: usize,
        /// The largest allowed number of bytes.
        limit: usize,
    },
}

/// The properties that setters refused, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(pub(crate) Vec<PropertyError>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::{BROKER_PROPERTIES_BYTES, MAX_PROPERTIES_BYTES, MessageProperties};

    #[test]
    fn the_id_and_the_namespace_that_clients_add_do_not_count() {
        let limit = MAX_PROPERTIES_BYTES - BROKER_PROPERTIES_BYTES;
        let mut properties = MessageProperties::new();
        properties.put("k", &"x".repeat(limit - 3));
        properties.put_reserved("UNIQ_KEY", &"7F".repeat(28));
        properties.put_reserved("INSTANCE_ID", "instance");
        assert_eq!(properties.check(), Ok(()));
        properties.put("l", "1");
        let length = limit + 4;
        let error = properties.check().unwrap_err();
        assert_eq!(error.problem(), PropertyProblem::TooLong { length, limit });
    }
}
